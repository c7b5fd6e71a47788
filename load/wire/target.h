#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace spillway::load {

/// A server that is loaded: where it is, and what its requests begin with.
struct Target {
  std::string host;       ///< name or address, for TLS
  std::string authority;  ///< what Host says
  std::string prefix;     ///< of every path: "/spillway", or empty
  bool tls = false;
  sockaddr_storage address{};
  socklen_t address_size = 0;

  bool on_loopback() const;  ///< 127.0.0.0/8
};

/// `http://host[:port][/prefix]` or https, its host looked up once. Errors: invalid_argument (what is wrong
/// with the URL), not_found (the host has no address).
Result<Target> resolve_target(std::string_view base_url);

/// The n-th of 127.0.1.1, 127.0.1.2 ... up to 127.0.255.254: addresses to connect from, since one has ports
/// for some 28,000 connections to one server, and finding a free one becomes slow from half of that on.
sockaddr_in loopback_source(std::uint32_t n);
inline constexpr std::uint32_t kLoopbackSources = 60'000;

}  // namespace spillway::load
