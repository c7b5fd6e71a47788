#include "load/agents/frame_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
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

}  // namespace spillway::load
