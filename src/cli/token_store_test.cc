#include "cli/token_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/limits.h"

namespace spillway::cli {
namespace {

class TokenStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/deep/er/token"; }
  std::string file(const std::string& text) const {
    const std::string at = folder_ + "/given";
    std::ofstream(at) << text;
    return at;
  }

  std::string folder_ = "/tmp/spillway-token-XXXXXX";
};

Environment environment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) {
    const auto it = values.find(name);
    return it == values.end() ? nullptr : it->second.c_str();
  };
}

TEST_F(TokenStoreTest, KeepsATokenThatOnlyItsOwnerReads) {
  const TokenStore store(path());
  ASSERT_TRUE(store.load().ok());
  EXPECT_FALSE(store.load()->has_value());
  ::umask(0);
  ASSERT_TRUE(store.save({"http://a", "ann", "one"}).ok());
  ASSERT_TRUE(store.save({"http://b", "한", "two"}).ok());
  ::umask(022);
  struct ::stat about {};
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat((folder_ + "/deep/er").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700U);
  const auto token = store.load();
  ASSERT_TRUE(token.ok() && token->has_value());
  EXPECT_EQ((*token)->server, "http://b");
  EXPECT_EQ((*token)->user_id, "한");
  EXPECT_EQ((*token)->token, "two");
  // Nothing else is left beside it.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ + "/deep/er"), {}), 1);
  ASSERT_TRUE(store.remove().ok());
  ASSERT_TRUE(store.remove().ok());
  EXPECT_FALSE(store.load()->has_value());
}

TEST_F(TokenStoreTest, AFileThatOthersReadIsRefused) {
  const TokenStore store(path());
  ASSERT_TRUE(store.save({"http://a", "ann", "one"}).ok());
  std::filesystem::permissions(path(), std::filesystem::perms(0640));
  const auto token = store.load();
  ASSERT_FALSE(token.ok());
  EXPECT_NE(token.error().message.find("others can read it"), std::string::npos);
  EXPECT_EQ(token.error().message.find("one"), std::string::npos);
}

TEST_F(TokenStoreTest, TheNearestSourceCounts) {
  const TokenStore store(path());
  ASSERT_TRUE(store.save({"http://a", "ann", "stored"}).ok());
  const auto both = environment({{"SPILLWAY_TOKEN", "mine"}, {"SPILLWAY_ADMIN_TOKEN", "secret"}});
  EXPECT_EQ(*find_token(file("filed\n"), both, store, "http://a"), "filed");
  EXPECT_EQ(*find_token("", both, store, "http://a"), "mine");
  EXPECT_EQ(*find_token("", environment({{"SPILLWAY_ADMIN_TOKEN", "secret"}}), store, "http://a"), "secret");
  EXPECT_EQ(*find_token("", environment({{"SPILLWAY_TOKEN", ""}}), store, "http://a"), "stored");
  EXPECT_EQ(*find_token("", environment({}), store, "http://b"), "") << "it goes to its own server only";
  EXPECT_EQ(*find_token("", environment({}), TokenStore(""), "http://a"), "");
}

TEST_F(TokenStoreTest, WhatIsNoTokenIsRefusedAndNotShown) {
  const TokenStore store(path());
  for (const std::string& bad :
       {std::string(), std::string("\n"), std::string("two words"), std::string("two\nlines"),
        std::string("x\x1b"), std::string(limits::kMaxTokenFileBytes + 1, 'x')}) {
    const std::string given = file(bad);
    const auto token = find_token(given, environment({}), store, "http://a");
    ASSERT_FALSE(token.ok()) << bad.substr(0, 20);
    EXPECT_NE(token.error().message.find("--token-file " + given), std::string::npos);
    EXPECT_EQ(token.error().message.find("two"), std::string::npos);
  }
  EXPECT_FALSE(find_token("/no/such/file", environment({}), store, "http://a").ok());
  EXPECT_NE(find_token("", environment({{"SPILLWAY_TOKEN", "a b"}}), store, "")
                .error()
                .message.find("SPILLWAY_TOKEN"),
            std::string::npos);
}

TEST(TokenPath, FollowsTheConventions) {
  EXPECT_EQ(token_path(environment({{"XDG_CONFIG_HOME", "/x"}, {"HOME", "/h"}})), "/x/spillway/token");
  EXPECT_EQ(token_path(environment({{"XDG_CONFIG_HOME", ""}, {"HOME", "/h"}})), "/h/.config/spillway/token");
  EXPECT_EQ(token_path(environment({})), "");
}

}  // namespace
}  // namespace spillway::cli
