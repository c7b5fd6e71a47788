#include "load/wire/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <charconv>
#include <cstring>
#include <memory>

namespace spillway::load {

bool Target::on_loopback() const {
  if (address.ss_family != AF_INET) return false;
  sockaddr_in v4{};
  std::memcpy(&v4, &address, sizeof v4);
  return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
}

Result<Target> resolve_target(std::string_view base_url) {
  const auto wrong = [&](std::string_view what) {
    return invalid_argument(fmt::format("base URL {}: {}", base_url, what));
  };
  Target target;
  std::string_view rest = base_url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    target.tls = true;
  } else {
    return wrong("it must begin with http:// or https://");
  }
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    target.prefix = rest.substr(slash);
    while (target.prefix.ends_with('/')) target.prefix.pop_back();
    rest = rest.substr(0, slash);
  }
  target.authority = rest;
  if (base_url.find_first_of("@?# \t\r\n") != std::string_view::npos)
    return wrong("no user, query, fragment or blank");
  std::string port = target.tls ? "443" : "80";
  const std::size_t bracket = rest.rfind(']');
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    port = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    int number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number < 1 || number > 65'535)
      return wrong("the port must be 1 to 65535");
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return wrong("it has no host");
  target.host = rest;

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(target.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return not_found(
        fmt::format("base URL {}: {} has no address: {}", base_url, target.host, gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.address_size = found->ai_addrlen;
  return target;
}

sockaddr_in loopback_source(std::uint32_t n) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  const std::uint32_t third = 1 + (n / 254) % 255, fourth = 1 + n % 254;
  from.sin_addr.s_addr = htonl((127U << 24) | (third << 8) | fourth);
  return from;
}

}  // namespace spillway::load
