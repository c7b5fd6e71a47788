#include "http/http_thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/thread.h"

namespace spillway::http {
namespace {

constexpr int kAcceptAtOnce = 64;  // so that a crowd of new connections does not starve the ones we have

/// Often enough that the shortest time-out is not late by more than a quarter of itself.
Micros tick_us(const ServerOptions& options) {
  const Micros shortest =
      std::min({options.header_timeout_us, options.body_timeout_us, options.idle_timeout_us,
                options.write_timeout_us, options.tls_handshake_timeout_us, options.stream_ping_us});
  return std::clamp(shortest / 4, 10 * kMillisecond, kSecond);
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

HttpThread::HttpThread(ServerShared& shared, std::size_t thread, int listen_fd)
    : shared_(shared),
      loop_(SocketLoop::make(shared.options.io_uring, shared.options.first_loop + thread, *this,
                             tick_us(shared.options))),
      context_{.router = shared.router, .options = shared.options, .clock = shared.clock},
      listen_fd_(listen_fd),
      scratch_memory_(new char[2 * limits::kReadBytes]) {
  context_.observer = shared.observer;
  context_.thread = thread;
  context_.loop = loop_.get();
  context_.limits = shared.options.rate_limits;
  context_.pool = new SlotPool;
  context_.tls = shared.tls != nullptr;
  loop = loop_.get();
  scratch = scratch_memory_.get();
  plain = scratch + limits::kReadBytes;
  begin_round();
  CHECK(loop_->add(listen_fd_, EPOLLIN, this));
}

HttpThread::~HttpThread() {
  stop();
  context_.pool->orphan();
}

void HttpThread::start() {
  thread_ = std::thread([this] {
    name_this_thread(("http-" + std::to_string(loop_->index())).c_str());
    loop_->run();
  });
}

void HttpThread::stop() {
  loop_->stop();
  if (thread_.joinable()) thread_.join();
  close_listener();
  while (connections_ != nullptr) destroy(connections_);
  dirty_.clear();
}

void HttpThread::begin_round() { context_.read_clocks(); }

void HttpThread::dirty(Connection& connection) {
  if (connection.is_dirty) return;
  connection.is_dirty = true;
  dirty_.push_back(&connection);
}

bool HttpThread::end_round() {
  if (dirty_.empty()) return false;
  settling_.swap(dirty_);
  for (Connection* connection : settling_) {
    if (!connection->settle()) destroy(connection);
  }
  settling_.clear();
  return !dirty_.empty();
}

void HttpThread::destroy(Connection* connection) {
  (connection->before == nullptr ? connections_ : connection->before->after) = connection->after;
  if (connection->after != nullptr) connection->after->before = connection->before;
  (connection->counted ? shared_.connections : shared_.refusing).fetch_sub(1);
  delete connection;
  closed_.add();
  note_drained();
}

void HttpThread::tick() {
  if (accept_paused_ && listen_fd_ >= 0) {
    accept_paused_ = false;
    loop_->modify(listen_fd_, EPOLLIN, this);
  }
  for (Connection* connection = connections_; connection != nullptr; connection = connection->after) {
    connection->check_time();
  }
}

void HttpThread::on_ready(std::uint32_t) {
  for (int i = 0; i < kAcceptAtOnce && listen_fd_ >= 0; ++i) {
    if (!accept_one()) return;
  }
}

bool HttpThread::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int fd =
      accept4(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    take(fd, address_text(address));
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED) return true;
  if (errno == EAGAIN) return false;
  // Out of descriptors or memory: asking again at once would spin, so the next tick does.
  spdlog::warn("cannot accept a connection: {}", std::strerror(errno));
  accept_failures_.add();
  accept_paused_ = true;
  loop_->modify(listen_fd_, 0, this);
  return false;
}

void HttpThread::take(int fd, std::string remote_address) {
  accepted_.add();
  const bool fits = shared_.connections.fetch_add(1) < shared_.options.max_connections;
  if (!fits) {
    shared_.connections.fetch_sub(1);
    refused_.add();
    if (shared_.tls != nullptr || shared_.refusing.fetch_add(1) >= limits::kMaxRefusing) {
      if (shared_.tls == nullptr) shared_.refusing.fetch_sub(1);
      closed_.add();
      close(fd);
      return;
    }
  }
  auto* connection = new Connection(*this, context_, fd, std::move(remote_address), shared_.tls.get(), fits);
  connection->after = connections_;
  if (connections_ != nullptr) connections_->before = connection;
  connections_ = connection;
  if (!connection->open()) {
    spdlog::warn("cannot watch a connection: {}", std::strerror(errno));
    return destroy(connection);
  }
  if (fits) return;
  ByteBuffer text;
  write_response(text, problem(Error{ErrorCode::kOverloaded, "too many connections", 1}),
                 {.date = context_.date.view(), .traceparent = {}, .close = true});
  connection->refuse_with(text.view());
}

void HttpThread::start_drain() {
  while (listen_fd_ >= 0 && accept_one()) {  // what the kernel has accepted for us is ours
  }
  close_listener();
  draining_ = true;
  for (Connection* connection = connections_; connection != nullptr; connection = connection->after) {
    connection->start_drain();
  }
  note_drained();
}

void HttpThread::close_listener() {
  if (listen_fd_ < 0) return;
  loop_->remove(listen_fd_);
  shutdown(listen_fd_, SHUT_RDWR);  // from now on, even if the kernel still waits for it on our behalf
  close(listen_fd_);
  listen_fd_ = -1;
}

void HttpThread::note_drained() {
  if (!draining_ || drained_ || connections_ != nullptr) return;
  drained_ = true;
  const std::lock_guard lock(shared_.mutex);
  --shared_.threads_left;
  shared_.changed.notify_all();
}

void HttpThread::add_to(ServerStats& stats) const {
  const std::uint64_t closed = closed_.get();
  stats.accepted += accepted_.get();
  stats.refused += refused_.get();
  stats.accept_failures += accept_failures_.get();
  stats.connections += accepted_.get() - closed;
  stats.requests += context_.requests.get();
  stats.sends += sends.get();
  stats.handler_failures += context_.handler_failures.get();
}

}  // namespace spillway::http
