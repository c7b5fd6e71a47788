#include "load/replay/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "load/wire/clock.h"

namespace spillway::load::replay {
namespace {

constexpr std::size_t kMaxBatch = 64;  // requests of one connection in one write
constexpr std::size_t kInputBytes = 256 * 1024;
constexpr std::size_t kMaxUnsentBytes = 256 * 1024;  // of one connection, when the server does not read
constexpr int kMaxEvents = 1024;
constexpr std::uint64_t kSampleEvery = 64;
constexpr std::int64_t kLongestPollNs =
    5'000;  // one that found nothing and took longer was pushed off its core
constexpr std::int64_t kForever = 1LL << 62;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

}  // namespace

Client::Client(Plan plan, const RequestSource& source, OnAnswer on_answer)
    : plan_(std::move(plan)),
      source_(source),
      on_answer_(std::move(on_answer)),
      scratch_(kMaxBatch * RequestSource::kMaxRequestBytes),
      input_(kInputBytes) {}

Client::~Client() {
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) ::close(connection.fd);
  }
  if (epoll_ >= 0) ::close(epoll_);
}

void Client::connect_all() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) fail("epoll_create1");
  connections_.resize(plan_.connections);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(plan_.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (Connection& connection : connections_) {
    connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) fail("socket");
    if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      fail("cannot connect to 127.0.0.1:" + std::to_string(plan_.port));
    }
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Not the machine's default, which may be one that paces by timers (bbr): of no use on loopback, and the
    // client is to cost little. Where it is not allowed the default stays.
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    // What the server does not read shall soon be seen here, and not hide in the kernel.
    const int send_buffer = 64 * 1024;
    ::setsockopt(connection.fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    connection.ring.resize(std::bit_ceil(std::max<std::size_t>(plan_.depth, 4)));
    epoll_event want{};
    want.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    want.data.ptr = &connection;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &want) != 0) fail("epoll_ctl");
  }
  alive_ = connections_.size();
}

std::uint64_t Client::limit() const {
  return plan_.max_requests == 0 ? source_.size() : std::min(source_.size(), plan_.max_requests);
}

Report Client::run() {
  connect_all();
  start_ns_ = steady_ns();
  measure_start_ns_ = start_ns_ + plan_.warmup_ns;
  measure_end_ns_ = plan_.measure_ns == 0 ? kForever : measure_start_ns_ + plan_.measure_ns;
  give_up_ns_ = kForever;
  const bool open_loop = plan_.rate > 0;
  const int timeout_ms = open_loop || plan_.spin ? 0 : 20;
  if (!open_loop) {
    for (Connection& connection : connections_) ask(connection, plan_.depth, start_ns_);
  }
  std::array<epoll_event, kMaxEvents> events;
  for (;;) {
    const std::int64_t now_ns = steady_ns();
    advance_phase(now_ns);
    if (phase_ == Phase::kDone) break;
    if (open_loop && phase_ != Phase::kDrain) send_due(now_ns);

    const std::int64_t before_ns = steady_ns();
    const int ready = ::epoll_wait(epoll_, events.data(), kMaxEvents, timeout_ms);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready <= 0) {
      if (phase_ == Phase::kMeasure) idle_ns_ += std::min(steady_ns() - before_ns, kLongestPollNs);
      continue;
    }
    for (int i = 0; i < ready; ++i) {
      Connection& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
      if ((what & EPOLLOUT) != 0 && !connection.out.empty()) send_rest(connection);
      if ((what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) on_readable(connection);
    }
  }
  report_.unanswered = open_ + lost_;
  report_.accepted_total = accepted_seen_;
  return std::move(report_);
}

// ---- Phases ----------------------------------------------------------------------------------------------

void Client::advance_phase(std::int64_t now_ns) {
  if (phase_ == Phase::kWarmup && now_ns >= measure_start_ns_) start_measuring(now_ns);
  const bool dry = next_ >= limit();
  if (phase_ <= Phase::kMeasure && (now_ns >= measure_end_ns_ || dry || alive_ == 0)) {
    if (phase_ == Phase::kWarmup) start_measuring(now_ns);
    report_.ran_dry = dry && plan_.max_requests == 0;
    // Without a time to measure, all the answers are what is measured.
    if (plan_.measure_ns == 0 && open_ > 0 && alive_ > 0) return;
    stop_measuring(now_ns);
    phase_ = Phase::kDrain;
    give_up_ns_ = now_ns + plan_.drain_ns;
  }
  if (phase_ == Phase::kDrain && (open_ == 0 || now_ns >= give_up_ns_ || alive_ == 0)) phase_ = Phase::kDone;
}

