#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpAddress());
}

TEST(IpAddress, OneSpellingForEach) {
  const struct {
    const char* given;
    const char* told;
  } rows[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"::ffff:c000:201", "192.0.2.1"},
      {"2001:DB8::0:1", "2001:db8::1"},
      {"::1", "::1"},
      {"::", "::"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
  };
  for (const auto& row : rows) EXPECT_EQ(address(row.given).text(), row.told) << row.given;
  EXPECT_EQ(address("::ffff:10.0.0.1"), address("10.0.0.1"));
  EXPECT_TRUE(address("10.0.0.1").is_v4());
  EXPECT_FALSE(address("::1").is_v4());
}

TEST(IpAddress, WhatIsNone) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4:80", "[::1]",
                           "::1%eth0", "unknown", "_hidden", "1.2.3.4 ", " 1.2.3.4", "12345::", ":",
                           "1::2::3", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddress, AGroupIsAnIpv4AddressOrHalfOfAnIpv6One) {
  EXPECT_EQ(address("192.0.2.1").group(), address("192.0.2.1"));
  EXPECT_NE(address("192.0.2.1").group(), address("192.0.2.2").group());
  EXPECT_EQ(address("2001:db8:1:2::7").group(), address("2001:db8:1:2:ffff:ffff:ffff:ffff").group());
  EXPECT_NE(address("2001:db8:1:2::7").group(), address("2001:db8:1:3::7").group());
  EXPECT_EQ(address("2001:db8:1:2::7").group().text(), "2001:db8:1:2::");
}

TEST(IpNetwork, Contains) {
  const struct {
    const char* network;
    const char* inside;
    const char* outside;
  } rows[] = {
      {"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
      {"10.0.0.0/8", "::ffff:10.1.2.3", "a00::"},
      {"192.0.2.128/25", "192.0.2.129", "192.0.2.127"},
      {"192.0.2.7", "192.0.2.7", "192.0.2.8"},
      {"0.0.0.0/0", "8.8.8.8", "2001:db8::1"},
      {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
      {"::1", "::1", "::2"},
      {"fd00::/8", "fdff::1", "fe00::1"},
  };
  for (const auto& row : rows) {
    const auto network = IpNetwork::parse(row.network);
    ASSERT_TRUE(network.ok()) << row.network;
    EXPECT_TRUE(network->contains(address(row.inside))) << row.network << " " << row.inside;
    EXPECT_FALSE(network->contains(address(row.outside))) << row.network << " " << row.outside;
  }
}

TEST(IpNetwork, RefusalsSayWhy) {
  const struct {
    const char* given;
    const char* expected;
  } rows[] = {
      {"", "must be an address"},    {"ten", "must be an address"},       {"10.0.0.0/33", "/0 to /32"},
      {"10.0.0.0/", "/0 to /32"},    {"10.0.0.0/-1", "/0 to /32"},        {"::/129", "/0 to /128"},
      {"10.0.0.1/8", "10.0.0.0/8"},  {"2001:db8::1/64", "2001:db8::/64"}, {"/8", "must be an address"},
      {"10.0.0.0/8/8", "/0 to /32"},
  };
  for (const auto& row : rows) {
    const auto network = IpNetwork::parse(row.given);
    ASSERT_FALSE(network.ok()) << row.given;
    EXPECT_NE(network.error().message.find(row.expected), std::string::npos) << network.error().message;
  }
}

}  // namespace
}  // namespace spillway
