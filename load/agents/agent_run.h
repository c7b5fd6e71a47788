#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/agents/frame_socket.h"
#include "load/agents/protocol.h"
#include "load/engine/worker.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// An agent's part of one run: its workers, and what they have to tell. What ends it ends the load at once.
/// All but the workers' callbacks on one thread.
class AgentRun {
 public:
  /// `wake`: an eventfd that is told when there is something for pump(). Errors: why the plan cannot be run
  /// here.
  static Result<std::unique_ptr<AgentRun>> prepare(const PlanOrder&, int wake);
  ~AgentRun();
  AgentRun(const AgentRun&) = delete;
  AgentRun& operator=(const AgentRun&) = delete;

  const std::string& run_id() const { return order_.run_id; }
  std::uint32_t slices() const { return order_.count; }

  /// Errors: internal.
  Status start(std::int64_t in_ns);
  /// No new iterations.
  void stop();
  /// Makes frames of what the workers told, as many as the socket is likely to take soon. Errors: the
  /// coordinator is too far behind.
  Status pump(FrameSocket&);
  /// Everything was given to the socket.
  bool told_all() const { return slices_told_ == order_.count; }

 private:
  /// A second of a slice, or its end.
  struct News {
    std::uint32_t slice = 0;
    std::optional<SliceSecond> second;
    SliceEvidence evidence;
  };

  AgentRun(const PlanOrder& order, Plan plan, int wake)
      : order_(order), plan_(std::move(plan)), wake_(wake) {}
  void tell(News);
  /// The next part of the end that is being told.
  void tell_evidence(FrameSocket&);

  const PlanOrder order_;
  const Plan plan_;
  const int wake_;
  std::vector<Target> targets_;
  std::shared_ptr<TlsSettings> tls_;
  std::vector<std::unique_ptr<Worker>> workers_;

  std::optional<News> ending_;
  std::size_t scenario_ = 0, offset_ = 0;  // of ending_'s evidence
  std::uint32_t slices_told_ = 0;

  std::mutex mutex_;
  std::deque<News> news_;  // under mutex_
};

}  // namespace spillway::load