void Client::start_measuring(std::int64_t now_ns) {
  phase_ = Phase::kMeasure;
  report_.server_before = read_process(plan_.server_pid);
  report_.core_before = read_core(plan_.server_core);
  client_cpu_ns_ = thread_cpu_ns();
  if (plan_.rate <= 0) measure_start_ns_ = now_ns;
  if (plan_.rate <= 0 && plan_.measure_ns != 0) measure_end_ns_ = now_ns + plan_.measure_ns;
}

void Client::stop_measuring(std::int64_t now_ns) {
  measure_end_ns_ = std::min(measure_end_ns_, now_ns);
  const std::int64_t took_ns = now_ns - measure_start_ns_;
  report_.server_after = read_process(plan_.server_pid);
  report_.core_after = read_core(plan_.server_core);
  report_.seconds = static_cast<double>(took_ns) / 1e9;
  // A sleeping client is idle without using CPU, a spinning one in the polls that find nothing. What others
  // took from its core is neither.
  const std::int64_t cpu_ns = std::max<std::int64_t>(thread_cpu_ns() - client_cpu_ns_, 1);
  const bool spins = plan_.spin || plan_.rate > 0;
  const std::int64_t busy_ns = spins ? std::max<std::int64_t>(cpu_ns - idle_ns_, 0) : cpu_ns;
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(std::max<std::int64_t>(whole, 1));
  };
  report_.client_on_cpu = share(cpu_ns, took_ns);
  report_.client_busy = share(busy_ns, spins ? cpu_ns : took_ns);
  report_.client_cpu_us =
      static_cast<double>(busy_ns) / 1e3 / static_cast<double>(std::max<std::uint64_t>(report_.answered, 1));
}

// ---- Asking ----------------------------------------------------------------------------------------------

void Client::push(Connection& connection, Pending pending) {
  if (connection.unanswered() == connection.ring.size()) {
    std::vector<Pending> larger(connection.ring.size() * 2);
    for (std::uint64_t i = connection.head; i != connection.tail; ++i) {
      larger[i & (larger.size() - 1)] = connection.ring[i & (connection.ring.size() - 1)];
    }
    connection.ring.swap(larger);
  }
  connection.ring[connection.tail++ & (connection.ring.size() - 1)] = pending;
  ++open_;
  if (phase_ == Phase::kMeasure) ++report_.asked;
}

/// Open loop: what is due by now, request k on connection k % C, one write a connection.
void Client::send_due(std::int64_t now_ns) {
  const double ns_per_request = 1e9 / plan_.rate;
  const auto due_by_now =
      static_cast<std::uint64_t>(static_cast<double>(now_ns - start_ns_) / ns_per_request) + 1;
  const std::uint64_t end = std::min({due_by_now, limit(), next_ + kMaxBatch * connections_.size()});
  if (next_ >= end) return;
  const std::uint64_t step = connections_.size();
  for (std::uint64_t first = next_; first < std::min(end, next_ + step); ++first) {
    Connection& connection = connections_[first % step];
    for (std::uint64_t k = first; k < end; k += step) {
      const std::int64_t due_ns =
          start_ns_ + static_cast<std::int64_t>(static_cast<double>(k) * ns_per_request);
      if (phase_ == Phase::kMeasure) report_.lag.record(now_ns - due_ns);
      if (connection.fd < 0 || connection.out.size() > kMaxUnsentBytes ||
          (plan_.max_unanswered != 0 && connection.unanswered() >= plan_.max_unanswered)) {
        if (phase_ == Phase::kMeasure) ++report_.not_sent;
        continue;
      }
      scratch_size_ += source_.write(k, scratch_.data() + scratch_size_);
      push(connection, {due_ns, now_ns, k});
    }
    send_scratch(connection);
  }
  next_ = end;
}

/// Closed loop: the next requests, on this connection.
void Client::ask(Connection& connection, std::size_t count, std::int64_t now_ns) {
  if (phase_ >= Phase::kDrain || connection.fd < 0) return;
  for (const std::uint64_t most = limit(); count > 0 && next_ < most; --count) {
    scratch_size_ += source_.write(next_, scratch_.data() + scratch_size_);
    push(connection, {now_ns, now_ns, next_});
    ++next_;
  }
  send_scratch(connection);
}

