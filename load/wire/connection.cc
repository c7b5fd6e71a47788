#include "load/wire/connection.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

bool is_ours(int error) {
  return error == EADDRNOTAVAIL || error == EADDRINUSE || error == EMFILE || error == ENFILE ||
         error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Result<std::shared_ptr<TlsSettings>> TlsSettings::make(const std::string& ca_file, bool verify) {
  std::shared_ptr<TlsSettings> made(new TlsSettings);
  made->context_ = SSL_CTX_new(TLS_client_method());
  if (made->context_ == nullptr) return Error{ErrorCode::kInternal, "OpenSSL has no TLS client"};
  SSL_CTX_set_mode(made->context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(made->context_, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  const int loaded = ca_file.empty()
                         ? SSL_CTX_set_default_verify_paths(made->context_)
                         : SSL_CTX_load_verify_locations(made->context_, ca_file.c_str(), nullptr);
  if (loaded != 1) {
    ERR_clear_error();
    return invalid_argument(fmt::format("--ca-file {}: no certificates can be read from it", ca_file));
  }
  return made;
}

TlsSettings::~TlsSettings() { SSL_CTX_free(context_); }

void Connection::open(int epoll, const Target& target, const sockaddr_in* source, TlsSettings* tls,
                      void* tag) {
  close();
  failure_ = Failure::kNone;
  fd_ = ::socket(target.address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return fail(Failure::kLocal);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (source != nullptr) {
    // The port is chosen when it connects: then it need be free towards that server alone.
    ::setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(source), sizeof *source) != 0)
      return fail(Failure::kLocal);
  }
  if (::connect(fd_, target.address.get(), target.address.size) != 0 && errno != EINPROGRESS) {
    return fail(is_ours(errno) ? Failure::kLocal : Failure::kRefused);
  }
  epoll_event want{};
  want.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  want.data.ptr = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &want) != 0) return fail(Failure::kLocal);
  state_ = State::kConnecting;
  if (target.tls) {
    tls_ = SSL_new(tls->context());
    if (tls_ == nullptr || SSL_set_fd(tls_, fd_) != 1) return fail(Failure::kLocal);
    SSL_set_tlsext_host_name(tls_, target.host.c_str());
    SSL_set1_host(tls_, target.host.c_str());
    SSL_set_connect_state(tls_);
  }
}

void Connection::advance() {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(is_ours(error) ? Failure::kLocal : Failure::kRefused);
    tcp_info info{};
    size = sizeof info;
    if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_SYN_SENT)
      return;
    connected_ns_ = steady_ns();
    state_ = tls_ == nullptr ? State::kOpen : State::kHandshaking;
  }
  if (state_ == State::kHandshaking) shake_hands();
}

void Connection::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(tls_);
  if (done == 1) {
    state_ = State::kOpen;
    return;
  }
  const int why = SSL_get_error(tls_, done);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) fail(Failure::kTls);
}

std::ptrdiff_t Connection::send(std::string_view bytes) {
  if (tls_ != nullptr) {
    ERR_clear_error();
    const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
    const int took = SSL_write(tls_, bytes.data(), size);
    if (took > 0) return took;
    const int why = SSL_get_error(tls_, took);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
    fail(Failure::kReset);
    return -1;
  }
  const ssize_t took = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (took >= 0) return took;
  if (errno == EAGAIN || errno == EINTR) return 0;
  fail(Failure::kReset);
  return -1;
}

std::ptrdiff_t Connection::receive(char* into, std::size_t size) {
  if (tls_ != nullptr) {
    ERR_clear_error();
    const int got = SSL_read(tls_, into, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (got > 0) return got;
    const int why = SSL_get_error(tls_, got);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
    fail(Failure::kReset);
    return -1;
  }
  for (;;) {
    const ssize_t got = ::recv(fd_, into, size, 0);
    if (got > 0) return got;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return 0;
    fail(Failure::kReset);
    return -1;
  }
}

void Connection::fail(Failure why) {
  close();
  failure_ = why;
}

void Connection::close() {
  SSL_free(tls_);  // nothing when null
  tls_ = nullptr;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  state_ = State::kClosed;
}

}  // namespace spillway::load
