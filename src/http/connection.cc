#include "http/connection.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace spillway::http {

namespace {

/// Edge-triggered: a level-triggered socket is asked by the kernel at every turn whether it is still ready,
/// twice with a set inside a set, which is measured at several percent of a request. What was left unread is
/// asked for again by arming anew: see unread_ and watch().
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP;
constexpr std::uint32_t kEdge = EPOLLET;

}  // namespace

Connection::Connection(ConnectionHost& host, SessionContext& context, int fd, std::string remote_address,
                       const TlsContext* tls, bool is_counted)
    : Session(context, std::move(remote_address)),
      counted(is_counted),
      host_(host),
      fd_(fd),
      since_us_(context.now_us),
      uring_(host.loop->uring()) {
  if (tls != nullptr) tls_ = std::make_unique<TlsChannel>(*tls);
}

Connection::~Connection() {
  abandon();
  if (uring_ != nullptr) {
    if (sending_) uring_->forget_send(*this);
    if (receive_ != nullptr) uring_->drop(receive_);
    if (watched_ != 0) uring_->remove(fd_);
    uring_->forget(fd_);
  }
  close(fd_);  // leaves an epoll set by itself
}

bool Connection::open() {
  if (uring_ != nullptr) {
    uring_->keep(fd_);
    receive_ = uring_->receive(fd_, *this);
    return true;
  }
  watched_ = kReadable;
  return host_.loop->add(fd_, watched_ | kEdge, this);
}

void Connection::refuse_with(std::string_view text) {
  refused_ = true;
  output().append(text);
  abandon();
  touched();
}

void Connection::over() {
  if (state_ == State::kOver) return;
  state_ = State::kOver;
  touched();
}

void Connection::on_ready(std::uint32_t epoll_events) {
  if (state_ == State::kOver) return;
  touched();  // what is to be watched may change with each event
  if ((epoll_events & EPOLLOUT) != 0) send_blocked_ = false;
  if ((epoll_events & EPOLLIN) != 0) {
    // After the last bytes comes the end of the stream, or an error, of which no further event tells.
    unread_ = (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    read_some();
  } else if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0) {
    over();
  }
}

void Connection::read_some() {
  if (state_ == State::kOpen && !wants_input()) {
    unread_ = true;
    return;
  }
  std::size_t size = limits::kReadBytes;
  const bool direct = tls_ == nullptr && state_ == State::kOpen;
  char* space = direct ? read_space(host_.scratch, limits::kReadBytes, size) : host_.scratch;
  const ssize_t n = recv(fd_, space, size, 0);
  if (n < 0) {
    if (errno == EINTR) {
      unread_ = true;
    } else if (errno != EAGAIN) {
      over();
    }
    return;
  }
  if (static_cast<std::size_t>(n) == size) unread_ = true;  // a full read says nothing about what is left
  if (direct && n > 0) return received(space, static_cast<std::size_t>(n));
  take(space, static_cast<std::size_t>(n));
}

void Connection::take(char* data, std::size_t size) {
  if (state_ == State::kLingering) {
    if (size == 0) over();
  } else if (size == 0) {
    if (tls_ != nullptr && !tls_->established()) return over();
    peer_closed();
  } else if (tls_ != nullptr) {
    take_encrypted(data, size);
  } else {
    take_plain(data, size);
  }
}

void Connection::on_received(char* data, int result, bool last) {
  if (last) {
    receive_ = nullptr;
    cancelling_ = false;
  }
  if (state_ == State::kOver) return;
  touched();  // what is to be received may change with each piece
  if (result < 0) {
    if (result != -ECANCELED && result != -ENOBUFS && result != -EINTR) over();
    return;
  }
  if (state_ == State::kOpen && (!wants_input() || !held_.empty())) {
    if (result == 0) held_end_ = true;
    if (result > 0) held_.append(data, static_cast<std::size_t>(result));
    return;
  }
  take(data, static_cast<std::size_t>(result));
}

/// True if there was something.
bool Connection::take_held() {
  if (state_ != State::kOpen || !wants_input()) return false;
  if (!held_.empty()) {
    std::string held = std::exchange(held_, {});
    take(held.data(), held.size());
    return true;
  }
  if (!held_end_) return false;
  held_end_ = false;
  take(nullptr, 0);
  return true;
}

void Connection::on_sent(int result) {
  sending_ = false;
  if (result < 0 && result != -EAGAIN && result != -EINTR) return over();
  const std::size_t sent = result > 0 ? static_cast<std::size_t>(result) : 0;
  output().consume(sent);
  output().shrink();
  since_us_ = context().now_us;
  if (output().empty()) return;
  send_blocked_ = result != -EINTR;
  touched();
}

/// Bytes that are in a buffer of ours already.
void Connection::take_plain(char* data, std::size_t size) {
  while (size > 0) {
    std::size_t space = 0;
    char* at = read_space(data, size, space);
    const std::size_t n = std::min(size, space);
    if (at != data) std::memcpy(at, data, n);
    received(at, n);
    data += n;
    size -= n;
  }
}

