#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"

namespace spillway {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;
constexpr std::size_t kGroupBytes = 8;

/// The first `prefix` bits.
IpAddress::Bytes masked(IpAddress::Bytes bytes, unsigned prefix) {
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned kept = prefix > i * 8 ? std::min(prefix - i * 8, 8U) : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  return bytes;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  Bytes bytes{};
  if (text.find(':') != std::string_view::npos) {
    if (::inet_pton(AF_INET6, terminated, bytes.data()) != 1) return std::nullopt;
    return IpAddress(bytes);
  }
  std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
  if (::inet_pton(AF_INET, terminated, bytes.data() + kMapped.size()) != 1) return std::nullopt;
  return IpAddress(bytes);
}

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN];
  const bool four = is_v4();
  const char* done =
      ::inet_ntop(four ? AF_INET : AF_INET6, bytes_.data() + (four ? kMapped.size() : 0), out, sizeof out);
  CHECK(done != nullptr);
  return out;
}

IpAddress IpAddress::group() const {
  return is_v4() ? *this : IpAddress(masked(bytes_, static_cast<unsigned>(kGroupBytes * 8)));
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return invalid_argument("must be an address or a network, as 10.0.0.0/8 or 2001:db8::/32");
  IpNetwork network;
  network.first_ = *address;
  if (slash == text.size()) return network;
  const bool four = text.find(':') == std::string_view::npos;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), network.prefix_);
  if (failed != std::errc() || end != digits.data() + digits.size() || network.prefix_ > (four ? 32 : 128)) {
    return invalid_argument(four ? "must end in a prefix from /0 to /32"
                                 : "must end in a prefix from /0 to /128");
  }
  if (four) network.prefix_ += kMappedBits;
  if (masked(address->bytes(), network.prefix_) != address->bytes()) {
    const IpAddress meant(masked(address->bytes(), network.prefix_));
    return invalid_argument("has bits beyond its prefix; is " + meant.text() +
                            std::string(text.substr(slash)) + " meant?");
  }
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  return masked(address.bytes(), prefix_) == first_.bytes();
}

}  // namespace spillway
