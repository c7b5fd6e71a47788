#include "load/wire/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <utility>

namespace spillway::load {
namespace {

bool all_of(std::string_view text, std::string_view also) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && also.find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

}  // namespace

Result<Target> parse_target(std::string_view url) {
  const auto refuse = [url](std::string_view why) {
    return invalid_argument(fmt::format("\"{}\" {}", url.substr(0, kMaxBaseUrlBytes), why));
  };
  if (url.size() > kMaxBaseUrlBytes)
    return invalid_argument(fmt::format("has {} bytes, at most {}", url.size(), kMaxBaseUrlBytes));
  Target target;
  std::string_view rest = url;
  target.tls = rest.starts_with("https://");
  if (!target.tls && !rest.starts_with("http://")) return refuse("must begin with http:// or https://");
  rest.remove_prefix(rest.find("//") + 2);
  const std::size_t slash = rest.find('/');
  // A password would end up in reports and logs.
  if (rest.substr(0, slash).find('@') != std::string_view::npos)
    return invalid_argument("must not have a user or a password in it");
  if (rest.find_first_of("?#") != std::string_view::npos) return refuse("must have no query and no fragment");
  target.authority = rest.substr(0, slash);
  target.prefix = slash == std::string_view::npos ? "" : rest.substr(slash);
  const auto at = split_host_port(target.authority);
  const bool has_port = target.authority.find(':', target.authority.rfind(']') + 1) != std::string::npos;
  if (!at || (has_port && at->port == 0)) return refuse("has no host, or a wrong port");
  if (!all_of(at->host, target.authority.starts_with('[') ? ":." : "-._")) return refuse("has no host");
  target.host = at->host;
  target.port = has_port ? at->port : target.tls ? 443 : 80;
  if (target.prefix.ends_with('/')) return refuse("must not end with a slash");
  if (!target.prefix.empty() && !all_of(target.prefix, "/-._~%!$&'()*+,;=:@"))
    return refuse("has a path that must be escaped");
  return target;
}

Result<Target> resolve_target(std::string_view base_url) {
  auto target = parse_target(base_url);
  if (!target) return invalid_argument("base_url: " + target.error().message);
  auto address = resolve(target->host, target->port);
  if (!address) return not_found(fmt::format("base_url {}: {}", base_url, address.error().message));
  target->address = *address;
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
