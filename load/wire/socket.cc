#include "load/wire/socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <charconv>
#include <cstring>
#include <system_error>

namespace spillway::load {
namespace {

constexpr std::uint64_t kFilesOfOurOwn = 64;

}  // namespace

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

bool SocketAddress::in_127() const {
  return family() == AF_INET &&
         ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24 == 127;
}

bool SocketAddress::is_loopback() const {
  if (family() != AF_INET6) return in_127();
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

std::string SocketAddress::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, port());
  }
  ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, port());
}

std::optional<HostAndPort> split_host_port(std::string_view text) {
  HostAndPort found;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    found.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    found.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (found.host.empty()) return std::nullopt;
  if (port.empty()) return found;
  const char* end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data() + 1, end, found.port);
  if (port.front() != ':' || error != std::errc{} || stop != end) return std::nullopt;
  return found;
}

Result<SocketAddress> resolve(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (failed != 0) return invalid_argument(fmt::format("{}: {}", host, ::gai_strerror(failed)));
  SocketAddress address;
  address.size = found->ai_addrlen;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return address;
}

Result<SocketAddress> resolve_host_port(const std::string& what, std::string_view text) {
  const auto parts = split_host_port(text);
  if (!parts || text.ends_with(']') || text.find(':') == std::string_view::npos)
    return invalid_argument(fmt::format("{} {}: must be HOST:PORT", what, text));
  auto address = resolve(parts->host, parts->port);
  if (!address) return invalid_argument(fmt::format("{} {}: {}", what, text, address.error().message));
  return address;
}

Status want_open_files(std::uint64_t wanted, const std::string& for_what) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (wanted + kFilesOfOurOwn <= files.rlim_max) return Ok{};
  return Error{
      ErrorCode::kStorageFull,
      fmt::format("{} open files are wanted for {}, and the system allows {}: see ulimit -Hn, or --vus",
                  wanted, for_what, files.rlim_max)};
}

Fd stream_socket(int family) { return Fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

Error system_error(const std::string& what, int error_number) {
  return {ErrorCode::kInternal,
          fmt::format("{}: {}", what, std::error_code(error_number, std::generic_category()).message())};
}

}  // namespace spillway::load
