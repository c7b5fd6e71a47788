#include "load/replay/listeners.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "load/replay/report.h"
#include "load/wire/clock.h"

namespace spillway::load::replay {
namespace {

constexpr int kMaxEvents = 1024;
constexpr std::size_t kInputBytes = 64 * 1024;
constexpr std::size_t kSampleBytes = 2048;
constexpr std::int64_t kFirstEventsWithinNs = 60'000'000'000;

struct Listener {
  int fd = -1;
  std::string line;          // the begin of a line whose end has not come
  std::int64_t last_ns = 0;  // of its last event
  std::uint64_t position = 0;
  bool heard = false;  // in the measured time
};

class Crowd {
 public:
  Crowd(const ListenPlan& plan, const LineFile& tokens) : plan_(plan), tokens_(tokens) {
    if (tokens.size() < plan.connections) throw std::runtime_error("fewer tokens than listeners");
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) fail("epoll_create1");
    listeners_.resize(plan.connections);
  }
  ~Crowd() {
    for (const Listener& listener : listeners_) {
      if (listener.fd >= 0) ::close(listener.fd);
    }
    if (epoll_ >= 0) ::close(epoll_);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  ListenReport run() {
    report_.server_idle = read_process(plan_.server_pid);
    for (std::size_t n = 0; n < listeners_.size(); ++n) {
      open(listeners_[n], tokens_[n]);
      if (n % kOpenedBetweenReads == 0) read_what_came(0);
    }
    const std::int64_t give_up_ns = steady_ns() + kFirstEventsWithinNs;
    while (report_.listening + report_.refused + report_.closed < listeners_.size()) {
      if (steady_ns() > give_up_ns)
        throw std::runtime_error("not all were told their first event in a minute");
      read_what_came(20);
    }
    read_until(steady_ns() + plan_.settle_ns);
    measure();
    return std::move(report_);
  }

 private:
  static constexpr std::size_t kOpenedBetweenReads = 64;  // so that the server's backlog holds them

  [[noreturn]] static void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
  }

  void open(Listener& listener, std::string_view token) {
    listener.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener.fd < 0) fail("socket");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(plan_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(listener.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("connect");
    const std::string request = fmt::format(
        "GET /api/v1/queue/stream HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: text/event-stream\r\n"
        "X-Queue-Token: {}\r\n\r\n",
        plan_.port, token);
    if (::send(listener.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      fail("send");
    }
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.ptr = &listener;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener.fd, &want) != 0) fail("epoll_ctl");
  }

  void measure() {
    report_.server_before = read_process(plan_.server_pid);
    const std::int64_t cpu_ns = thread_cpu_ns();
    began_ns_ = steady_ns();
    measuring_ = true;
    read_until(began_ns_ + plan_.measure_ns);
    measuring_ = false;
    report_.seconds = static_cast<double>(steady_ns() - began_ns_) / 1e9;
    report_.server_after = read_process(plan_.server_pid);
    report_.client_cpu_us = static_cast<double>(thread_cpu_ns() - cpu_ns) / 1e3 /
                            static_cast<double>(std::max<std::uint64_t>(report_.events, 1));
    for (const Listener& listener : listeners_) report_.starved += listener.heard ? 0 : 1;
  }

  void read_until(std::int64_t end_ns) {
    for (std::int64_t now = steady_ns(); now < end_ns; now = steady_ns()) {
      read_what_came(static_cast<int>((end_ns - now) / 1'000'000) + 1);
    }
  }

  void read_what_came(int timeout_ms) {
    std::array<epoll_event, kMaxEvents> events;
    const int ready = ::epoll_wait(epoll_, events.data(), kMaxEvents, timeout_ms);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      on_readable(*static_cast<Listener*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
  }

  void on_readable(Listener& listener) {
    const ssize_t got = ::recv(listener.fd, input_.data(), input_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      ::close(listener.fd);
      listener.fd = -1;
      ++report_.closed;
      return;
    }
    std::string_view in(input_.data(), static_cast<std::size_t>(got));
    if (report_.sample.size() < kSampleBytes && listener.last_ns == 0)
      report_.sample += in.substr(0, kSampleBytes);
    for (std::size_t end = in.find('\n'); end != std::string_view::npos; end = in.find('\n')) {
      if (listener.line.empty()) {
        on_line(listener, in.substr(0, end));
      } else {
        listener.line += in.substr(0, end);
        on_line(listener, listener.line);
        listener.line.clear();
      }
      in.remove_prefix(end + 1);
    }
    listener.line += in;
  }

  /// Of the stream; lines that delimit chunks are none of those looked for.
  void on_line(Listener& listener, std::string_view line) {
    if (line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.1 200")) ++report_.refused;
    if (!line.starts_with("data: ")) return;
    const std::int64_t now_ns = steady_ns();
    if (listener.last_ns == 0) ++report_.listening;
    if (measuring_) {
      ++report_.events;
      listener.heard = true;
      if (listener.last_ns >= began_ns_) report_.gap.record(now_ns - listener.last_ns);
    }
    listener.last_ns = now_ns;
    constexpr std::string_view kKey = "\"position\":";
    const std::size_t at = line.find(kKey);
    std::uint64_t position = 0;
    if (at == std::string_view::npos) return;
    const char* digits = line.data() + at + kKey.size();
    if (std::from_chars(digits, line.data() + line.size(), position).ec != std::errc{}) return;
    if (listener.position != 0 && position > listener.position) ++report_.positions_up;
    listener.position = position;
  }

  const ListenPlan& plan_;
  const LineFile& tokens_;
  ListenReport report_;
  int epoll_ = -1;
  std::vector<Listener> listeners_;
  std::array<char, kInputBytes> input_;
  bool measuring_ = false;
  std::int64_t began_ns_ = 0;
};

}  // namespace

ListenReport listen(const ListenPlan& plan, const LineFile& tokens) { return Crowd(plan, tokens).run(); }

std::string to_json(const ListenPlan& plan, const ListenReport& report) {
  const auto events = static_cast<double>(std::max<std::uint64_t>(report.events, 1));
  const auto listeners = static_cast<double>(std::max<std::uint64_t>(report.listening, 1));
  const double cpu_ns = static_cast<double>(report.server_after.cpu_ns - report.server_before.cpu_ns);
  return fmt::format(
      R"({{"connections":{},"listening":{},"refused":{},"closed":{},"starved":{},"positions_up":{},)"
      R"("seconds":{:.3f},"events":{},"rate":{:.0f},"gap_us":{},"client_cpu_us_per_event":{:.2f},)"
      R"("server_cpu_us_per_event":{:.2f},"server_busy":{:.3f},"server_bytes_per_listener":{:.0f},)"
      R"("sample":{}}})",
      plan.connections, report.listening, report.refused, report.closed, report.starved, report.positions_up,
      report.seconds, report.events, static_cast<double>(report.events) / std::max(report.seconds, 1e-9),
      to_json(report.gap), report.client_cpu_us, cpu_ns / 1e3 / events,
      cpu_ns / 1e9 / std::max(report.seconds, 1e-9),
      static_cast<double>(report.server_after.resident_bytes - report.server_idle.resident_bytes) / listeners,
      quoted(report.sample));
}

}  // namespace spillway::load::replay
