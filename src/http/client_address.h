#pragma once

#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "http/head.h"

namespace spillway::http {

/// Whose word counts about where a request comes from.
struct TrustedProxies {
  /// The one header that they write. The other one is whatever the client sent, so it is never looked at.
  enum class Header : std::uint8_t { kXForwardedFor, kForwarded };

  std::vector<IpNetwork> networks;
  Header header = Header::kXForwardedFor;

  bool trusts(const IpAddress&) const;
};

/// The client's address of a request from `peer`: the peer itself, or, if that is a trusted proxy, who it
/// says it got the request from, and so on from the right to the left as long as the one that speaks is
/// trusted. What is no address (garbage, "unknown", "_hidden") ends the walk at the one that said it, since
/// all to the left of it may be made up. Looks at no more than limits::kMaxForwardedHops elements. Does not
/// allocate.
IpAddress client_address(const Head&, const IpAddress& peer, const TrustedProxies&);

/// The address in one element of X-Forwarded-For: alone or with a port, IPv6 with brackets or without.
std::optional<IpAddress> parse_forwarded_address(std::string_view text);
/// The address in the `for` of one element of Forwarded (RFC 7239).
std::optional<IpAddress> parse_forwarded_element(std::string_view element);

}  // namespace spillway::http
