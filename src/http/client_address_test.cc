#include "http/client_address.h"

#include <gtest/gtest.h>

namespace spillway::http {
namespace {

using Header = TrustedProxies::Header;

TrustedProxies trusting(std::vector<std::string_view> networks, Header header) {
  TrustedProxies proxies;
  for (const auto network : networks) proxies.networks.push_back(*IpNetwork::parse(network));
  proxies.header = header;
  return proxies;
}

/// `fields`: whole lines without their ends.
std::string client(const TrustedProxies& proxies, std::string_view peer,
                   const std::vector<std::string>& fields) {
  std::string block = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& field : fields) block.append(field).append("\r\n");
  block.append("\r\n");
  Head head;
  EXPECT_EQ(parse_head(block, head), nullptr) << block;
  return client_address(head, *IpAddress::parse(peer), proxies).text();
}

TEST(ClientAddress, OverXForwardedFor) {
  const auto proxies = trusting({"10.0.0.0/8", "fd00::/8"}, Header::kXForwardedFor);
  const struct {
    const char* what;
    const char* peer;
    std::vector<std::string> fields;
    const char* client;
  } rows[] = {
      {"no header", "10.0.0.1", {}, "10.0.0.1"},
      {"a stranger's word", "192.0.2.1", {"X-Forwarded-For: 198.51.100.7"}, "192.0.2.1"},
      {"one proxy", "10.0.0.1", {"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
      {"any case", "10.0.0.1", {"x-FORWARDED-for: 198.51.100.7"}, "198.51.100.7"},
      {"what the client made up is left of it",
       "10.0.0.1",
       {"X-Forwarded-For: 203.0.113.9, 198.51.100.7"},
       "198.51.100.7"},
      {"two proxies", "10.0.0.1", {"X-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
      {"two fields are one list",
       "10.0.0.1",
       {"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.7"},
       "198.51.100.7"},
      {"the second of them trusted",
       "10.0.0.1",
       {"X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 10.0.0.9"},
       "198.51.100.7"},
      {"all are trusted: the first", "10.0.0.1", {"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
      {"garbage ends the walk", "10.0.0.1", {"X-Forwarded-For: 198.51.100.7, garbage"}, "10.0.0.1"},
      {"garbage behind a proxy", "10.0.0.1", {"X-Forwarded-For: 198.51.100.7, ???, 10.0.0.2"}, "10.0.0.2"},
      {"unknown", "10.0.0.1", {"X-Forwarded-For: unknown"}, "10.0.0.1"},
      {"empty elements are none", "10.0.0.1", {"X-Forwarded-For: , 198.51.100.7 ,, "}, "198.51.100.7"},
      {"empty", "10.0.0.1", {"X-Forwarded-For: "}, "10.0.0.1"},
      {"commas", "10.0.0.1", {"X-Forwarded-For: ,,,"}, "10.0.0.1"},
      {"a port", "10.0.0.1", {"X-Forwarded-For: 198.51.100.7:4711"}, "198.51.100.7"},
      {"no port", "10.0.0.1", {"X-Forwarded-For: 198.51.100.7:http"}, "10.0.0.1"},
      {"IPv6", "fd00::1", {"X-Forwarded-For: 2001:db8::7"}, "2001:db8::7"},
      {"IPv6 in brackets", "fd00::1", {"X-Forwarded-For: [2001:db8::7]"}, "2001:db8::7"},
      {"IPv6 and a port", "fd00::1", {"X-Forwarded-For: [2001:db8::7]:443"}, "2001:db8::7"},
      {"a bracket left open", "fd00::1", {"X-Forwarded-For: [2001:db8::7"}, "fd00::1"},
      {"IPv4 in brackets", "10.0.0.1", {"X-Forwarded-For: [198.51.100.7]"}, "10.0.0.1"},
      {"mapped IPv4", "::ffff:10.0.0.1", {"X-Forwarded-For: ::ffff:198.51.100.7"}, "198.51.100.7"},
      {"a quote changes nothing", "10.0.0.1", {"X-Forwarded-For: \"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
      {"the other header is the client's", "10.0.0.1", {"Forwarded: for=203.0.113.9"}, "10.0.0.1"},
      {"a name and not an address", "10.0.0.1", {"X-Forwarded-For: localhost"}, "10.0.0.1"},
      {"numbers too large", "10.0.0.1", {"X-Forwarded-For: 300.1.1.1"}, "10.0.0.1"},
  };
  for (const auto& row : rows) EXPECT_EQ(client(proxies, row.peer, row.fields), row.client) << row.what;
}

TEST(ClientAddress, OverForwarded) {
  const auto proxies = trusting({"10.0.0.0/8"}, Header::kForwarded);
  const struct {
    const char* what;
    const char* forwarded;
    const char* client;
  } rows[] = {
      {"plain", "for=198.51.100.7", "198.51.100.7"},
      {"in any case, with others", "proto=https;For=198.51.100.7;by=10.0.0.1", "198.51.100.7"},
      {"quoted with a port", "for=\"198.51.100.7:4711\"", "198.51.100.7"},
      {"IPv6", "for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
      {"IPv6 without quotes is none", "for=[2001:db8:cafe::17]", "10.0.0.1"},
      {"IPv6 without brackets is none", "for=\"2001:db8:cafe::17\"", "10.0.0.1"},
      {"two elements", "for=203.0.113.9, for=198.51.100.7", "198.51.100.7"},
      {"over a trusted one", "for=203.0.113.9, for=198.51.100.7;proto=http, for=10.0.0.2", "198.51.100.7"},
      {"a comma in quotes", "for=203.0.113.9, for=198.51.100.7;secret=\"a, for=1.1.1.1\"", "198.51.100.7"},
      {"a semicolon in quotes", "x=\";for=1.1.1.1;\";for=198.51.100.7", "198.51.100.7"},
      {"the client leaves a quote open", "for=\"203.0.113.9, for=198.51.100.7", "198.51.100.7"},
      {"or escapes one", "for=\"\\\", for=198.51.100.7", "198.51.100.7"},
      {"unknown", "for=203.0.113.9, for=unknown", "10.0.0.1"},
      {"hidden", "for=203.0.113.9, for=_gazonk", "10.0.0.1"},
      {"for twice", "for=203.0.113.9;for=198.51.100.7", "10.0.0.1"},
      {"no for", "proto=https", "10.0.0.1"},
      {"a quote alone", "\"", "10.0.0.1"},
      {"nothing after for", "for=", "10.0.0.1"},
      {"X-Forwarded-For's way", "198.51.100.7", "10.0.0.1"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(client(proxies, "10.0.0.1", {std::string("Forwarded: ") + row.forwarded}), row.client)
        << row.what;
  }
  EXPECT_EQ(client(proxies, "10.0.0.1", {"X-Forwarded-For: 203.0.113.9"}), "10.0.0.1");
  EXPECT_EQ(client(proxies, "192.0.2.1", {"Forwarded: for=203.0.113.9"}), "192.0.2.1");
}

TEST(ClientAddress, TheWalkIsBounded) {
  const auto proxies = trusting({"10.0.0.0/8"}, Header::kXForwardedFor);
  std::string list = "198.51.100.7";
  for (std::size_t i = 0; i < limits::kMaxForwardedHops - 1; ++i)
    list += ",10.0.0." + std::to_string(100 + i);
  EXPECT_EQ(client(proxies, "10.0.0.1", {"X-Forwarded-For: " + list}), "198.51.100.7");
  EXPECT_EQ(client(proxies, "10.0.0.1", {"X-Forwarded-For: " + list + ",10.0.0.2"}), "10.0.0.100");
}

TEST(ClientAddress, NobodyIsTrustedUnlessSaid) {
  EXPECT_EQ(client({}, "127.0.0.1", {"X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1"}), "127.0.0.1");
}

}  // namespace
}  // namespace spillway::http
