#include "load/agents/agent.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr int kBacklog = 64;
constexpr int kAcceptsOnce = 16;
constexpr std::size_t kMaxSessions = 32;  // with one of them is a run
constexpr std::size_t kMaxUnsentBytes = 256 << 20;
constexpr std::int64_t kAcceptPauseNs = 100'000'000;  // without files or memory: until it is tried again
constexpr std::size_t kFirstSession = 3;              // among what is watched
constexpr int kPollMs = 200;                          // how exact time-outs are

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

Error unexpected() { return {ErrorCode::kMalformedRequest, "it sent what was not to be sent then"}; }

}  // namespace

Agent::Session::Session(Fd fd, const SocketAddress& from)
    : socket(std::move(fd), kMaxFirstFrameBytes),
      peer(from.text()),
      nonce(new_nonce()),
      until_ns(steady_ns() + kHandshakeTimeoutNs) {}

Result<std::unique_ptr<Agent>> Agent::make(const AgentOptions& options, std::string secret) {
  const auto address = resolve_host_port("--listen", options.listen);
  if (!address) return address.error();
  if (secret.empty() && !address->is_loopback()) {
    return invalid_argument(fmt::format(
        "--listen {}: whoever reaches an agent can aim it at anybody; without {} it listens on loopback only",
        options.listen, kAgentSecretVariable));
  }
  const std::size_t threads =
      options.threads != 0 ? options.threads : std::max(2U, std::thread::hardware_concurrency()) - 1;
  std::unique_ptr<Agent> agent(new Agent(
      std::move(secret), static_cast<std::uint32_t>(std::min<std::size_t>(threads, kMaxAgentThreads))));
  agent->wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  agent->listener_ = stream_socket(address->family());
  const int on = 1, fd = agent->listener_.get();
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SocketAddress bound = *address;
  if (!agent->wake_ || fd < 0 || ::bind(fd, address->get(), address->size) != 0 ||
      ::listen(fd, kBacklog) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) != 0)
    return system_error("--listen " + options.listen, errno);
  agent->address_ = bound.text();
  return agent;
}

Status Agent::run(int stop_fd) {
  std::vector<pollfd> watched;
  std::int64_t alive_ns = 0;
  bool stopping = false;
  while (!stopping || !sessions_.empty()) {
    const bool accepts = !stopping && steady_ns() >= accept_again_ns_;
    watched = {{stopping ? -1 : stop_fd, POLLIN, 0},
               {wake_.get(), POLLIN, 0},
               {accepts ? listener_.get() : -1, POLLIN, 0}};
    for (const Session& session : sessions_)
      watched.push_back({session.socket.fd(), session.socket.wanted_events(), 0});
    const bool waits_for_time = !sessions_.empty() || !accepts;
    if (::poll(watched.data(), watched.size(), waits_for_time ? kPollMs : -1) < 0 && errno != EINTR)
      return system_error("poll", errno);
    if (watched[1].revents != 0) {
      std::uint64_t told = 0;
      static_cast<void>(::read(wake_.get(), &told, sizeof told));
    }
    const std::int64_t now_ns = steady_ns();
    const bool alive_is_due = now_ns >= alive_ns;
    if (alive_is_due) alive_ns = now_ns + kAliveEveryNs;
    std::size_t at = kFirstSession;
    for (Session& session : sessions_) {
      serve(session, watched[at++].revents);
      tick(session, alive_is_due);
    }
    if (watched[0].revents != 0) {
      stopping = true;
      listener_.close();
      for (Session& session : sessions_) {
        if (session.has_agent()) dismiss(session, FrameType::kError, "it was told to end");
        if (session.state != State::kClosing) lose(session, "");
      }
    }
    sessions_.remove_if([](const Session& session) { return session.state == State::kGone; });
    if (watched[2].revents != 0 && !stopping) accept_some();
  }
  return Ok{};
}

// ---- Who connects ----------------------------------------------------------------------------------------

void Agent::accept_some() {
  for (int i = 0; i < kAcceptsOnce; ++i) {
    SocketAddress from;
    from.size = sizeof from.storage;
    Fd client(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from.storage), &from.size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) {
      const bool out_of_something = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (out_of_something) accept_again_ns_ = steady_ns() + kAcceptPauseNs;
      return;
    }
    make_room();
    Session& session = sessions_.emplace_back(std::move(client), from);
    session.socket.send(FrameType::kGreeting, Greeting{kAgentProtocol, session.nonce}.encode());
    serve(session, 0);
  }
}

/// Whoever has said nothing for the longest time goes first; a coordinator never waits behind strangers.
void Agent::make_room() {
  if (sessions_.size() < kMaxSessions) return;
  const auto oldest =
      std::find_if(sessions_.begin(), sessions_.end(), [](const Session& one) { return !one.has_agent(); });
  if (oldest != sessions_.end()) sessions_.erase(oldest);
}

const Agent::Session* Agent::busy_with() const {
  const auto found =
      std::find_if(sessions_.begin(), sessions_.end(), [](const Session& s) { return s.has_agent(); });
  return found == sessions_.end() ? nullptr : &*found;
}

// ---- What they say ---------------------------------------------------------------------------------------

void Agent::serve(Session& session, short events) {
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) hear(session);
  if (session.state == State::kRunning) report(session);
  if (session.state != State::kGone) send_out(session);
}

