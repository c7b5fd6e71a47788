#include "load/faults/proxy_loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

namespace spillway::load {
namespace {

constexpr int kEventsOnce = 256;
constexpr int kAcceptsOnce = 64;  // then those who are connected have their turn
constexpr int kBacklog = 4096;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::int64_t kAcceptPauseNs = 100'000'000;  // without files or memory: until it is tried again
// What epoll tells of; a connection's number follows, shifted, with the side in the lowest bit.
constexpr std::uint64_t kListenerId = 0, kWakeId = 1, kTimerId = 2;
constexpr std::uint64_t kFirstId = 16;
constexpr int kClient = 0, kTarget = 1;

void count(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) {
  counter.fetch_add(more, std::memory_order_relaxed);
}

bool would_block(int error_number) {
  return error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == EINTR;
}

void set_option(int fd, int level, int option, int value) {
  static_cast<void>(::setsockopt(fd, level, option, &value, sizeof value));
}

sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void add_to(int epoll, int fd, std::uint64_t id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  static_cast<void>(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

}  // namespace

ProxyLoop::ProxyLoop(const SocketAddress& target)
    : target_(target), last_id_(kFirstId), scratch_(kReadBytes) {}

Status ProxyLoop::open() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  timer_ = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  reserved_ = stream_socket(AF_INET);
  if (!epoll_ || !wake_ || !timer_ || !reserved_) return system_error("proxy: cannot be set up", errno);
  // Bound and never listening: it keeps the port from becoming the outgoing port of somebody's connection, of
  // which a load generator makes very many, while the listener is down.
  set_option(reserved_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(reserved_.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  if (::bind(reserved_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(reserved_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return system_error("proxy: no port on 127.0.0.1", errno);
  port_ = ntohs(address.sin_port);
  add_to(epoll_.get(), wake_.get(), kWakeId);
  add_to(epoll_.get(), timer_.get(), kTimerId);
  return listen();
}

Status ProxyLoop::listen() {
  listener_ = stream_socket(AF_INET);
  set_option(listener_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(listener_.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  const sockaddr_in address = loopback_address(port_);
  if (!listener_ ||
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), kBacklog) != 0) {
    const Error error = system_error("proxy: cannot listen on 127.0.0.1:" + std::to_string(port_), errno);
    listener_.close();
    return error;
  }
  watch_listener();
  return Ok{};
}

void ProxyLoop::watch_listener() {
  if (!listener_ || watches_listener_) return;
  add_to(epoll_.get(), listener_.get(), kListenerId);
  watches_listener_ = true;
}

void ProxyLoop::forget_listener() {
  if (!watches_listener_) return;
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr));
  watches_listener_ = false;
}

void ProxyLoop::pause_listener() {
  forget_listener();
  set_timer(kListenerId, &listen_again_ns_, steady_ns() + kAcceptPauseNs);
}

void ProxyLoop::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_.get(), &one, sizeof one));
}

void ProxyLoop::run() {
  std::array<epoll_event, kEventsOnce> events;
  for (;;) {
    arm_timer();
    const int many = ::epoll_wait(epoll_.get(), events.data(), kEventsOnce, -1);
    for (int i = 0; i < many; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      std::uint64_t read = 0;
      if (event.data.u64 == kListenerId) {
        accept_some();
      } else if (event.data.u64 == kWakeId) {
        static_cast<void>(::read(wake_.get(), &read, sizeof read));
        take_change();
      } else if (event.data.u64 == kTimerId) {
        static_cast<void>(::read(timer_.get(), &read, sizeof read));
        armed_ns_ = kNever;
      } else {
        handle(event.data.u64 >> 1, static_cast<int>(event.data.u64 & 1), event.events);
      }
    }
    handle_timers();
    const std::lock_guard lock(mutex_);
    if (ended_) return;
  }
}

void ProxyLoop::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  wake();
}

void ProxyLoop::accept_some() {
  for (int i = 0; i < kAcceptsOnce && listener_; ++i) {
    if (connections_.size() >= kMostProxied) return pause_listener();
    // Before it is taken: who cannot be passed on waits in the backlog.
    if (!next_target_) next_target_ = stream_socket(target_.family());
    SocketAddress from;
    from.size = sizeof from.storage;
    Fd client(!next_target_ ? -1
                            : ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from.storage),
                                        &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      connect_on(std::move(client), from);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      count(counts_.accept_failures);
      return pause_listener();
    }
  }
}

