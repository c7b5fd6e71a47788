#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway {

/// An IPv4 or IPv6 address. IPv4 is kept in its mapped form (::ffff:a.b.c.d), so that a peer has one spelling
/// whatever socket it came by.
class IpAddress {
 public:
  using Bytes = std::array<std::uint8_t, 16>;

  IpAddress() = default;  ///< "::", which nobody has
  /// An address alone: no port, no brackets, no zone.
  static std::optional<IpAddress> parse(std::string_view text);

  const Bytes& bytes() const { return bytes_; }
  bool is_v4() const;
  std::string text() const;  ///< "192.0.2.1", "2001:db8::1"

  /// What is counted as one: an IPv4 address, or the first 64 bits of an IPv6 address (the rest are zeros),
  /// which is what one host or household is given and may choose from freely.
  IpAddress group() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  explicit IpAddress(const Bytes& bytes) : bytes_(bytes) {}
  friend class IpNetwork;
  Bytes bytes_{};
};

/// "10.0.0.0/8", "2001:db8::/32"; an address alone is a network of one.
class IpNetwork {
 public:
  /// Errors: invalid_argument, a sentence without the name of what was given.
  static Result<IpNetwork> parse(std::string_view text);
  bool contains(const IpAddress&) const;

 private:
  IpAddress first_;
  unsigned prefix_ = 128;  ///< bits of the mapped form
};

}  // namespace spillway
