#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/agents/frame_socket.h"
#include "load/agents/protocol.h"
#include "load/engine/collector.h"

namespace spillway::load {

/// The coordinator's side of one agent. Errors are sentences that name the agent; after one it is of no more
/// use.
class AgentLink {
 public:
  enum class State : std::uint8_t {
    kConnecting,
    kGreeting,  // waits for the agent's nonce
    kProving,   // ... for READY
    kReady,
    kPreparing,  // ... for PREPARED
    kPrepared,
    kRunning,
    kEnded,  // all its slices told their end; it hangs up
    kGone,
  };

  /// Begins to connect. `name`: HOST:PORT. Errors: invalid_argument.
  static Result<std::unique_ptr<AgentLink>> connect(const std::string& name, const std::string& secret);

  const std::string& name() const { return name_; }
  State state() const { return state_; }
  std::uint32_t threads() const { return threads_; }
  const std::string& host() const { return host_; }
  /// kReady: its slices, and how many scenarios each has evidence of.
  void prepare(const PlanOrder&, std::size_t scenarios);
  /// kPrepared: begins in so many milliseconds.
  Status go(std::uint32_t in_ms);
  void stop();
  void hang_up();

  short wanted_events() const;
  int fd() const { return socket_.fd(); }
  /// What poll() said. `collector`: from kRunning on.
  Status serve(short events, Collector*);
  /// Now and then, while running.
  Status tick(bool alive_is_due);
  /// Of no more use: its slices that did not end fail, with this sentence.
  void fail(Collector&, const std::string& why);

 private:
  struct Slice {
    bool ended = false;
    std::int64_t last_second = -1;
    std::size_t evidence_bytes = 0;
    SliceEvidence evidence;
  };

  AgentLink(std::string name, const std::string& secret, Fd socket);
  Error error(std::string_view what) const;
  Status on_connected();
  Status take(const Frame&, Collector*);
  Status take_greeting(const Frame&);
  Status take_ready(const Frame&);
  Status take_second(const Frame&, Collector&);
  Status take_evidence(const Frame&);
  Status take_end(const Frame&, Collector&);
  /// Null: it is none of this agent's, or has ended.
  Slice* slice(std::uint32_t number);

  const std::string name_, secret_;
  FrameSocket socket_;
  State state_ = State::kConnecting;
  std::string agent_nonce_, nonce_, host_;
  std::uint32_t threads_ = 0, first_ = 0;
  std::vector<Slice> slices_;
  std::size_t scenarios_ = 0;
  std::int64_t heard_ns_ = 0;
};

}  // namespace spillway::load
