#include "clients/address_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "clients/http_client.h"

namespace spillway::clients {
namespace {

sockaddr_storage address(const std::string& text) {
  sockaddr_storage out{};
  auto& four = reinterpret_cast<sockaddr_in&>(out);
  auto& six = reinterpret_cast<sockaddr_in6&>(out);
  if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    out.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &six.sin6_addr), 1) << text;
    out.ss_family = AF_INET6;
  }
  return out;
}
bool is_public(const std::string& text) {
  const sockaddr_storage at = address(text);
  return is_public_address(reinterpret_cast<const sockaddr&>(at));
}
bool allows(const AddressPolicy& policy, const std::string& host, std::uint16_t port,
            const std::string& text) {
  const sockaddr_storage at = address(text);
  return policy.allows_address(host, port, reinterpret_cast<const sockaddr&>(at));
}

TEST(PublicAddress, WhatIsNone) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.8.9.10",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.9",
                           "224.0.0.1",
                           "239.1.2.3",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "2002:a00:1::1",
                           "3fff::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "4000::1"})
    EXPECT_FALSE(is_public(text)) << text;
}

TEST(PublicAddress, WhatIsOne) {
  for (const char* text :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255",
        "172.32.0.0", "192.167.0.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111",
        "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"})
    EXPECT_TRUE(is_public(text)) << text;
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(reinterpret_cast<const sockaddr&>(unix_socket)));
}

TEST(HostPattern, Matches) {
  struct {
    const char* pattern;
    const char* host;
    std::uint16_t port;
    bool fits;
  } const table[] = {
      {"api.example.org", "api.example.org", 443, true},
      {"api.example.org", "API.Example.ORG", 80, true},
      {"api.example.org", "api.example.org.", 80, true},
      {"api.example.org", "xapi.example.org", 80, false},
      {"api.example.org", "api.example.org.evil", 80, false},
      {"api.example.org:8443", "api.example.org", 8443, true},
      {"api.example.org:8443", "api.example.org", 443, false},
      {"*.example.org", "a.example.org", 1, true},
      {"*.example.org", "a.b.example.org", 1, true},
      {"*.example.org", "example.org", 1, false},
      {"*.example.org", "aexample.org", 1, false},
      {"*.example.org:80", "a.example.org", 81, false},
      {"127.0.0.1:9000", "127.0.0.1", 9000, true},
      {"[::1]", "[::1]", 80, true},
      {"[0:0::1]:80", "[::1]", 80, true},
      {"[::1]:80", "::1", 81, false},
      {"LocalHost", "localhost", 1, true},
  };
  for (const auto& row : table) {
    const auto pattern = HostPattern::parse(row.pattern);
    ASSERT_TRUE(pattern.ok()) << row.pattern;
    EXPECT_EQ(pattern->matches(row.host, row.port), row.fits) << row.pattern << " " << row.host;
  }
}

TEST(HostPattern, WhatIsNone) {
  for (const char* text :
       {"",         ":80", "a:0", "a:65536", "a:",          "a:b",     "::1",  "[::1", "[a]",    "a b",
        "http://a", "a/b", "*",   "*.",      "*.127.0.0.1", "*.[::1]", "a..b", ".a",   "user@a", "a*b"}) {
    const auto pattern = HostPattern::parse(text);
    ASSERT_FALSE(pattern.ok()) << text;
    EXPECT_EQ(pattern.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(pattern.error().message.find("\"" + std::string(text) + "\""), std::string::npos);
  }
}

TEST(AddressPolicyTest, NothingByDefault) {
  const AddressPolicy none;
  EXPECT_FALSE(none.allows_host("example.org", 443));
  EXPECT_FALSE(allows(none, "example.org", 443, "8.8.8.8"));
}

TEST(AddressPolicyTest, PrivateAddressesOnlyWhereListed) {
  const auto made = AddressPolicy::make({"public.example:443", "127.0.0.1:9000"}, {"inside.example"});
  ASSERT_TRUE(made.ok());
  const AddressPolicy& policy = *made;
  EXPECT_TRUE(policy.allows_host("public.example", 443));
  EXPECT_FALSE(policy.allows_host("public.example", 80));
  EXPECT_TRUE(policy.allows_host("inside.example", 1));
  EXPECT_FALSE(policy.allows_host("other.example", 443));
  EXPECT_TRUE(allows(policy, "public.example", 443, "8.8.8.8"));
  EXPECT_FALSE(allows(policy, "public.example", 443, "127.0.0.1"));
  EXPECT_FALSE(allows(policy, "public.example", 443, "169.254.169.254"));
  EXPECT_TRUE(allows(policy, "inside.example", 443, "10.0.0.1"));
  EXPECT_TRUE(allows(policy, "127.0.0.1", 9000, "127.0.0.1"));
  EXPECT_FALSE(allows(policy, "127.0.0.1", 9001, "127.0.0.1"));
  EXPECT_FALSE(allows(policy, "other.example", 443, "8.8.8.8"));
}

TEST(AddressPolicyTest, AnyPublic) {
  const AddressPolicy policy = AddressPolicy::any_public();
  EXPECT_TRUE(policy.allows_host("example.org", 443));
  EXPECT_TRUE(allows(policy, "example.org", 443, "8.8.8.8"));
  EXPECT_FALSE(allows(policy, "example.org", 443, "192.168.0.1"));
  EXPECT_FALSE(allows(policy, "127.0.0.1", 80, "127.0.0.1"));
}

TEST(AddressPolicyTest, Anywhere) {
  const AddressPolicy policy = AddressPolicy::anywhere();
  EXPECT_TRUE(policy.allows_host("login.internal", 8443));
  EXPECT_TRUE(allows(policy, "login.internal", 8443, "192.168.0.1"));
  EXPECT_TRUE(allows(policy, "127.0.0.1", 80, "127.0.0.1"));
  EXPECT_TRUE(allows(policy, "example.org", 443, "8.8.8.8"));
}

TEST(AddressPolicyTest, BadPattern) {
  EXPECT_FALSE(AddressPolicy::make({"a b"}).ok());
  EXPECT_FALSE(AddressPolicy::make({}, {"a:0"}).ok());
}

TEST(AddressPolicy, PlainHttpIsForHostsInsideWhenACallIsConfidential) {
  auto policy = AddressPolicy::make({"10.0.0.7", "out.example"}, {"in.example:80"});
  ASSERT_TRUE(policy.ok());
  const auto client = HttpClient::make({}, *std::move(policy));
  ASSERT_TRUE(client.ok());
  for (const char* url :
       {"http://10.0.0.7/", "https://10.0.0.7/", "http://in.example/", "https://out.example/"})
    EXPECT_TRUE((*client)->check_confidential(url).ok()) << url;
  EXPECT_TRUE((*client)->check("http://out.example/").ok());
  const Status plain = (*client)->check_confidential("http://out.example/");
  ASSERT_FALSE(plain.ok());
  EXPECT_EQ(plain.error().code, ErrorCode::kInvalidArgument);
  const Status unknown = (*client)->check_confidential("https://in.example/");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kForbidden) << "another port";
}

}  // namespace
}  // namespace spillway::clients
