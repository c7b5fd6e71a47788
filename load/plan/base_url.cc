#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <string_view>

#include "load/plan/plan_limits.h"
#include "load/plan/plan_parse.h"

namespace spillway::load {
namespace {

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool all_of(std::string_view text, std::string_view also) {
  for (const char c : text)
    if (!letter_or_digit(c) && also.find(c) == std::string_view::npos) return false;
  return !text.empty();
}

bool is_port(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535 &&
         text.size() <= 5;
}

}  // namespace

Status check_base_url(const std::string& url) {
  const auto refuse = [&url](std::string_view why) {
    return invalid_argument(fmt::format("\"{}\" {}", url.substr(0, limits::kMaxUrlBytes), why));
  };
  if (url.size() > limits::kMaxUrlBytes)
    return invalid_argument(fmt::format("has {} bytes, at most {}", url.size(), limits::kMaxUrlBytes));
  std::string_view rest = url;
  if (rest.starts_with("http://"))
    rest.remove_prefix(7);
  else if (rest.starts_with("https://"))
    rest.remove_prefix(8);
  else
    return refuse("must begin with http:// or https://");
  // A password would end up in reports and logs.
  if (rest.substr(0, rest.find('/')).find('@') != std::string_view::npos)
    return invalid_argument("must not have a user or a password in it");
  if (rest.find_first_of("?#") != std::string_view::npos) return refuse("must have no query and no fragment");
  const std::string_view path = rest.find('/') == std::string_view::npos ? "" : rest.substr(rest.find('/'));
  rest.remove_suffix(path.size());
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos || !all_of(rest.substr(1, end - 1), ":.")) return refuse("has no host");
    port = rest.substr(end + 1);
  } else {
    const std::size_t colon = rest.find(':');
    if (!all_of(rest.substr(0, colon), "-._")) return refuse("has no host");
    port = colon == std::string_view::npos ? "" : rest.substr(colon);
  }
  if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) return refuse("has a wrong port");
  if (path.ends_with('/')) return refuse("must not end with a slash");
  if (!path.empty() && !all_of(path, "/-._~%!$&'()*+,;=:@")) return refuse("has a path that must be escaped");
  return Ok{};
}

}  // namespace spillway::load