void ProxyLoop::connect_on(Fd client, const SocketAddress& from) {
  count(counts_.connections);
  count(counts_.open);
  auto made = std::make_unique<Connection>();
  Connection& c = *made;
  c.id = ++last_id_;
  c.sides[kClient].fd = std::move(client);
  connections_.emplace(c.id, std::move(made));
  const std::int64_t now = steady_ns();
  for (int kind = 0; kind < kToxicKinds; ++kind) draw(c, static_cast<ToxicKind>(kind), now);

  const Fd& target = c.sides[kTarget].fd = std::move(next_target_);
  if (from.in_127() && target_.in_127()) {
    SocketAddress same = from;
    reinterpret_cast<sockaddr_in*>(&same.storage)->sin_port = 0;
    set_option(target.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    // Where that is refused the connection leaves from wherever it can.
    static_cast<void>(::bind(target.get(), same.get(), same.size));
  }
  if (::connect(target.get(), target_.get(), target_.size) != 0 && errno != EINPROGRESS) {
    count(counts_.connect_failures);
    return close(c, true);
  }
  for (const Side& side : c.sides) set_option(side.fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  settle(c);
}

bool ProxyLoop::finish_connect(Connection& c) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(c.sides[kTarget].fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    count(counts_.connect_failures);
    close(c, true);
    return false;
  }
  c.connected = true;
  return true;
}

void ProxyLoop::handle(std::uint64_t id, int side, std::uint32_t events) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;  // closed earlier in this round
  Connection& c = *found->second;
  if (!c.connected && side == kTarget) {
    if (!finish_connect(c)) return;
  } else if ((events & EPOLLERR) != 0) {
    count(counts_.broken);
    return close(c, true);
  }
  if ((events & (EPOLLOUT | EPOLLHUP)) != 0) c.blocked[static_cast<std::size_t>(1 - side)] = false;
  const bool reads = (c.sides[static_cast<std::size_t>(side)].events & EPOLLIN) != 0;
  if (reads && (events & (EPOLLIN | EPOLLHUP)) != 0) return read_from(c, side);
  settle(c);
}

void ProxyLoop::read_from(Connection& c, int side) {
  const auto i = static_cast<std::size_t>(side);
  Flow& flow = c.flows[i];
  const std::size_t most = std::min(kReadBytes, room(flow));
  if (most == 0) return settle(c);
  const ssize_t got = ::recv(c.sides[i].fd.get(), scratch_.data(), most, 0);
  if (got < 0) {
    if (would_block(errno)) return settle(c);
    count(counts_.broken);
    return close(c, true);
  }
  const auto bytes = static_cast<std::size_t>(got);
  flow.take({scratch_.data(), bytes}, steady_ns(), any_toxic_ ? toxics_of(c) : toxics_, random_);
  hold(static_cast<std::int64_t>(bytes));
  settle(c);
}

bool ProxyLoop::pass_on(Connection& c, int flow_index, std::int64_t now_ns) {
  const auto i = static_cast<std::size_t>(flow_index);
  Flow& flow = c.flows[i];
  const int into = c.sides[1 - i].fd.get();
  while (!c.blocked[i] && !c.end_passed[i]) {
    if (flow.end_due(now_ns)) {
      c.end_passed[i] = true;
      static_cast<void>(::shutdown(into, SHUT_WR));
      break;
    }
    const std::string_view bytes = flow.due(now_ns);
    if (bytes.empty()) break;
    const ssize_t sent = ::send(into, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && !would_block(errno)) {
      count(counts_.broken);
      close(c, true);
      return false;
    }
    if (sent < 0) {
      c.blocked[i] = true;
      break;
    }
    flow.passed(static_cast<std::size_t>(sent));
    hold(-sent);
    count(i == kClient ? counts_.bytes_up : counts_.bytes_down, static_cast<std::uint64_t>(sent));
  }
  return true;
}

void ProxyLoop::settle(Connection& c) {
  const std::int64_t now = steady_ns();
  const std::int64_t reset_at = c.cut_at_ns[static_cast<std::size_t>(ToxicKind::kResetPeer)];
  const std::int64_t close_at = c.cut_at_ns[static_cast<std::size_t>(ToxicKind::kTimeout)];
  if (reset_at <= now) {
    count(counts_.resets);
    return close(c, true);
  }
  if (close_at <= now) return close(c, false);
  if (c.connected && (!pass_on(c, kClient, now) || !pass_on(c, kTarget, now))) return;
  if (c.end_passed[0] && c.end_passed[1]) return close(c, false);
  std::int64_t next = std::min(reset_at, close_at);
  for (std::size_t i = 0; i < 2; ++i)
    if (c.connected && !c.blocked[i] && !c.end_passed[i]) next = std::min(next, c.flows[i].next_due_ns());
  set_timer(c.id, &c.timer_ns, next);
  watch(c, kClient);
  watch(c, kTarget);
}

void ProxyLoop::watch(Connection& c, int side_index) {
  const auto i = static_cast<std::size_t>(side_index);
  Side& side = c.sides[i];
  std::uint32_t wanted = 0;
  if (c.connected && !c.flows[i].ended() && room(c.flows[i]) > 0) wanted |= EPOLLIN;
  if (c.connected ? c.blocked[1 - i] : side_index == kTarget) wanted |= EPOLLOUT;
  if (wanted == side.events) return;
  // A file of which nothing is wanted is taken out: epoll would go on telling that the other side hung up.
  const int change = wanted == 0 ? EPOLL_CTL_DEL : side.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = c.id << 1 | static_cast<std::uint64_t>(side_index);
  static_cast<void>(::epoll_ctl(epoll_.get(), change, side.fd.get(), &event));
  side.events = wanted;
}

void ProxyLoop::close(Connection& c, bool with_reset) {
  if (with_reset) {
    const linger now{1, 0};
    for (const Side& side : c.sides)
      if (side.fd) static_cast<void>(::setsockopt(side.fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now));
  }
  for (const Flow& flow : c.flows) hold(-static_cast<std::int64_t>(flow.held()));
  counts_.open.fetch_sub(1, std::memory_order_relaxed);
  connections_.erase(c.id);
}

}  // namespace spillway::load
