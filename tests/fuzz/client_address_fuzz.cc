// The walk over X-Forwarded-For and Forwarded. The input is the value of a header as a client and proxies of
// ours made it. Properties: it never crashes; a stranger's word changes nothing; what a client writes never
// counts, whatever it is, when a trusted proxy appends the address that it saw; an address that is believed
// can be told and read again.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/client_address.h"

namespace {

using namespace spillway;
using namespace spillway::http;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "property violated: %s\n", what);
  std::abort();
}

TrustedProxies trusting_ten(TrustedProxies::Header header) {
  TrustedProxies proxies;
  proxies.networks.push_back(*IpNetwork::parse("10.0.0.0/8"));
  proxies.header = header;
  return proxies;
}

IpAddress client_of(std::string_view name, std::string_view value, const IpAddress& peer,
                    const TrustedProxies& proxies) {
  Head head;
  head.fields[0] = {name, value};
  head.field_count = 1;
  return client_address(head, peer, proxies);
}

void check(std::string_view name, const std::string& made_up, const std::string& seen,
           const TrustedProxies& proxies) {
  static const IpAddress kProxy = *IpAddress::parse("10.0.0.1");
  static const IpAddress kStranger = *IpAddress::parse("192.0.2.1");
  static const IpAddress kSeen = *IpAddress::parse("198.51.100.7");
  const IpAddress told = client_of(name, made_up, kProxy, proxies);
  const auto again = IpAddress::parse(told.text());
  require(again && *again == told, "an address is told as it is read");
  require(client_of(name, made_up, kStranger, proxies) == kStranger, "a stranger's word changes nothing");
  const std::string appended = made_up.empty() ? seen : made_up + ", " + seen;
  require(client_of(name, appended, kProxy, proxies) == kSeen,
          "what a proxy appends counts, not what is before it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TrustedProxies kPlain = trusting_ten(TrustedProxies::Header::kXForwardedFor);
  static const TrustedProxies kRfc = trusting_ten(TrustedProxies::Header::kForwarded);
  const std::string value(reinterpret_cast<const char*>(data), size);
  check("X-Forwarded-For", value, "198.51.100.7", kPlain);
  check("Forwarded", value, "for=198.51.100.7;proto=https", kRfc);
  check("Forwarded", value, "proto=https;for=\"198.51.100.7:4711\"", kRfc);
  return 0;
}
