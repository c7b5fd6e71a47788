#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sockaddr;

namespace spillway::clients {

/// `HOST`, `HOST:PORT`, `*.DOMAIN`, `*.DOMAIN:PORT`, an IPv4 address or an IPv6 address in brackets; hosts in
/// any case, names without a trailing dot. `*.example.org` stands for every name below example.org, not for
/// itself. Without a port: any port.
class HostPattern {
 public:
  /// Errors: invalid_argument, which says what is wrong with `text`.
  static Result<HostPattern> parse(std::string_view text);

  /// `host`: as in a URL, IPv6 addresses with or without brackets.
  bool matches(std::string_view host, std::uint16_t port) const;
  bool is_address() const { return address_; }

 private:
  std::string host_;  ///< lower case; a wildcard's begins with a dot
  std::uint16_t port_ = 0;
  bool wildcard_ = false;
  bool address_ = false;
};

/// Which hosts may be called, and which of them at addresses that are not public ones (loopback, private,
/// link-local and the like). A name that an attacker controls may resolve to anything at any time, so the
/// second question is asked of each address when it is connected to.
class AddressPolicy {
 public:
  /// Nothing is allowed.
  AddressPolicy() = default;
  /// `allowed`: patterns of hosts at public addresses; an address that is written down there literally may be
  /// of any kind. `allowed_private`: hosts that may be anywhere. Errors: invalid_argument.
  static Result<AddressPolicy> make(const std::vector<std::string>& allowed,
                                    const std::vector<std::string>& allowed_private = {});
  /// Every host, at public addresses only.
  static AddressPolicy any_public();
  /// Every host at any address: for URLs that only the operator and whom he trusts have a say in.
  static AddressPolicy anywhere();

  bool allows_host(std::string_view host, std::uint16_t port) const;
  /// A host that may be anywhere: one of `allowed_private`, or an address that is written down.
  bool allows_inside(std::string_view host, std::uint16_t port) const;
  /// Of an address that `host` resolved to.
  bool allows_address(std::string_view host, std::uint16_t port, const sockaddr& address) const;

 private:
  bool any_ = false;       ///< host
  bool anywhere_ = false;  ///< any host at any address
  std::vector<HostPattern> allowed_;
  std::vector<HostPattern> private_;
};

/// False for what cannot be a server of the public Internet: the special-purpose registries of IANA (RFC
/// 6890), multicast, and IPv6 addresses that lead to an IPv4 one (mapped, NAT64, 6to4, Teredo), which are
/// judged by that one or refused. False for what is neither IPv4 nor IPv6.
bool is_public_address(const sockaddr& address);

/// The address without its port, for people.
std::string address_text(const sockaddr& address);

}  // namespace spillway::clients
