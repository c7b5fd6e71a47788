#include "waitroom/pacing.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "waitroom/rate_meter.h"

namespace spillway::waitroom {
namespace {

constexpr Timestamp kNow{1'800'000'000 * kSecond};

TicketView waiting(std::uint64_t position) {
  TicketView view;
  view.position = position;
  view.expected_wait_s = static_cast<double>(position) / 10;
  return view;
}

TEST(Pacing, GrowsWithTheDistanceAndStaysInItsRange) {
  double before = 0;
  for (const std::uint64_t position : {1, 100, 1'000, 5'000, 10'000, 1'000'000}) {
    double sum = 0;
    for (std::uint32_t jitter = 0; jitter < 1024; ++jitter) {
      const std::uint32_t ms = poll_after_ms(waiting(position), kNow, jitter);
      EXPECT_GE(ms, 1'000U);
      EXPECT_LE(ms, 15'000U);
      sum += ms;
    }
    EXPECT_GE(sum, before);
    before = sum;
  }
  EXPECT_LE(poll_after_ms(waiting(1), kNow, 0), 1'300U);
  EXPECT_GE(poll_after_ms(waiting(20'000), kNow, 0), 13'000U);
  EXPECT_NE(poll_after_ms(waiting(5'000), kNow, 0), poll_after_ms(waiting(5'000), kNow, 1'023));
}

TEST(Pacing, AnHonestRangeHoldsTheRateOfLate) {
  const auto range = estimated_wait(waiting(100), kNow);
  ASSERT_TRUE(range);
  EXPECT_LE(range->low_s, 10U);
  EXPECT_GE(range->high_s, 10U);
  TicketView early = waiting(100);
  early.opens_at = kNow + 60 * kSecond;
  EXPECT_GE(estimated_wait(early, kNow)->low_s, 60U);
  TicketView undrawn;
  EXPECT_FALSE(estimated_wait(undrawn, kNow));
  TicketView ready;
  ready.status = TicketStatus::kReady;
  EXPECT_EQ(estimated_wait(ready, kNow)->high_s, 0U);
}

TEST(Pacing, ARateIsThatOfTheLastMinute) {
  RateMeter meter;
  EXPECT_EQ(meter.per_second(kNow), 0);
  for (int second = 0; second < 120; ++second) meter.add(kNow + second * kSecond, 5);
  EXPECT_NEAR(meter.per_second(kNow + 120 * kSecond), 5, 0.5);
  EXPECT_EQ(meter.per_second(kNow + 300 * kSecond), 0);
  meter.add(kNow + 1'000 * kSecond, 1);
  EXPECT_GT(meter.per_second(kNow + 1'001 * kSecond), 0);
}

}  // namespace
}  // namespace spillway::waitroom
