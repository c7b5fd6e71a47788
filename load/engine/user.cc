#include "load/engine/user.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr double kLongestPauseS = 30.0 * 24 * 3600;
constexpr std::int64_t kHungNs = 1'000'000'000;

std::uint64_t next_random(std::uint64_t& state) {  // splitmix64, https://prng.di.unimi.it/splitmix64.c
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

User::User(UserWorld& world, const StepTable& steps, IterationOwner& owner, std::uint64_t index)
    : world_(world), steps_(steps), owner_(owner), index_(index) {}

std::string_view why(NoAnswer failure) {
  switch (failure) {
    case NoAnswer::kNone:
      return "there is one";
    case NoAnswer::kConnect:
      return "nobody takes connections there";
    case NoAnswer::kTls:
      return "no TLS, or a certificate that is not trusted (--ca-file, --insecure)";
    case NoAnswer::kLost:
      return "the connection was closed";
    case NoAnswer::kTimeout:
      return "none came within the plan's timeout";
    case NoAnswer::kMalformed:
      return "what came is no HTTP";
    case NoAnswer::kLocal:
      return "this machine has no more ports, open files or memory";
  }
  return "";
}

double User::random() { return static_cast<double>(next_random(world_.random_state) >> 11) * 0x1.0p-53; }

std::string User::random_name() {
  const std::uint64_t high = next_random(world_.random_state), low = next_random(world_.random_state);
  return fmt::format("load-{:016x}{:016x}", high, low);
}

std::int64_t User::now_ns() const { return steady_ns(); }

// ---- Iterations ------------------------------------------------------------------------------------------

void User::begin_iteration(Task<> task, std::int64_t due_ns, std::int64_t now_ns) {
  task_ = std::move(task);
  due_ns_ = due_ns;
  iteration_began_ns_ = now_ns;
  task_.start();
  if (task_.done()) world_.loop.post(*this);
}

void User::resume() {
  std::exchange(waiting_, {}).resume();
  if (task_.done()) world_.loop.post(*this);
}

void User::on_turn() {
  if (task_.empty() || !task_.done() || waiting_) return;
  task_.reset();
  owner_.on_iteration_over(*this);
}

void User::interrupt() {
  world_.loop.forget(*this);
  waiting_ = {};  // nobody goes on
  if (pending_ != Pending::kNone) {
    connection_.close();
    // One that had just been asked says nothing; one that hangs would else have left no trace.
    const std::int64_t now_ns = steady_ns();
    if (now_ns - asked_ns_ > kHungNs) settle(0, now_ns);
    pending_ = Pending::kNone;
  }
  out_.clear();
  in_.clear();
  task_.reset();
}

void User::think(std::coroutine_handle<> h, double seconds) {
  waiting_ = h;
  const double bounded = std::min(seconds, kLongestPauseS);
  world_.loop.wake_at(*this, steady_ns() + ns_of(bounded));
}

void User::on_time(std::int64_t at_ns, std::int64_t now_ns) {
  if (pending_ != Pending::kNone) return on_closed();  // it had failed at once
  world_.lag.record(now_ns - at_ns);
  due_ns_ = at_ns;
  resume();
}

// ---- Asking ----------------------------------------------------------------------------------------------

void User::serialise(const Request& request) {
  const Target& target = world_.targets[index_ % world_.targets.size()];
  const std::string_view method = steps_.methods[request.step];
  std::string& out = world_.scratch;
  out.clear();
  out.append(method).append(" ").append(target.prefix).append(request.path).append(" HTTP/1.1\r\nHost: ");
  out.append(target.authority).append("\r\nUser-Agent: spillway-load\r\n");
  if (!request.bearer.empty()) out.append("Authorization: Bearer ").append(request.bearer).append("\r\n");
  if (!request.field.name.empty())
    out.append(request.field.name).append(": ").append(request.field.value).append("\r\n");
  if (!request.body.empty()) out.append("Content-Type: application/json\r\n");
  if (!request.body.empty() || method == "POST" || method == "PUT") {
    char digits[24];
    out.append("Content-Length: ")
        .append(digits, std::to_chars(digits, digits + sizeof digits, request.body.size()).ptr)
        .append("\r\n");
  }
  out.append("\r\n").append(request.body);
}

void User::begin(const Request& request) {
  asked_ns_ = opened_ns_ = steady_ns();
  step_ = static_cast<std::uint32_t>(request.step);
  bytes_in_ = 0;
  serialise(request);
  may_send_again_ = steps_.methods[request.step] != "POST";
  fresh_connection_ = connection_.state() != Connection::State::kOpen;
  if (fresh_connection_) {
    out_ = world_.scratch;
    connect();
  } else {
    if (may_send_again_) sent_ = world_.scratch;
    on_open(world_.scratch);
  }
}

void User::connect() {
  pending_ = Pending::kConnection;
  const Target& target = world_.targets[index_ % world_.targets.size()];
  const bool many_sources = world_.source_addresses > 1 && target.address.in_127();
  const sockaddr_in source = loopback_source(static_cast<std::uint32_t>(index_ % world_.source_addresses));
  connection_.open(world_.loop.epoll(), target, many_sources ? &source : nullptr, world_.tls.get(), this);
  // What fails at once is told in a turn of its own: the coroutine is not waiting yet.
  if (connection_.state() == Connection::State::kClosed) world_.loop.wake_at(*this, 0);
}

void User::on_connecting() {
  connection_.advance();
  if (connection_.state() != Connection::State::kOpen) {
    if (connection_.state() == Connection::State::kClosed) on_closed();
    return;
  }
  opened_ns_ = steady_ns();
  on_open(std::exchange(out_, {}));
}

/// The connection can take the request.
void User::on_open(std::string_view request) {
  pending_ = Pending::kAnswer;
  sent_ns_ = steady_ns();
  sent_all_ns_ = first_byte_ns_ = 0;
  const std::ptrdiff_t took = connection_.send(request);
  if (took < 0) return world_.loop.wake_at(*this, 0);
  if (static_cast<std::size_t>(took) < request.size()) {
    out_ = request.substr(static_cast<std::size_t>(took));
    send_rest();  // TLS takes a record at a time
  } else {
    sent_all_ns_ = steady_ns();
  }
  if (world_.recorder != nullptr) world_.recorder->bytes(request.size(), 0);
}

void User::send_rest() {
  while (!out_.empty()) {
    const std::ptrdiff_t took = connection_.send(out_);
    if (took < 0) return on_closed();
    if (took == 0) return;
    out_.erase(0, static_cast<std::size_t>(took));
  }
  sent_all_ns_ = steady_ns();
}

// ---- Answers ---------------------------------------------------------------------------------------------

void User::on_ready(std::uint32_t events) {
  if (pending_ == Pending::kConnection) return on_connecting();
  if (connection_.state() == Connection::State::kClosed) return;
  if ((events & EPOLLOUT) != 0 && !out_.empty()) send_rest();
  if (connection_.state() == Connection::State::kClosed) return;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  read((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
}

/// `ends`: nothing comes after what is there.
void User::read(bool ends) {
  const std::size_t room = world_.input.size();
  for (;;) {
    const std::ptrdiff_t got = connection_.receive(world_.input.data(), room);
    if (got < 0) return on_closed();
    if (got == 0) return;
    if (pending_ != Pending::kAnswer) return connection_.close();  // nobody asked
    if (first_byte_ns_ == 0) first_byte_ns_ = steady_ns();
    bytes_in_ += static_cast<std::uint64_t>(got);
    const std::string_view fresh(world_.input.data(), static_cast<std::size_t>(got));
    if (!in_.empty()) in_.append(fresh);
    const std::string_view all = in_.empty() ? fresh : std::string_view(in_);
    Answer found;
    const ResponseParser::Outcome outcome = world_.parser.parse(all, &found);
    if (outcome == ResponseParser::Outcome::kMalformed) return give_up(NoAnswer::kMalformed, steady_ns());
    if (outcome == ResponseParser::Outcome::kComplete) {
      // More than the answer to the one request that was sent is none of HTTP's.
      const bool more = found.size < all.size();
      if (found.closes || more || ends) connection_.close();
      return answer(found, steady_ns());
    }
    if (in_.empty()) in_ = fresh;
  }
}

void User::answer(const Answer& found, std::int64_t now_ns) {
  reply_ = {found.status, NoAnswer::kNone, found.head, found.body};
  const std::string kept = std::exchange(in_, {});  // what the views may look at
  settle(found.status, now_ns);
}

/// The connection ended: by the server, or before it was one.
void User::on_closed() {
  const Connection::Failure why = connection_.failure();
  const bool was_connecting = pending_ == Pending::kConnection;
  connection_.close();
  if (pending_ == Pending::kNone) return;
  const bool heard_nothing = first_byte_ns_ == 0 && in_.empty();
  if (!was_connecting && !fresh_connection_ && heard_nothing && std::exchange(may_send_again_, false)) {
    out_ = std::exchange(sent_, {});
    fresh_connection_ = true;
    return connect();
  }
  if (why == Connection::Failure::kLocal) return give_up(NoAnswer::kLocal, steady_ns());
  if (why == Connection::Failure::kTls) return give_up(NoAnswer::kTls, steady_ns());
  give_up(was_connecting ? NoAnswer::kConnect : NoAnswer::kLost, steady_ns());
}

void User::check_timeout(std::int64_t now_ns) {
  if (pending_ != Pending::kNone && now_ns - asked_ns_ > world_.timeout_ns)
    give_up(NoAnswer::kTimeout, now_ns);
}

void User::give_up(NoAnswer why, std::int64_t now_ns) {
  connection_.close();
  world_.loop.forget(*this);
  if (why == NoAnswer::kLocal) ++world_.socket_errors;
  out_.clear();
  in_.clear();
  reply_ = {0, why, {}, {}};
  settle(0, now_ns);
}

/// The request is over.
void User::settle(int status, std::int64_t now_ns) {
  const bool sent = pending_ == Pending::kAnswer;
  pending_ = Pending::kNone;
  if (world_.recorder != nullptr) {
    RequestTimes times;
    if (fresh_connection_ && connection_.connected_ns() >= asked_ns_) {
      times.connecting_ns = connection_.connected_ns() - asked_ns_;
      const bool tls = world_.targets[index_ % world_.targets.size()].tls;
      times.tls_ns = tls ? std::max<std::int64_t>(0, opened_ns_ - connection_.connected_ns()) : 0;
    }
    if (sent) {
      const std::int64_t sent_all = sent_all_ns_ == 0 ? sent_ns_ : sent_all_ns_;
      const std::int64_t first = std::max(first_byte_ns_ == 0 ? now_ns : first_byte_ns_, sent_all);
      times.sending_ns = sent_all - sent_ns_;
      times.waiting_ns = first - sent_all;
      times.receiving_ns = std::max<std::int64_t>(0, now_ns - first);
    }
    times.response_ns = now_ns - std::min(due_ns_, asked_ns_);
    world_.recorder->request(steps_.ids[step_], status, status >= 200 && status < 400, times);
    world_.recorder->bytes(0, bytes_in_);
  }
  due_ns_ = now_ns;
  if (waiting_) resume();
}

}  // namespace spillway::load
