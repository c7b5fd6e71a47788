#include "identity/token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/base64.h"

namespace spillway::identity {
namespace {

SigningKey key_of(std::uint8_t fill) {
  SigningKey key;
  key.secret.fill(fill);
  return key;
}

constexpr Timestamp kNow{1'800'000'000 * kSecond};

TEST(Token, SaysWhoAndWhat) {
  const TokenAuthority authority(key_of(1));
  const std::string token = authority.issue("u\xc3\xa9-1", Role::kAdmin, kNow + 60 * kSecond);
  const auto caller = authority.verify(token, kNow);
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->user_id, "u\xc3\xa9-1");
  EXPECT_EQ(caller->role, Role::kAdmin);
}

TEST(Token, EndsByItself) {
  const TokenAuthority authority(key_of(1));
  const std::string token = authority.issue("u1", Role::kUser, kNow + 60 * kSecond);
  EXPECT_TRUE(authority.verify(token, kNow + 59 * kSecond).ok());
  EXPECT_FALSE(authority.verify(token, kNow + 60 * kSecond).ok());
}

TEST(Token, AnyChangedCharacterIsRefused) {
  const TokenAuthority authority(key_of(1));
  const std::string token = authority.issue("user-1", Role::kUser, kNow + 60 * kSecond);
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char c : {'A', 'B', '.', '!', '\0'}) {
      if (token[i] == c) continue;
      std::string forged = token;
      forged[i] = c;
      EXPECT_FALSE(authority.verify(forged, kNow).ok()) << i;
    }
    EXPECT_FALSE(authority.verify(token.substr(0, i), kNow).ok()) << i;
  }
  EXPECT_FALSE(authority.verify(token + "A", kNow).ok());
  EXPECT_FALSE(authority.verify("", kNow).ok());
  EXPECT_FALSE(authority.verify(std::string(100'000, 'A'), kNow).ok());
}

TEST(Token, AnotherDeploymentsTokenIsRefused) {
  const std::string token = TokenAuthority(key_of(2)).issue("u1", Role::kUser, kNow + 60 * kSecond);
  EXPECT_FALSE(TokenAuthority(key_of(1)).verify(token, kNow).ok());
}

TEST(SigningKeyFile, IsMadeOnceAndOnlyItsOwnerReadsIt) {
  std::string directory = "/tmp/spillway-key-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/access-token.key";
  const auto made = load_or_make_key(path);
  ASSERT_TRUE(made.ok());
  const auto again = load_or_make_key(path);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(made->secret, again->secret);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  std::ofstream(path, std::ios::trunc) << "short";
  EXPECT_FALSE(load_or_make_key(path).ok());
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace spillway::identity
