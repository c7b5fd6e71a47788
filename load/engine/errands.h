#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/engine/journey.h"
#include "load/engine/user.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// What is asked beside the load, as an operator: before it, while it lasts, and after it. Nothing of it is
/// measured. One thread at a time; calls wait.
class Errands final : public IterationOwner {
 public:
  /// Errors: internal (no descriptors).
  static Result<std::unique_ptr<Errands>> make(const Plan&, std::vector<Target>, std::shared_ptr<TlsSettings>,
                                               const std::string& run_id, const std::string& admin_token);

  /// Looks whether the server is there, then Journey::prepare of each. Errors: theirs; not_found.
  Status prepare();
  /// What operators see now, "server_cpu" (cores, since the last call) among it where /metrics has it. Takes
  /// at most `limit_s`.
  std::map<std::string, double> watch(double limit_s);
  /// Evidence of the plan's scenario of that number.
  Status absorb(std::size_t scenario, std::string_view evidence);
  std::vector<InvariantResult> judge(double settle_s);

  void on_iteration_over(User&) override {}

 private:
  // Scenarios with the same journey and settings look at the same thing, and are judged together.
  struct Subject {
    std::unique_ptr<Journey> journey;
    StepTable steps;
    std::unique_ptr<User> user;
  };

  explicit Errands(EventLoop loop) : loop_(std::move(loop)) {}
  /// False when it was not over in time.
  bool carry_out(User&, Task<>, double limit_s);
  Task<> knock(User&, NoAnswer& failure);
  Status find_server();
  Task<> read_cpu(User&, std::map<std::string, double>& gauges);

  EventLoop loop_;
  std::unique_ptr<UserWorld> world_;
  std::deque<Subject> subjects_;
  std::vector<std::size_t> subject_of_;  // by scenario
  StepTable metrics_steps_;
  std::unique_ptr<User> metrics_user_;
  double cpu_s_ = -1;
  std::int64_t cpu_at_ns_ = 0;
};

}  // namespace spillway::load
