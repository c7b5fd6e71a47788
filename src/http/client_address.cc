#include "http/client_address.h"

#include "base/text.h"

#include <algorithm>

namespace spillway::http {
namespace {

constexpr auto kNone = std::string_view::npos;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == kNone) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Takes the last element off a list. From the right, a quote begins and the next one ends what is quoted: so
/// what a client wrote on the left, quotes left open too, cannot change how the elements of proxies are read.
std::string_view take_last(std::string_view& list, bool quotes) {
  bool quoted = false;
  std::size_t at = list.size();
  while (at > 0 && (quoted || list[at - 1] != ',')) {
    --at;
    if (quotes && list[at] == '"') quoted = !quoted;
  }
  const std::string_view element = trimmed(list.substr(at));
  list = at == 0 ? std::string_view() : list.substr(0, at - 1);
  return element;
}

}  // namespace

bool TrustedProxies::trusts(const IpAddress& address) const {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

std::optional<IpAddress> parse_forwarded_address(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == kNone) return std::nullopt;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
    const std::string_view inside = text.substr(1, end - 1);
    return inside.find(':') == kNone ? std::nullopt : IpAddress::parse(inside);
  }
  const std::size_t colon = text.find(':');
  if (colon != kNone && text.find(':', colon + 1) == kNone) {  // one colon: IPv4 and a port
    if (!is_port(text.substr(colon + 1))) return std::nullopt;
    text = text.substr(0, colon);
  }
  return IpAddress::parse(text);
}

std::optional<IpAddress> parse_forwarded_element(std::string_view element) {
  std::optional<IpAddress> found;
  while (!element.empty()) {
    std::size_t end = 0;
    for (bool quoted = false; end < element.size() && (quoted || element[end] != ';'); ++end) {
      if (element[end] == '"') quoted = !quoted;
    }
    const std::string_view pair = trimmed(element.substr(0, end));
    element.remove_prefix(std::min(element.size(), end + 1));
    const std::size_t equals = pair.find('=');
    if (equals == kNone || !equals_ignoring_case(pair.substr(0, equals), "for")) continue;
    if (found) return std::nullopt;  // two of them: nobody knows which is meant
    std::string_view value = pair.substr(equals + 1);
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    if (quoted) value = value.substr(1, value.size() - 2);
    if (!quoted && value.find(':') != kNone) return std::nullopt;  // no token: RFC 7239, 6 asks for quotes
    if (quoted && value.find(':') != value.rfind(':') && !value.starts_with('[')) return std::nullopt;
    found = parse_forwarded_address(value);
    if (!found) return std::nullopt;
  }
  return found;
}

IpAddress client_address(const Head& head, const IpAddress& peer, const TrustedProxies& proxies) {
  IpAddress client = peer;
  const bool rfc = proxies.header == TrustedProxies::Header::kForwarded;
  const std::string_view name = rfc ? "forwarded" : "x-forwarded-for";
  std::size_t left = limits::kMaxForwardedHops;
  // Several fields of a name are one list, in their order.
  for (std::size_t i = head.field_count; i-- > 0;) {
    const Field& field = head.fields[i];
    if (!equals_ignoring_case(field.name, name)) continue;
    for (std::string_view list = field.value; !list.empty();) {
      if (left-- == 0 || !proxies.trusts(client)) return client;
      const std::string_view element = take_last(list, rfc);
      if (element.empty()) continue;
      const auto said = rfc ? parse_forwarded_element(element) : parse_forwarded_address(element);
      if (!said) return client;
      client = *said;
    }
  }
  return client;
}

}  // namespace spillway::http