void Connection::take_encrypted(const char* data, std::size_t size) {
  const bool was_established = tls_->established();
  if (!tls_->feed(data, size)) return over();
  while (true) {
    std::size_t count = 0;
    const TlsChannel::Read result = tls_->read(host_.plain, limits::kReadBytes, count);
    if (result == TlsChannel::Read::kData) {
      take_plain(host_.plain, count);
      continue;
    }
    if (result == TlsChannel::Read::kClosed) peer_closed();
    if (result == TlsChannel::Read::kFailed) {
      tls_->take_output(encrypted_);  // the alert that says why
      if (!encrypted_.empty()) send(encrypted_);
      return over();
    }
    break;
  }
  if (!was_established && tls_->established()) since_us_ = context().now_us;
}

void Connection::send(ByteBuffer& out) {
  while (!out.empty() && !send_blocked_) {
    const ssize_t n = ::send(fd_, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    host_.sends.add();
    if (n > 0) {
      out.consume(static_cast<std::size_t>(n));
      since_us_ = context().now_us;
    } else if (errno == EAGAIN) {
      send_blocked_ = true;
      since_us_ = context().now_us;
    } else if (errno != EINTR) {
      return over();
    }
  }
  out.shrink();
}

void Connection::flush() {
  if (tls_ == nullptr) {
    // What is to be done after the answer has been sent cannot wait; the answer alone waits for the others of
    // this round.
    const bool can_wait = uring_ != nullptr && !send_blocked_ && !finished() && wants_input();
    if (can_wait) return send_with_others();
    if (std::exchange(sending_, false)) uring_->forget_send(*this);
    return send(output());
  }
  if (send_blocked_) return;
  // Encrypted only when the last is gone, so that what waits is counted in one place.
  while (!send_blocked_ && state_ != State::kOver) {
    if (encrypted_.empty()) {
      if (tls_->established() && !tls_->write(output().view())) return over();
      if (tls_->established()) output().clear();
      tls_->take_output(encrypted_);
      if (encrypted_.empty()) break;
    }
    send(encrypted_);
  }
  output().shrink();
  beyond_output_ = encrypted_.size();
}

void Connection::send_with_others() {
  if (sending_ || output().empty()) return;
  sending_ = true;
  host_.sends.add();
  uring_->send(fd_, *this);
}

bool Connection::settle() {
  // is_dirty stays until the end, so that what happens in here does not put a connection that may be
  // destroyed right after into the next list; the loop sees to it instead.
  while (state_ == State::kOpen) {
    if (aborted()) return false;
    flush();
    if (finished() && output().empty() && encrypted_.empty()) {
      finish();
    } else if (!resume() && !take_held()) {
      break;
    }
  }
  if (state_ == State::kOver) return false;
  watch();
  is_dirty = false;
  return true;
}

/// All is said. A plain close() while bytes of the peer are unread would reset the connection and could take
/// the last answer with it, so in doubt our side is closed first and the rest read and thrown away (RFC
/// 9112, 9.6).
void Connection::finish() {
  if (tls_ != nullptr && tls_->established()) {
    tls_->shutdown();
    tls_->take_output(encrypted_);
    send(encrypted_);
  }
  int unread = 0;
  if (held_end_) {
    state_ = State::kOver;
    return;
  }
  if (!must_linger() && !refused_ && held_.empty() && (ioctl(fd_, FIONREAD, &unread) != 0 || unread == 0)) {
    state_ = State::kOver;
    return;
  }
  shutdown(fd_, SHUT_WR);
  state_ = State::kLingering;
  since_us_ = context().now_us;
}

void Connection::watch() {
  if (uring_ != nullptr) return watch_with_uring();
  std::uint32_t wanted = send_blocked_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
  if (state_ == State::kLingering || wants_input()) wanted |= kReadable;
  if (wanted == watched_ && !unread_) return;
  watched_ = wanted;
  unread_ = false;
  host_.loop->modify(fd_, wanted | kEdge, this);  // arming anew tells of what is there already
}

void Connection::watch_with_uring() {
  const bool wanted = state_ == State::kLingering || wants_input();
  if (wanted && receive_ == nullptr) receive_ = uring_->receive(fd_, *this);
  if (!wanted && receive_ != nullptr && !cancelling_) {
    cancelling_ = true;
    uring_->cancel(receive_);
  }
  const std::uint32_t writable = send_blocked_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
  if (writable == watched_) return;
  watched_ = writable;
  if (writable == 0) {
    uring_->remove(fd_);
  } else {
    uring_->add(fd_, writable, this);
  }
}

void Connection::start_drain() {
  if (state_ != State::kOpen) return;
  // What the peer has sent and we have not read yet is not lost either.
  if (!finished() && wants_input()) {
    take_held();
    read_some();
  }
  drain();
}

void Connection::check_time() {
  const ServerOptions& options = context().options;
  const Micros waited = context().now_us - since_us_;
  if (state_ == State::kLingering) {
    if (waited >= limits::kLingerTimeout) over();
    return;
  }
  if (send_blocked_ && waited >= options.write_timeout_us) return over();
  if (tls_ != nullptr && !tls_->established()) {
    if (waited >= options.tls_handshake_timeout_us) over();
    return;
  }
  if (state_ == State::kOpen) tick();
}

}  // namespace spillway::http
