#include "intake/circuit_breaker.h"

#include <gtest/gtest.h>

namespace spillway::intake {
namespace {

using State = CircuitBreaker::State;

class Breaker : public testing::Test {
 protected:
  CircuitBreaker breaker{{.failures = 3, .open_us = 10, .max_open_us = 35}};
  void fail(Micros now, int times = 1) {
    for (int i = 0; i < times; ++i) {
      const auto ticket = breaker.admit(now);
      ASSERT_TRUE(ticket);
      breaker.failed(*ticket, now);
    }
  }
};

TEST_F(Breaker, OpensAfterSoManyFailuresInARow) {
  fail(0, 2);
  EXPECT_FALSE(breaker.succeeded(*breaker.admit(0)));
  fail(0, 2);
  EXPECT_EQ(breaker.state(0), State::kClosed);
  EXPECT_TRUE(breaker.failed(*breaker.admit(5), 5));
  EXPECT_EQ(breaker.state(5), State::kOpen);
  EXPECT_EQ(breaker.open_until_us(), 15);
  EXPECT_FALSE(breaker.admit(14));
}

TEST_F(Breaker, OneProbeAtATimeClosesIt) {
  fail(0, 3);
  EXPECT_EQ(breaker.state(10), State::kHalfOpen);
  const auto probe = breaker.admit(10);
  ASSERT_TRUE(probe);
  EXPECT_FALSE(breaker.admit(11));
  EXPECT_TRUE(breaker.succeeded(*probe));
  EXPECT_EQ(breaker.state(11), State::kClosed);
  EXPECT_TRUE(breaker.admit(11) && breaker.admit(11));
}

TEST_F(Breaker, EachFailedProbeOpensItForLonger) {
  fail(0, 3);
  fail(10);
  EXPECT_EQ(breaker.open_until_us(), 30);
  fail(30);
  EXPECT_EQ(breaker.open_until_us(), 65);
  fail(65);
  EXPECT_EQ(breaker.open_until_us(), 100);
  breaker.succeeded(*breaker.admit(100));
  fail(200, 3);
  EXPECT_EQ(breaker.open_until_us(), 210) << "from the beginning again";
}

TEST_F(Breaker, AProbeThatToldNothingLeavesRoomForAnother) {
  fail(0, 3);
  breaker.told_nothing(*breaker.admit(10));
  EXPECT_TRUE(breaker.admit(10));
}

TEST_F(Breaker, WhatBeganBeforeItOpenedChangesNothing) {
  const auto early = breaker.admit(0);
  fail(0, 3);
  EXPECT_FALSE(breaker.succeeded(*early));
  EXPECT_EQ(breaker.state(5), State::kOpen);
  EXPECT_FALSE(breaker.failed(*early, 9));
  EXPECT_EQ(breaker.open_until_us(), 10);
  const auto probe = breaker.admit(10);
  breaker.told_nothing(*early);
  EXPECT_FALSE(breaker.admit(10)) << "the probe still runs";
  breaker.succeeded(*probe);
  breaker.failed(*early, 11);
  fail(12, 2);
  EXPECT_EQ(breaker.state(12), State::kClosed);
}

}  // namespace
}  // namespace spillway::intake
