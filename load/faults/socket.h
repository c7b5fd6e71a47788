#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace spillway::load {

/// Closes what it holds.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  std::uint16_t port() const;
  bool loopback() const;  ///< IPv4: 127/8
};

/// The first address of a name or a number. Errors: invalid_argument.
Result<SocketAddress> resolve(const std::string& host, std::uint16_t port);
/// An IPv4 or IPv6 stream socket that does not block and is not passed on to children.
Fd stream_socket(int family);
/// "open socket: Too many open files", by errno.
Error system_error(const std::string& what, int error_number);

}  // namespace spillway::load
