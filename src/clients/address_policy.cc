#include "clients/address_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace spillway::clients {
namespace {

struct Network4 {
  std::uint32_t base;
  int bits;
};
constexpr std::uint32_t ip4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}
// https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
constexpr std::array kNotPublic4 = {
    Network4{ip4(0, 0, 0, 0), 8},      Network4{ip4(10, 0, 0, 0), 8},     Network4{ip4(100, 64, 0, 0), 10},
    Network4{ip4(127, 0, 0, 0), 8},    Network4{ip4(169, 254, 0, 0), 16}, Network4{ip4(172, 16, 0, 0), 12},
    Network4{ip4(192, 0, 0, 0), 24},   Network4{ip4(192, 0, 2, 0), 24},   Network4{ip4(192, 88, 99, 0), 24},
    Network4{ip4(192, 168, 0, 0), 16}, Network4{ip4(198, 18, 0, 0), 15},  Network4{ip4(198, 51, 100, 0), 24},
    Network4{ip4(203, 0, 113, 0), 24}, Network4{ip4(224, 0, 0, 0), 4},    Network4{ip4(240, 0, 0, 0), 4},
};

bool is_public4(std::uint32_t address) {
  return std::none_of(kNotPublic4.begin(), kNotPublic4.end(), [address](const Network4& net) {
    return (address >> (32 - net.bits)) == (net.base >> (32 - net.bits));
  });
}

std::uint32_t word(const unsigned char* bytes) { return ip4(bytes[0], bytes[1], bytes[2], bytes[3]); }

bool is_public6(const unsigned char* bytes) {
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr unsigned char kNat64[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(bytes, kMapped, 12) == 0 || std::memcmp(bytes, kNat64, 12) == 0)
    return is_public4(word(bytes + 12));
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_public4(word(bytes + 2));  // 6to4
  // Only 2000::/3 is given out to networks; of that not 2001::/23 (Teredo, ORCHID, benchmarks) and the
  // documentation's 2001:db8::/32 and 3fff::/20.
  if ((bytes[0] & 0xe0) != 0x20) return false;
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && (bytes[2] & 0xfe) == 0) return false;
  if (word(bytes) == 0x20010db8) return false;
  return !(bytes[0] == 0x3f && bytes[1] == 0xff && (bytes[2] & 0xf0) == 0);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// An IPv6 address in the one way that inet_ntop writes it; what is none as it is.
std::string canonical(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  std::string text = lower(host);
  in6_addr six{};
  if (inet_pton(AF_INET6, text.c_str(), &six) == 1) {
    char out[INET6_ADDRSTRLEN];
    return inet_ntop(AF_INET6, &six, out, sizeof out);
  }
  if (text.size() > 1 && text.back() == '.') text.pop_back();
  return text;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '.' || text.front() == '-') return false;
  if (text.find("..") != std::string_view::npos) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string_view::npos;
}

Error wrong(std::string_view text, std::string_view why) {
  return invalid_argument("\"" + std::string(text) + "\": " + std::string(why));
}

}  // namespace

Result<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern pattern;
  std::string_view host = text;
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pattern.port_);
    if (error != std::errc() || end != digits.data() + digits.size() || pattern.port_ == 0)
      return wrong(text, "after the colon stands a port from 1 to 65535; IPv6 addresses stand in brackets");
  }
  if (host.starts_with("*.")) {
    pattern.wildcard_ = true;
    host.remove_prefix(2);
  }
  const bool brackets = host.starts_with('[');
  pattern.host_ = canonical(host);
  in_addr four{};
  in6_addr six{};
  const bool is4 = inet_pton(AF_INET, pattern.host_.c_str(), &four) == 1;
  const bool is6 = inet_pton(AF_INET6, pattern.host_.c_str(), &six) == 1;
  if (is6 != brackets) return wrong(text, "IPv6 addresses, and only they, stand in brackets");
  pattern.address_ = is4 || is6;
  if (pattern.wildcard_ && pattern.address_) return wrong(text, "an address has no domains below it");
  if (!pattern.address_ && !is_name(pattern.host_)) return wrong(text, "not HOST, HOST:PORT or *.DOMAIN");
  if (pattern.wildcard_) pattern.host_.insert(pattern.host_.begin(), '.');
  return pattern;
}

bool HostPattern::matches(std::string_view host, std::uint16_t port) const {
  if (port_ != 0 && port_ != port) return false;
  const std::string asked = canonical(host);
  return wildcard_ ? asked.size() > host_.size() && asked.ends_with(host_) : asked == host_;
}

Result<AddressPolicy> AddressPolicy::make(const std::vector<std::string>& allowed,
                                          const std::vector<std::string>& allowed_private) {
  AddressPolicy policy;
  for (const auto* list : {&allowed, &allowed_private}) {
    for (const std::string& text : *list) {
      auto pattern = HostPattern::parse(text);
      if (!pattern.ok()) return std::move(pattern).error();
      const bool anywhere = list == &allowed_private || pattern->is_address();
      (anywhere ? policy.private_ : policy.allowed_).push_back(*std::move(pattern));
    }
  }
  return policy;
}

AddressPolicy AddressPolicy::any_public() {
  AddressPolicy policy;
  policy.any_ = true;
  return policy;
}

AddressPolicy AddressPolicy::anywhere() {
  AddressPolicy policy = any_public();
  policy.anywhere_ = true;
  return policy;
}

bool AddressPolicy::allows_host(std::string_view host, std::uint16_t port) const {
  const auto fits = [&](const HostPattern& pattern) { return pattern.matches(host, port); };
  return any_ || std::any_of(allowed_.begin(), allowed_.end(), fits) ||
         std::any_of(private_.begin(), private_.end(), fits);
}

bool AddressPolicy::allows_inside(std::string_view host, std::uint16_t port) const {
  return anywhere_ || std::any_of(private_.begin(), private_.end(),
                                  [&](const HostPattern& pattern) { return pattern.matches(host, port); });
}

bool AddressPolicy::allows_address(std::string_view host, std::uint16_t port, const sockaddr& address) const {
  if (allows_inside(host, port)) return true;
  return is_public_address(address) && allows_host(host, port);
}

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return is_public4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  if (address.sa_family == AF_INET6)
    return is_public6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
  return false;
}

std::string address_text(const sockaddr& address) {
  char out[INET6_ADDRSTRLEN] = "?";
  if (address.sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, out, sizeof out);
  else if (address.sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, out, sizeof out);
  return out;
}

}  // namespace spillway::clients
