#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "base/result.h"
#include "load/agents/agent_run.h"
#include "load/agents/frame_socket.h"

namespace spillway::load {

struct AgentOptions {
  std::string listen = "127.0.0.1:0";
  std::size_t threads = 0;  ///< 0: as many as there are cores but one
};

/// Makes load for one coordinator at a time, as long as its connection lasts. Whoever else connects is told
/// so, or hung up on.
class Agent {
 public:
  /// `secret`: empty: on loopback only. Errors: invalid_argument, internal.
  static Result<std::unique_ptr<Agent>> make(const AgentOptions&, std::string secret);

  std::string address() const { return address_; }  ///< where it listens
  /// Until `stop_fd` can be read. Errors: internal.
  Status run(int stop_fd);

 private:
  enum class State : std::uint8_t {
    kGreeted,  // HELLO has not come
    kKnown,    // has the agent to itself from here to kRunning
    kPlanned,
    kRunning,
    kClosing,  // everything was said; the other side closes first, so that nothing is lost
    kGone,
  };
  struct Session {
    Session(Fd socket, const SocketAddress& from);
    FrameSocket socket;
    std::string peer, nonce;
    State state = State::kGreeted;
    std::int64_t until_ns = 0;  // is hung up on
    bool has_agent() const {
      return state == State::kKnown || state == State::kPlanned || state == State::kRunning;
    }
  };

  Agent(std::string secret, std::uint32_t threads) : secret_(std::move(secret)), threads_(threads) {}
  void accept_some();
  void make_room();
  void serve(Session&, short events);
  void hear(Session&);
  /// What its run has to tell.
  void report(Session&);
  void send_out(Session&);
  /// Errors: why the other side is hung up on; it is told.
  Status take(Session&, const Frame&);
  Status take_hello(Session&, const Frame&);
  Status take_plan(Session&, const Frame&);
  Status take_go(Session&, const Frame&);
  void tick(Session&, bool alive_is_due);
  /// Tells the other side why, ends its run if it has one, and waits for it to hang up.
  void dismiss(Session&, FrameType, const std::string& why);
  void begin_to_close(Session&);
  void lose(Session&, const std::string& why);
  void end_run(const Session&, const std::string& how);
  const Session* busy_with() const;

  const std::string secret_;
  const std::uint32_t threads_;
  std::string address_;
  Fd listener_, wake_;
  std::list<Session> sessions_;
  std::unique_ptr<AgentRun> run_;
  std::int64_t accept_again_ns_ = 0;
};

}  // namespace spillway::load
