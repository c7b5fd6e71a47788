#include "identity/login_throttle.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/manual_clock.h"

namespace spillway::identity {
namespace {

using Limit = LoginThrottle::Limit;

class LoginThrottleTest : public ::testing::Test {
 protected:
  LoginThrottle::Verdict fail(const std::string& account, const std::string& address) {
    LoginThrottle::Attempt attempt = throttle_.begin(account, address);
    const LoginThrottle::Verdict verdict = attempt.verdict();
    attempt.failed();
    return verdict;
  }
  Limit succeed(const std::string& account, const std::string& address) {
    LoginThrottle::Attempt attempt = throttle_.begin(account, address);
    const Limit limit = attempt.verdict().limit;
    attempt.succeeded();
    return limit;
  }
  LoginThrottle::Verdict ask(const std::string& account, const std::string& address) {
    return throttle_.begin(account, address).verdict();
  }
  /// Fails as often as it is let, never waiting.
  int fail_all(const std::string& account, const std::string& address, int times = 1'000) {
    int failed = 0;
    while (failed < times && fail(account, address).limit == Limit::kNone) ++failed;
    return failed;
  }
  static std::string address(int i) {
    return "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
  }

  ManualClock clock_;
  LoginThrottle throttle_{clock_};
};

TEST_F(LoginThrottleTest, the_pause_after_each_failure_of_one_address_at_one_account) {
  const int seconds[] = {0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900};
  for (const int expected : seconds) {
    ASSERT_EQ(fail("ann", "192.0.2.1").limit, Limit::kNone);
    const auto verdict = ask("ann", "192.0.2.1");
    EXPECT_EQ(verdict.wait_us, expected * kSecond);
    EXPECT_EQ(verdict.limit, expected == 0 ? Limit::kNone : Limit::kPair);
    if (expected == 0) continue;
    clock_.advance(expected * kSecond - 1);
    EXPECT_EQ(ask("ann", "192.0.2.1").wait_us, 1);
    clock_.advance(1);
  }
}

TEST_F(LoginThrottleTest, trying_during_a_pause_does_not_prolong_it) {
  fail_all("ann", "192.0.2.1");
  for (int i = 0; i < 50; ++i) fail("ann", "192.0.2.1");
  clock_.advance(kSecond);
  EXPECT_EQ(ask("ann", "192.0.2.1").limit, Limit::kNone);
}

TEST_F(LoginThrottleTest, an_hour_without_failure_forgets) {
  EXPECT_EQ(fail_all("ann", "192.0.2.1"), 5);
  clock_.advance(LoginThrottle::kForget);
  EXPECT_EQ(fail_all("ann", "192.0.2.1"), 5);
}

TEST_F(LoginThrottleTest, a_success_clears_the_pair_but_not_the_address) {
  for (int i = 0; i < 4; ++i) fail("ann", "192.0.2.1");
  EXPECT_EQ(succeed("ann", "192.0.2.1"), Limit::kNone);
  EXPECT_EQ(fail_all("ann", "192.0.2.1"), 5);
  // 9 of the address's 30 are spent, whatever account of its own it logs in to.
  int spent = 9;
  for (int account = 0; spent < 30; ++account) {
    spent += fail_all("account-" + std::to_string(account), "192.0.2.1", 4);
    succeed("mine", "192.0.2.1");
  }
  const auto verdict = ask("somebody", "192.0.2.1");
  EXPECT_EQ(verdict.limit, Limit::kAddress);
  EXPECT_GT(verdict.wait_us, 0);
  EXPECT_EQ(ask("somebody", "192.0.2.2").limit, Limit::kNone) << "no other address";
}

TEST_F(LoginThrottleTest, one_address_cannot_try_many_accounts) {
  int tried = 0;
  while (fail("account-" + std::to_string(tried), "192.0.2.1").limit == Limit::kNone) ++tried;
  EXPECT_EQ(tried, 30);
}

TEST_F(LoginThrottleTest, many_addresses_cannot_try_one_account) {
  int tried = 0;
  while (fail("ann", address(tried)).limit == Limit::kNone) ++tried;
  EXPECT_EQ(tried, 20);
  EXPECT_EQ(ask("ann", "192.0.2.99").limit, Limit::kAccount);
  // In a day that goes on: about one a minute.
  int more = 0;
  for (int second = 0; second < 24 * 3600; ++second) {
    more += fail("ann", address(1'000 + second)).limit == Limit::kNone;
    clock_.advance(kSecond);
  }
  EXPECT_LT(more, 24 * 60 + 10);
  EXPECT_GT(more, 24 * 60 - 10);
}

TEST_F(LoginThrottleTest, strangers_do_not_lock_the_owner_out_where_he_was_before) {
  ASSERT_EQ(succeed("ann", "192.0.2.1"), Limit::kNone);
  for (int hour = 0; hour < 5; ++hour) {
    for (int i = 0; i < 200; ++i) fail("ann", address(i));
    EXPECT_EQ(ask("ann", "198.51.100.1").limit, Limit::kAccount);
    EXPECT_EQ(succeed("ann", "192.0.2.1"), Limit::kNone);
    clock_.advance(600 * kSecond);
  }
}

TEST_F(LoginThrottleTest, a_neighbour_behind_the_same_address_does_not_either) {
  ASSERT_EQ(succeed("ann", "192.0.2.1"), Limit::kNone);
  for (int i = 0; i < 40; ++i) fail("account-" + std::to_string(i), "192.0.2.1");
  ASSERT_EQ(ask("bob", "192.0.2.1").limit, Limit::kAddress);
  EXPECT_EQ(succeed("ann", "192.0.2.1"), Limit::kNone);
}

TEST_F(LoginThrottleTest, a_known_address_that_guesses_waits_a_minute_at_most) {
  succeed("ann", "192.0.2.1");
  for (int i = 0; i < 20; ++i) {
    fail("ann", "192.0.2.1");
    const auto verdict = ask("ann", "192.0.2.1");
    EXPECT_LE(verdict.wait_us, 60 * kSecond);
    clock_.advance(verdict.wait_us);
  }
  EXPECT_EQ(fail("ann", "192.0.2.1").limit, Limit::kNone);
  EXPECT_EQ(ask("ann", "192.0.2.1").wait_us, 60 * kSecond);
  EXPECT_EQ(ask("ann", "192.0.2.2").limit, Limit::kNone) << "and does not spend the account's";
}

TEST_F(LoginThrottleTest, the_addresses_of_an_account_are_the_last_ones) {
  for (std::size_t i = 0; i <= limits::kMaxKnownAddresses; ++i) succeed("ann", address(static_cast<int>(i)));
  for (int i = 100; i < 200; ++i) fail("ann", address(i));
  EXPECT_EQ(ask("ann", address(0)).limit, Limit::kAccount) << "the first has fallen out";
  EXPECT_EQ(ask("ann", address(1)).limit, Limit::kNone);
}

TEST_F(LoginThrottleTest, attempts_in_the_works_are_bounded_before_any_has_failed) {
  std::vector<LoginThrottle::Attempt> attempts;
  for (int i = 0; i < 100; ++i) attempts.push_back(throttle_.begin("ann", "192.0.2.1"));
  int let = 0;
  for (const auto& attempt : attempts) let += attempt.verdict().limit == Limit::kNone;
  EXPECT_EQ(let, 8);
  attempts.clear();  // given up without a result: as if never made
  EXPECT_EQ(fail_all("ann", "192.0.2.1"), 5);

  for (int i = 0; i < 100; ++i) attempts.push_back(throttle_.begin("bob", address(i)));
  let = 0;
  for (const auto& attempt : attempts) let += attempt.verdict().limit == Limit::kNone;
  EXPECT_EQ(let, 32);
}

TEST_F(LoginThrottleTest, an_ipv6_address_counts_by_its_first_half) {
  EXPECT_EQ(fail_all("ann", "2001:db8:1:2::1"), 5);
  EXPECT_EQ(ask("ann", "2001:db8:1:2:ffff::9").limit, Limit::kPair);
  EXPECT_EQ(ask("ann", "2001:db8:1:3::1").limit, Limit::kNone);
  EXPECT_EQ(fail_all("ann", "192.0.2.7"), 5);
  EXPECT_EQ(ask("ann", "::ffff:192.0.2.7").limit, Limit::kPair) << "the same host, written as IPv6";
  EXPECT_EQ(ask("ann", "::ffff:192.0.2.8").limit, Limit::kNone);
}

TEST_F(LoginThrottleTest, what_was_not_used_for_the_longest_is_dropped) {
  LoginThrottle small(clock_, 100);
  for (int i = 0; i < 5; ++i) small.begin("ann", "192.0.2.1").failed();
  for (int i = 0; i < 99; ++i) small.begin("account-" + std::to_string(i), address(i)).failed();
  EXPECT_EQ(small.begin("ann", "192.0.2.1").verdict().limit, Limit::kPair);  // which is a use
  for (int i = 0; i < 99; ++i) small.begin("more-" + std::to_string(i), address(i + 200)).failed();
  EXPECT_EQ(small.begin("ann", "192.0.2.1").verdict().limit, Limit::kPair);
  for (int i = 0; i < 100; ++i) small.begin("last-" + std::to_string(i), address(i + 400)).failed();
  EXPECT_EQ(small.begin("ann", "192.0.2.1").verdict().limit, Limit::kNone);
}

}  // namespace
}  // namespace spillway::identity
