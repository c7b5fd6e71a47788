#include "load/replay/request_source.h"

#include <gtest/gtest.h>

#include <string>

namespace spillway::load::replay {
namespace {

TEST(RequestSource, MakesEqualLengthsAndDifferentPersons) {
  const LoginSource logins("127.0.0.1:1", "u", 10);
  char a[RequestSource::kMaxRequestBytes];
  char b[RequestSource::kMaxRequestBytes];
  const std::string first(a, logins.write(3, a));
  const std::string second(b, logins.write(1'234'567, b));
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(first.find("\r\nContent-Length: 23\r\n"), std::string::npos) << first;
  EXPECT_TRUE(first.ends_with("\r\n\r\n{\"userId\":\"u000000003\"}")) << first;
  EXPECT_TRUE(second.ends_with("{\"userId\":\"u001234567\"}")) << second;
}

}  // namespace
}  // namespace spillway::load::replay
