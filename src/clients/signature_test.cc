#include "clients/signature.h"

#include <gtest/gtest.h>

namespace spillway::clients {
namespace {

// $ printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
TEST(Signature, IsWhatOpensslMakes) {
  EXPECT_EQ(signature_v1("0123456789abcdef0123456789abcdef", 1'700'000'000, R"({"a":1})"),
            "v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177");
}

TEST(Signature, EverythingIsInIt) {
  const std::string one = signature_v1("secret", 1, "body");
  EXPECT_NE(one, signature_v1("secres", 1, "body"));
  EXPECT_NE(one, signature_v1("secret", 2, "body"));
  EXPECT_NE(one, signature_v1("secret", 1, "bodz"));
  EXPECT_EQ(one, signature_v1("secret", 1, "body"));
}

TEST(TraceParent, OneTracePerSubject) {
  const std::string one = trace_parent("r1", 1), two = trace_parent("r1", 2), other = trace_parent("r2", 1);
  EXPECT_EQ(one.size(), 55U);
  EXPECT_EQ(one.substr(0, 3), "00-");
  EXPECT_EQ(one.substr(52), "-01");
  EXPECT_EQ(one.substr(0, 36), two.substr(0, 36));
  EXPECT_NE(one.substr(36), two.substr(36));
  EXPECT_NE(one.substr(0, 36), other.substr(0, 36));
}

}  // namespace
}  // namespace spillway::clients
