#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/engine/event_loop.h"
#include "load/engine/recorder.h"
#include "load/engine/task.h"
#include "load/wire/connection.h"
#include "load/wire/response_parser.h"
#include "load/wire/target.h"

namespace spillway::load {

class User;

/// What a journey asks. The views need be good during the call of User::ask() only.
struct Request {
  std::size_t step = 0;  ///< of JourneyKind::steps, which has its method
  std::string_view path = {};
  std::string_view body = {};    ///< JSON
  std::string_view bearer = {};  ///< Authorization
  /// Further fields.
  struct Field {
    std::string_view name, value;
  };
  Field field = {};
};

/// Why there is no answer.
enum class NoAnswer : std::uint8_t {
  kNone,       ///< there is one
  kConnect,    ///< refused, unreachable
  kTls,        ///< no TLS, or a certificate that is not trusted
  kLost,       ///< the connection ended before the answer
  kTimeout,    ///< Plan::timeout_s
  kMalformed,  ///< what came was no HTTP
  kLocal,      ///< this machine had no more ports, files or memory
};

std::string_view why(NoAnswer);  ///< for people

/// An answer; the views are good until the next co_await.
struct Reply {
  int status = 0;  ///< 0: none came
  NoAnswer failure = NoAnswer::kNone;
  std::string_view head = {}, body = {};
  bool ok() const { return status >= 200 && status < 300; }
};

/// What users of one thread share.
struct UserWorld {
  EventLoop& loop;
  Recorder* recorder;  ///< null: nothing is recorded
  std::vector<Target> targets;
  std::shared_ptr<TlsSettings> tls;
  std::uint32_t source_addresses = 1;
  std::int64_t timeout_ns = 60'000'000'000;
  // Shared buffers: a user has none of its own while it waits.
  std::vector<char> input = std::vector<char>(256 * 1024);
  std::string scratch = {};
  ResponseParser parser = {};
  Histogram lag = {};               ///< how late what was due and could start was started
  std::uint64_t socket_errors = 0;  ///< NoAnswer::kLocal
  std::uint64_t random_state = 1;
};

/// The steps of a scenario's journey as this thread's recorder knows them.
struct StepTable {
  std::vector<std::string_view> methods;
  std::vector<Recorder::StepId> ids;  ///< empty when nothing is recorded
};

/// Whom a user tells that its iteration is over. Called from the loop, never from within the user.
class IterationOwner {
 public:
  virtual ~IterationOwner() = default;
  virtual void on_iteration_over(User&) = 0;
};

/// A virtual user: one connection, one request at a time, one coroutine. A few hundred bytes. Belongs to one
/// thread's loop.
class User final : public LoopTarget {
 public:
  User(UserWorld&, const StepTable&, IterationOwner&, std::uint64_t index);

  // ---- For journeys ----

  /// Asks and waits for the answer. What is sent goes over the user's connection, which is opened when there
  /// is none. GET, PUT and DELETE are sent again, once, when a connection that had been used before turns out
  /// to be closed; POST is not.
  auto ask(const Request& request) {
    struct Awaiter {
      User& user;
      bool await_ready() const noexcept { return user.pending_ == Pending::kNone; }
      void await_suspend(std::coroutine_handle<> h) const noexcept { user.waiting_ = h; }
      Reply await_resume() const noexcept { return user.reply_; }
    };
    begin(request);
    return Awaiter{*this};
  }
  /// Thinks.
  auto pause(double seconds) {
    struct Awaiter {
      User& user;
      double seconds;
      bool await_ready() const noexcept { return seconds <= 0; }
      void await_suspend(std::coroutine_handle<> h) const { user.think(h, seconds); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, seconds};
  }
  /// Equally likely between 0 and 1.
  double random();
  /// Nobody else's, ever: 128 random bits.
  std::string random_name();
  std::uint64_t index() const { return index_; }  ///< among all of the scenario, on all machines
  std::int64_t now_ns() const;

  // ---- For whoever owns it ----

  /// Until its owner has been told that the iteration is over.
  bool busy() const { return !task_.empty(); }
  /// `due_ns`: when this iteration should have begun.
  void begin_iteration(Task<> task, std::int64_t due_ns, std::int64_t now_ns);
  std::int64_t iteration_began_ns() const { return iteration_began_ns_; }
  /// Ends the iteration where it is; its owner is not told. A request that had no answer for more than a
  /// second is recorded as one that has none.
  void interrupt();
  /// Looks whether the answer is too late. Called a few times a second.
  void check_timeout(std::int64_t now_ns);

  /// Ramping down: whoever is still busy at this time is interrupted. 0: goes on.
  std::int64_t leave_by_ns = 0;

  void on_ready(std::uint32_t events) override;
  void on_time(std::int64_t at_ns, std::int64_t now_ns) override;
  void on_turn() override;

 private:
  enum class Pending : std::uint8_t { kNone, kConnection, kAnswer };

  void begin(const Request&);
  void serialise(const Request&);
  void connect();
  void on_connecting();
  void on_open(std::string_view request);
  void send_rest();
  void read(bool ends);
  void on_closed();
  void answer(const Answer&, std::int64_t now_ns);
  void give_up(NoAnswer, std::int64_t now_ns);
  void settle(int status, std::int64_t now_ns);
  void think(std::coroutine_handle<>, double seconds);
  void resume();

  UserWorld& world_;
  const StepTable& steps_;
  IterationOwner& owner_;
  const std::uint64_t index_;
  Connection connection_;
  Task<> task_;
  std::coroutine_handle<> waiting_;
  Reply reply_;
  Pending pending_ = Pending::kNone;
  bool may_send_again_ = false;
  bool fresh_connection_ = false;  // opened for the request that is pending
  std::uint32_t step_ = 0;
  std::string out_;   // of the request, what the socket has not taken; all of it while connecting
  std::string in_;    // the begin of an answer whose end has not come
  std::string sent_;  // the request, while it may have to be sent again
  // Of the request that is pending, or the one before. Steady clock.
  std::int64_t due_ns_ = 0, asked_ns_ = 0, opened_ns_ = 0, sent_ns_ = 0, sent_all_ns_ = 0, first_byte_ns_ = 0;
  std::int64_t iteration_began_ns_ = 0;
  std::uint64_t bytes_in_ = 0;
};

}  // namespace spillway::load
