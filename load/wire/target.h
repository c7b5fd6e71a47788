#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/wire/socket.h"

namespace spillway::load {

/// A server that is loaded: where it is, and what its requests begin with.
struct Target {
  std::string host;       ///< name or address, for TLS
  std::string authority;  ///< what Host says
  std::string prefix;     ///< of every path: "/spillway", or empty
  bool tls = false;
  std::uint16_t port = 0;
  SocketAddress address;  ///< of parse_target(): none
};

inline constexpr std::size_t kMaxBaseUrlBytes = 1'024;

/// `http://host[:port][/prefix]` or https, without a slash at its end, user, query or fragment. Errors:
/// invalid_argument.
Result<Target> parse_target(std::string_view base_url);
/// The same, and its host is looked up. Errors: those; not_found (the host has no address).
Result<Target> resolve_target(std::string_view base_url);

/// The n-th of 127.0.1.1, 127.0.1.2 ... up to 127.0.255.254: addresses to connect from, since one has ports
/// for some 28,000 connections to one server, and finding a free one becomes slow from half of that on.
sockaddr_in loopback_source(std::uint32_t n);
inline constexpr std::uint32_t kLoopbackSources = 60'000;

}  // namespace spillway::load
