#include "identity/password_pool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/wait_loop.h"

namespace spillway::identity {
namespace {

TEST(Password, is_argon2id_with_the_parameters_of_the_house) {
  const std::string hash = hash_password("correct horse");
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
  EXPECT_NE(hash, hash_password("correct horse")) << "salted";
}

TEST(Password, matches_itself_alone) {
  const std::string hash = hash_password("correct horse");
  EXPECT_TRUE(is_password_of(hash, "correct horse"));
  EXPECT_FALSE(is_password_of(hash, "correct horsf"));
  EXPECT_FALSE(is_password_of(hash, ""));
  EXPECT_FALSE(is_password_of("", "correct horse"));
  EXPECT_FALSE(is_password_of("$argon2id$v=19$m=19456,t=2,p=1$", "correct horse"));
  EXPECT_FALSE(is_password_of(std::string(1'000, '$'), "correct horse"));
}

TEST(Password, of_the_reference_implementation_is_understood) {
  // From its test.c: "password", "somesalt", t = 2, m = 2^8, p = 1.
  const std::string hash =
      "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  EXPECT_TRUE(is_password_of(hash, "password"));
  EXPECT_FALSE(is_password_of(hash, "passwore"));
}

class PasswordPoolTest : public ::testing::Test {
 protected:
  /// Runs `first` on the loop and waits until `wanted` replies are there.
  void run(std::size_t wanted, const std::function<void()>& first) {
    loop_.run_until([&] { return replies_ >= wanted; }, -1, first);
  }
  void verify(PasswordPool& pool, std::string hash, std::string password) {
    pool.verify(std::move(hash), std::move(password), [this](Result<bool> right) {
      ++replies_;
      if (!right) return refused_.push_back(right.error().code);
      (*right ? right_ : wrong_) += 1;
    });
  }

  WaitLoop loop_{0};
  std::size_t replies_ = 0;
  int right_ = 0, wrong_ = 0;
  std::vector<ErrorCode> refused_;
};

TEST_F(PasswordPoolTest, hashes_and_compares) {
  PasswordPool pool(2);
  pool.start();
  std::string made;
  run(1, [&] {
    pool.hash("correct horse", [&](Result<std::string> hash) {
      ++replies_;
      ASSERT_TRUE(hash.ok());
      made = *hash;
    });
  });
  run(4, [&] {
    verify(pool, made, "correct horse");
    verify(pool, made, "wrong horse");
    verify(pool, "", "nobody's");  // what nobody's hash was made of is no way in
  });
  EXPECT_EQ(right_, 1);
  EXPECT_EQ(wrong_, 2);
}

TEST_F(PasswordPoolTest, refuses_at_once_what_does_not_fit) {
  PasswordPool pool(1, 10);  // not started: nothing leaves the queue
  loop_.run_until([] { return true; }, -1,
                  [&] {
                    for (int i = 0; i < 15; ++i) verify(pool, "", "x");
                  });
  EXPECT_EQ(refused_, std::vector<ErrorCode>(5, ErrorCode::kOverloaded));
  // An admin's change still fits, and goes first.
  std::vector<std::string> order;
  run(16, [&] {
    pool.hash("new password", [&](Result<std::string> hash) {
      ++replies_;
      ASSERT_TRUE(hash.ok());
      order.push_back("admin after " + std::to_string(wrong_));
    });
    pool.start();
  });
  EXPECT_EQ(order, std::vector<std::string>{"admin after 0"});
  EXPECT_EQ(wrong_, 10);
}

TEST_F(PasswordPoolTest, what_waits_when_it_stops_is_told) {
  PasswordPool pool(1, 10);
  loop_.run_until([] { return true; }, -1,
                  [&] {
                    for (int i = 0; i < 5; ++i) verify(pool, "", "x");
                  });
  pool.stop();
  run(6, [&] { verify(pool, "", "x"); });
  EXPECT_EQ(refused_, std::vector<ErrorCode>(6, ErrorCode::kDraining));
}

/// Of this process, in KiB: the most that was ever in memory, and what is now.
std::size_t memory_kib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stoul(line.substr(line.find_first_of("0123456789")));
  }
  ADD_FAILURE() << "no " << field;
  return 0;
}

TEST_F(PasswordPoolTest, a_storm_takes_no_more_memory_than_its_threads) {
  PasswordPool pool(2, 64);
  pool.start();
  std::ofstream("/proc/self/clear_refs") << "5";  // VmHWM starts anew
  [[maybe_unused]] const std::size_t before = memory_kib("VmRSS");
  run(1'000, [&] {
    for (int i = 0; i < 1'000; ++i) verify(pool, "", "x");
  });
  EXPECT_GE(refused_.size(), 1'000u - 64 - 2 - 64);
  EXPECT_EQ(refused_.size() + static_cast<std::size_t>(wrong_), 1'000u);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(memory_kib("VmHWM"), before + (2 * 19 + 16) * 1024);
#endif
}

}  // namespace
}  // namespace spillway::identity
