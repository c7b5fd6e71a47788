#include "load/wire/target.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace spillway::load {
namespace {

TEST(Target, TakesHostsPortsAndPrefixes) {
  const auto plain = resolve_target("http://127.0.0.1:8080");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->authority, "127.0.0.1:8080");
  EXPECT_EQ(plain->prefix, "");
  EXPECT_FALSE(plain->tls);
  EXPECT_TRUE(plain->address.in_127());
  const auto tls = resolve_target("https://[::1]/spillway");
  ASSERT_TRUE(tls);
  EXPECT_TRUE(tls->tls);
  EXPECT_EQ(tls->address.port(), 443);
  EXPECT_TRUE(tls->address.is_loopback());
  EXPECT_EQ(tls->host, "::1");
  EXPECT_EQ(tls->prefix, "/spillway");
  EXPECT_FALSE(tls->address.in_127());
}

TEST(Target, SaysWhatIsWrong) {
  for (const char* url : {"", "127.0.0.1", "ftp://x", "http://", "http://:80", "http://a:0", "http://a:70000",
                          "http://a:x", "http://a/?x", "http://a/#x", "http://a b"}) {
    const auto target = resolve_target(url);
    ASSERT_FALSE(target) << url;
    EXPECT_NE(target.error().message.find(url), std::string::npos) << target.error().message;
  }
}

TEST(Target, HasAnAddressToConnectFromForEachNumber) {
  std::set<std::uint32_t> seen;
  for (std::uint32_t n = 0; n < kLoopbackSources; ++n) {
    const std::uint32_t address = ntohl(loopback_source(n).sin_addr.s_addr);
    EXPECT_EQ(address >> 24, 127U);
    EXPECT_NE(address & 0xff, 0U);
    EXPECT_NE(address & 0xff, 255U);
    EXPECT_TRUE(seen.insert(address).second) << n;
  }
}

}  // namespace
}  // namespace spillway::load