void Client::send_scratch(Connection& connection) {
  const std::size_t size = std::exchange(scratch_size_, 0);
  if (size == 0) return;
  std::size_t sent = 0;
  if (connection.out.empty()) {
    const ssize_t took = ::send(connection.fd, scratch_.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took < 0 && errno != EAGAIN && errno != EINTR) return lose(connection);
    sent = took < 0 ? 0 : static_cast<std::size_t>(took);
  }
  if (sent < size) connection.out.append(scratch_.data() + sent, size - sent);
}

void Client::send_rest(Connection& connection) {
  const ssize_t took =
      ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (took < 0 && errno != EAGAIN && errno != EINTR) return lose(connection);
  if (took > 0) connection.out.erase(0, static_cast<std::size_t>(took));
}

// ---- Answers ---------------------------------------------------------------------------------------------

void Client::on_readable(Connection& connection) {
  std::size_t answers = 0;
  std::int64_t now_ns = 0;
  for (;;) {
    if (connection.fd < 0) return;
    const ssize_t got = ::recv(connection.fd, input_.data(), input_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return lose(connection);
    now_ns = steady_ns();
    const std::string_view fresh(input_.data(), static_cast<std::size_t>(got));
    std::size_t used = 0;
    if (connection.in.empty()) {
      answers += take_answers(connection, fresh, now_ns, &used);
      connection.in.append(fresh.substr(used));
    } else {
      connection.in.append(fresh);
      answers += take_answers(connection, connection.in, now_ns, &used);
      connection.in.erase(0, used);
    }
    if (static_cast<std::size_t>(got) < input_.size()) break;  // edge-triggered: the socket is empty now
  }
  if (answers > 0 && plan_.rate <= 0) ask(connection, answers, now_ns);
}

std::size_t Client::take_answers(Connection& connection, std::string_view in, std::int64_t now_ns,
                                 std::size_t* used) {
  std::size_t answers = 0;
  for (Answer answer; *used < in.size(); *used += answer.size) {
    const ResponseParser::Outcome outcome = parser_.parse(in.substr(*used), &answer);
    if (outcome == ResponseParser::Outcome::kIncomplete) break;
    if (outcome == ResponseParser::Outcome::kMalformed || connection.unanswered() == 0) {
      ++report_.malformed;
      if (report_.sample.empty()) report_.sample = in.substr(*used, 2048);
      lose(connection);
      *used = in.size();
      break;
    }
    on_answer(connection, answer, now_ns);
    ++answers;
  }
  return answers;
}

void Client::on_answer(Connection& connection, const Answer& answer, std::int64_t now_ns) {
  const Pending pending = connection.ring[connection.head++ & (connection.ring.size() - 1)];
  --open_;
  if (report_.sample.empty()) report_.sample = std::string(answer.head) + std::string(answer.body);
  const bool accepted = answer.status / 100 == 2;
  const bool refused = answer.status == 429 || answer.status == 503;
  if (phase_ == Phase::kMeasure && now_ns >= measure_start_ns_) {
    ++report_.answered;
    ++report_.status[static_cast<std::size_t>(answer.status) % report_.status.size()];
  }
  // By the time it was due, not by that of the answer: else the slow ones at the end would be left out.
  if (pending.due_ns >= measure_start_ns_ && pending.due_ns < measure_end_ns_) {
    Latency& latency = accepted ? report_.accepted : refused ? report_.refused : report_.other;
    latency.response.record(now_ns - pending.due_ns);
    if (plan_.rate > 0) latency.service.record(now_ns - pending.sent_ns);
  }
  check_samples(answer, accepted, refused);
  if (on_answer_) on_answer_(pending.n, answer);
}

void Client::check_samples(const Answer& answer, bool accepted, bool refused) {
  if (accepted && accepted_seen_++ % kSampleEvery == 0) {
    ++report_.body_checked;
    if (answer.body.find(plan_.expect_in_body) == std::string_view::npos) ++report_.body_wrong;
  }
  if (refused && refused_seen_++ % kSampleEvery == 0) {
    ++report_.retry_after_checked;
    if (ResponseParser::field(answer.head, "retry-after").empty()) ++report_.retry_after_missing;
  }
}

void Client::lose(Connection& connection) {
  if (connection.fd < 0) return;
  ::close(connection.fd);
  connection.fd = -1;
  ++report_.closed_connections;
  --alive_;
  lost_ += connection.unanswered();
  open_ -= connection.unanswered();
  connection.head = connection.tail;
}

}  // namespace spillway::load::replay
