#include "load/agents/frame_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace spillway::load {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;  // at once, then others have their turn
constexpr std::size_t kKeptBytes = 1 << 20;    // of what was sent

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

FrameSocket::FrameSocket(Fd socket, std::size_t most_frame_bytes)
    : socket_(std::move(socket)), reader_(most_frame_bytes) {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Status FrameSocket::flush() {
  while (unsent() > 0) {
    const ssize_t taken = ::send(socket_.get(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (taken < 0 && would_block()) break;
    if (taken < 0) return system_error("the connection broke", errno);
    sent_ += static_cast<std::size_t>(taken);
  }
  if (unsent() == 0 || sent_ > kKeptBytes) out_.erase(0, std::exchange(sent_, 0));
  return Ok{};
}

Status FrameSocket::receive() {
  thread_local std::string buffer(kReadBytes, '\0');
  const ssize_t came = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (came < 0 && !would_block()) return system_error("the connection broke", errno);
  if (came == 0) ended_ = true;
  if (came > 0) reader_.add({buffer.data(), static_cast<std::size_t>(came)});
  return Ok{};
}

Result<SocketAddress> parse_host_port(const std::string& what, std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  bool good =
      colon != std::string_view::npos && !host.empty() && (in_brackets || host.find(':') == host.npos);
  if (good) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    good = error == std::errc{} && end == digits.data() + digits.size();
  }
  if (!good) return invalid_argument(fmt::format("{} {}: must be HOST:PORT", what, text));
  auto address = resolve(std::string(host), port);
  if (!address) return invalid_argument(fmt::format("{} {}: {}", what, text, address.error().message));
  return address;
}

std::string address_text(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, address.port());
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
  ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, address.port());
}

bool is_loopback(const SocketAddress& address) {
  if (address.family() != AF_INET6) return address.loopback();
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

}  // namespace spillway::load
