#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  bool in_127() const;       ///< 127.0.0.0/8, any address of which may be connected from
  bool is_loopback() const;  ///< the same, or ::1
  std::string text() const;  ///< "127.0.0.1:7001", "[::1]:7001"
};

/// What stands between slashes: a host, and a port unless it is 0 for want of one.
struct HostAndPort {
  std::string host;  ///< without the brackets of an IPv6 address
  std::uint16_t port = 0;
};
/// "HOST", "HOST:PORT", "[ADDRESS]", "[ADDRESS]:PORT". Nothing for any other text.
std::optional<HostAndPort> split_host_port(std::string_view text);

/// The first address of a name or a number. Errors: invalid_argument.
Result<SocketAddress> resolve(const std::string& host, std::uint16_t port);
/// "HOST:PORT", "[ADDRESS]:PORT", looked up. `what`: names it in errors, which are invalid_argument.
Result<SocketAddress> resolve_host_port(const std::string& what, std::string_view text);
/// Takes all the open files that the system gives. Errors: storage_full, when the wanted ones and a few of
/// our own are more; `for_what` says what they are wanted for.
Status want_open_files(std::uint64_t wanted, const std::string& for_what);
/// An IPv4 or IPv6 stream socket that does not block and is not passed on to children.
Fd stream_socket(int family);
/// "open socket: Too many open files", by errno.
Error system_error(const std::string& what, int error_number);

}  // namespace spillway::load
