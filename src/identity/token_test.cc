#include "identity/token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace spillway::identity {
namespace {

KeyRing keys_of(std::uint8_t fill, std::uint8_t id = 1) {
  KeyRing keys;
  keys.current.id = id;
  keys.current.secret.fill(fill);
  return keys;
}

constexpr Timestamp kNow{1'800'000'000 * kSecond};
constexpr Timestamp kLater = {kNow.us + 60 * kSecond};

TEST(Token, says_who_and_what) {
  const TokenAuthority authority(keys_of(1), "users");
  for (const Role role : kAllRoles) {
    const auto caller = authority.verify(authority.issue("u\xc3\xa9-1", role, {kNow.us + 7}, kLater), kNow);
    ASSERT_TRUE(caller.ok());
    EXPECT_EQ(caller->user_id, "u\xc3\xa9-1");
    EXPECT_EQ(caller->role, role);
    EXPECT_EQ(caller->issued_at.us, kNow.us + 7);  // to the microsecond: a sign-out is told from a new login
    EXPECT_EQ(caller->expires, kLater);
  }
}

TEST(Token, has_an_id_of_its_own) {
  const TokenAuthority authority(keys_of(1), "users");
  const auto one = authority.verify(authority.issue("u", Role::kUser, kNow, kLater), kNow);
  const auto two = authority.verify(authority.issue("u", Role::kUser, kNow, kLater), kNow);
  EXPECT_NE(one->token_id, 0u);
  EXPECT_NE(one->token_id, two->token_id);
}

TEST(Token, ends_by_itself) {
  const TokenAuthority authority(keys_of(1), "users");
  const std::string token = authority.issue("u1", Role::kUser, kNow, kLater);
  EXPECT_TRUE(authority.verify(token, {kLater.us - kSecond}).ok());
  EXPECT_FALSE(authority.verify(token, kLater).ok());
}

TEST(Token, any_changed_character_is_refused) {
  const TokenAuthority authority(keys_of(1), "users");
  const std::string token = authority.issue("user-1", Role::kUser, kNow, kLater);
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

TEST(Token, of_another_deployment_or_realm_is_refused) {
  const std::string token = TokenAuthority(keys_of(2), "users").issue("u1", Role::kUser, kNow, kLater);
  EXPECT_TRUE(TokenAuthority(keys_of(2), "users").verify(token, kNow).ok());
  EXPECT_FALSE(TokenAuthority(keys_of(1), "users").verify(token, kNow).ok());
  EXPECT_FALSE(TokenAuthority(keys_of(2), "open").verify(token, kNow).ok());
}

TEST(Token, of_the_key_before_counts_while_that_is_there) {
  const std::string token = TokenAuthority(keys_of(1, 1), "users").issue("u1", Role::kUser, kNow, kLater);
  KeyRing rotated = keys_of(2, 2);
  rotated.previous = keys_of(1, 1).current;
  const TokenAuthority authority(rotated, "users");
  EXPECT_TRUE(authority.verify(token, kNow).ok());
  EXPECT_TRUE(authority.verify(authority.issue("u1", Role::kUser, kNow, kLater), kNow).ok());
  EXPECT_FALSE(TokenAuthority(keys_of(2, 2), "users").verify(token, kNow).ok());
  // The number alone is no proof: the same one with another secret.
  EXPECT_FALSE(TokenAuthority(keys_of(3, 1), "users").verify(token, kNow).ok());
}

TEST(Token, of_somebody_else_has_a_number_that_depends_on_our_key) {
  const TokenAuthority one(keys_of(1), "oidc"), two(keys_of(2), "oidc");
  EXPECT_EQ(one.fingerprint("a.b.c"), one.fingerprint("a.b.c"));
  EXPECT_NE(one.fingerprint("a.b.c"), one.fingerprint("a.b.d"));
  EXPECT_NE(one.fingerprint("a.b.c"), two.fingerprint("a.b.c"));
}

class SigningKeyFiles : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(const char* name) const { return directory_ + "/" + name; }

  std::string directory_ = "/tmp/spillway-key-XXXXXX";
};

TEST_F(SigningKeyFiles, are_made_once_and_only_their_owner_reads_them) {
  const auto made = load_or_make_keys(directory_);
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(made->previous);
  const auto again = load_or_make_keys(directory_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(made->current.secret, again->current.secret);
  struct stat info {};
  ASSERT_EQ(::stat(path("access-token.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  std::ofstream(path("access-token.key"), std::ios::trunc) << "short";
  EXPECT_FALSE(load_or_make_keys(directory_).ok());
}

TEST_F(SigningKeyFiles, are_changed_by_moving_the_one_to_the_name_of_the_other) {
  const auto before = load_or_make_keys(directory_);
  ASSERT_TRUE(before.ok());
  std::filesystem::rename(path("access-token.key"), path("access-token.previous.key"));
  const auto after = load_or_make_keys(directory_);
  ASSERT_TRUE(after.ok());
  ASSERT_TRUE(after->previous);
  EXPECT_EQ(after->previous->secret, before->current.secret);
  EXPECT_NE(after->current.secret, before->current.secret);
  EXPECT_EQ(after->current.id, before->current.id + 1);
  // Copied instead of moved: two keys with one number are not told apart.
  std::filesystem::copy_file(path("access-token.key"), path("access-token.previous.key"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(load_or_make_keys(directory_).ok());
}

}  // namespace
}  // namespace spillway::identity