void Agent::hear(Session& session) {
  if (Status came = session.socket.receive(); !came) return lose(session, came.error().message);
  while (session.state != State::kGone) {
    const auto frame = session.socket.next();
    // A stranger who speaks something else is not answered.
    if (!frame && session.has_agent()) return dismiss(session, FrameType::kError, frame.error().message);
    if (!frame) return lose(session, "");
    if (!*frame) break;
    if (session.state == State::kClosing) continue;
    const FrameType answer = session.state == State::kRunning ? FrameType::kError : FrameType::kRefused;
    if (Status taken = take(session, **frame); !taken) return dismiss(session, answer, taken.error().message);
  }
  if (session.socket.ended()) lose(session, "ended, since the coordinator's connection was lost");
}

void Agent::report(Session& session) {
  for (;;) {
    if (Status told = run_->pump(session.socket); !told)
      return dismiss(session, FrameType::kError, told.error().message);
    if (session.socket.unsent() == 0) break;
    if (Status sent = session.socket.flush(); !sent) return lose(session, sent.error().message);
    if (session.socket.unsent() > 0) return;
  }
  if (!run_->told_all()) return;
  // The agent is free before the coordinator hears of the end, so that its next run finds it so.
  end_run(session, "ended");
  begin_to_close(session);
}

void Agent::send_out(Session& session) {
  if (session.socket.unsent() > kMaxUnsentBytes)
    return lose(session, "ended, since the coordinator takes nothing");
  if (Status sent = session.socket.flush(); !sent) return lose(session, sent.error().message);
  if (session.state == State::kClosing && session.socket.unsent() == 0) session.socket.finish();
}

Status Agent::take(Session& session, const Frame& frame) {
  session.until_ns = std::max(session.until_ns, steady_ns() + (session.has_agent() ? kSilenceLimitNs : 0));
  switch (frame.type) {
    case FrameType::kHello:
      return take_hello(session, frame);
    case FrameType::kPlan:
      return take_plan(session, frame);
    case FrameType::kGo:
      return take_go(session, frame);
    case FrameType::kStop:
      if (session.state != State::kRunning) return unexpected();
      fmt::print(stderr, "run {}: stopping\n", run_->run_id());
      run_->stop();
      return Ok{};
    case FrameType::kAlive:
      if (session.state != State::kRunning) return unexpected();
      return Ok{};
    default:
      return unexpected();
  }
}

Status Agent::take_hello(Session& session, const Frame& frame) {
  const auto hello = Hello::decode(frame.payload);
  if (session.state != State::kGreeted || !hello) return unexpected();
  if (hello->version != kAgentProtocol) {
    const std::string sentence = version_sentence("the coordinator", hello->version);
    fmt::print(stderr, "{}: refused: {}\n", session.peer, sentence);
    return invalid_argument(sentence);
  }
  if (!same_proof(hello->proof, make_proof(secret_, Prover::kCoordinator, session.nonce, hello->nonce))) {
    const std::string sentence = fmt::format("{} is not the same on both machines", kAgentSecretVariable);
    fmt::print(stderr, "{}: refused: {}\n", session.peer, sentence);
    return Error{ErrorCode::kUnauthenticated, sentence};
  }
  if (const Session* other = busy_with())
    return Error{ErrorCode::kOverloaded, fmt::format("it is busy with a run of {}", other->peer)};
  session.state = State::kKnown;
  session.until_ns = steady_ns() + kOrderTimeoutNs;
  session.socket.set_limit(kMaxOrderFrameBytes);
  const std::string proof = make_proof(secret_, Prover::kAgent, session.nonce, hello->nonce);
  session.socket.send(FrameType::kReady, Ready{proof, threads_, host_name()}.encode());
  return Ok{};
}

Status Agent::take_plan(Session& session, const Frame& frame) {
  const auto order = PlanOrder::decode(frame.payload);
  if (session.state != State::kKnown || !order || order->count > threads_) return unexpected();
  auto run = AgentRun::prepare(*order, wake_.get());
  if (!run) return run.error();
  run_ = std::move(*run);
  session.state = State::kPlanned;
  session.until_ns = steady_ns() + kOrderTimeoutNs;
  session.socket.send(FrameType::kPrepared);
  return Ok{};
}

Status Agent::take_go(Session& session, const Frame& frame) {
  const auto go = Go::decode(frame.payload);
  if (session.state != State::kPlanned || !go) return unexpected();
  if (Status started = run_->start(std::int64_t{go->in_ms} * 1'000'000); !started) return started;
  fmt::print(stderr, "run {} of {}: {} slices\n", run_->run_id(), session.peer, run_->slices());
  session.state = State::kRunning;
  session.until_ns = steady_ns() + kSilenceLimitNs;
  return Ok{};
}

// ---- How it ends -----------------------------------------------------------------------------------------

void Agent::tick(Session& session, bool alive_is_due) {
  if (session.state == State::kGone) return;
  if (steady_ns() >= session.until_ns)
    return lose(session, "ended, since the coordinator was silent for too long");
  if (session.state == State::kRunning && alive_is_due) session.socket.send(FrameType::kAlive);
}

void Agent::end_run(const Session& session, const std::string& how) {
  if (!session.has_agent() || !run_) return;
  const std::string id = run_->run_id();
  run_.reset();
  fmt::print(stderr, "run {}: {}\n", id, how);
}

void Agent::dismiss(Session& session, FrameType type, const std::string& why) {
  end_run(session, why);
  session.socket.send(type, encode_sentence(why));
  begin_to_close(session);
}

void Agent::begin_to_close(Session& session) {
  session.state = State::kClosing;
  session.until_ns = steady_ns() + kClosingTimeoutNs;
  send_out(session);
}

void Agent::lose(Session& session, const std::string& why) {
  end_run(session, why);
  session.state = State::kGone;
  session.socket.close();
}

}  // namespace spillway::load
