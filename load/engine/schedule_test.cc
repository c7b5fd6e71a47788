#include "load/engine/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace spillway::load {
namespace {

constexpr std::int64_t kMs = 1'000'000, kS = 1'000 * kMs;

Scenario constant_rate(double rate, double duration_s, double time_unit_s = 1) {
  Scenario scenario;
  scenario.executor = Executor::kConstantArrivalRate;
  scenario.rate = rate;
  scenario.duration_s = duration_s;
  scenario.time_unit_s = time_unit_s;
  return scenario;
}

Scenario ramping_rate(double start, std::vector<Stage> stages, double time_unit_s = 1) {
  Scenario scenario;
  scenario.executor = Executor::kRampingArrivalRate;
  scenario.start_rate = start;
  scenario.stages = std::move(stages);
  scenario.time_unit_s = time_unit_s;
  return scenario;
}

Scenario ramping_vus(std::uint64_t start, std::vector<Stage> stages) {
  Scenario scenario;
  scenario.executor = Executor::kRampingVus;
  scenario.start_vus = start;
  scenario.stages = std::move(stages);
  return scenario;
}

std::vector<std::int64_t> all_due(const ArrivalSchedule& schedule) {
  std::vector<std::int64_t> due;
  for (std::uint64_t k = 0; k < schedule.total(); ++k) due.push_back(schedule.due_ns(k));
  return due;
}

TEST(ArrivalScheduleTest, AConstantRateBeginsAtOnceAndEndsBeforeTheEnd) {
  EXPECT_EQ(all_due(ArrivalSchedule(constant_rate(4, 1))),
            (std::vector<std::int64_t>{0, 250 * kMs, 500 * kMs, 750 * kMs}));
  const ArrivalSchedule thirds(constant_rate(3, 1.1));
  EXPECT_EQ(all_due(thirds), (std::vector<std::int64_t>{0, 333'333'333, 666'666'666, kS}));
  EXPECT_EQ(thirds.due_ns(4), kNever);
  EXPECT_EQ(ArrivalSchedule(constant_rate(1, 0.001)).total(), 1u);
}

TEST(ArrivalScheduleTest, ATimeUnitStretchesIt) {
  const ArrivalSchedule schedule(constant_rate(30, 10, 60));  // 30 a minute
  EXPECT_EQ(schedule.total(), 5u);
  EXPECT_EQ(schedule.due_ns(3), 6 * kS);
  EXPECT_EQ(ArrivalSchedule(constant_rate(0.5, 10)).due_ns(4), 8 * kS);
}

TEST(ArrivalScheduleTest, HoursAtAHighRateDoNotDrift) {
  const ArrivalSchedule hour(constant_rate(100'000, 3600));
  ASSERT_EQ(hour.total(), 360'000'000u);
  EXPECT_EQ(hour.due_ns(359'999'999), 3600 * kS - 10'000);
  // 300,000 a second: a period of 3,333.3 ns. A period in whole ns would lead by 0.36 s after an hour.
  EXPECT_EQ(ArrivalSchedule(constant_rate(300'000, 3600)).due_ns(300'000ull * 3599), 3599 * kS);
  // The most that a plan may ask for.
  const ArrivalSchedule most(constant_rate(10'000'000, 7 * 24 * 3600.0));
  ASSERT_EQ(most.total(), 6'048'000'000'000u);
  EXPECT_EQ(most.due_ns(most.total() - 1), 604'800 * kS - 100);
  const ArrivalSchedule daily(constant_rate(864e9, 7 * 24 * 3600.0, 24 * 3600.0));
  EXPECT_EQ(daily.total(), most.total());
  EXPECT_EQ(daily.due_ns(daily.total() - 1), most.due_ns(most.total() - 1));
}

TEST(ArrivalScheduleTest, ARampReachesNWhereTheAreaIsN) {
  // 0 to 10 a second in 10 s: t^2 / 2 = n.
  const ArrivalSchedule up(ramping_rate(0, {{10, 10}}));
  ASSERT_EQ(up.total(), 50u);
  for (std::uint64_t k = 0; k < 50; ++k)
    EXPECT_NEAR(static_cast<double>(up.due_ns(k)), std::sqrt(2.0 * static_cast<double>(k + 1)) * 1e9, 2) << k;
  EXPECT_EQ(up.due_ns(49), 10 * kS);
  // And down it is the mirror of that, with the last one where the rate is 0.
  const ArrivalSchedule down(ramping_rate(10, {{10, 0}}));
  ASSERT_EQ(down.total(), 50u);
  for (std::uint64_t k = 0; k + 1 < 50; ++k) EXPECT_EQ(down.due_ns(k), 10 * kS - up.due_ns(48 - k)) << k;
  EXPECT_EQ(down.due_ns(49), 10 * kS);
}

TEST(ArrivalScheduleTest, AStageThatDoesNotRampIsConstantAfterItsFirstPeriod) {
  EXPECT_EQ(all_due(ArrivalSchedule(ramping_rate(4, {{1, 4}}))),
            (std::vector<std::int64_t>{250 * kMs, 500 * kMs, 750 * kMs, kS}));
}

TEST(ArrivalScheduleTest, WhatAStageLeavesOverCountsInTheNext) {
  // 2 a second for 4.9 s are 9.8; 0.2 of the next stage's area make the tenth.
  const ArrivalSchedule schedule(ramping_rate(2, {{4.9, 2}, {5, 2}}));
  EXPECT_EQ(schedule.due_ns(8), 4'500 * kMs);
  EXPECT_EQ(schedule.due_ns(9), 5 * kS);
  EXPECT_EQ(schedule.total(), 19u);
}

TEST(ArrivalScheduleTest, StagesWithoutLengthJumpAndStagesWithoutRateWait) {
  // Nothing for 2 s, a jump to 10 for 0.5 s, a jump to 0 for 1 s, then 2 a second.
  const ArrivalSchedule schedule(
      ramping_rate(0, {{2, 0}, {0, 10}, {0.5, 10}, {0, 0}, {1, 0}, {0, 2}, {1, 2}}));
  EXPECT_EQ(all_due(schedule), (std::vector<std::int64_t>{2'100 * kMs, 2'200 * kMs, 2'300 * kMs, 2'400 * kMs,
                                                          2'500 * kMs, 4 * kS, 4'500 * kMs}));
}

TEST(ArrivalScheduleTest, WithoutAnyAreaThereIsNothing) {
  const ArrivalSchedule schedule(ramping_rate(0, {{2, 0}, {0, 10}}));
  EXPECT_EQ(schedule.total(), 0u);
  EXPECT_EQ(schedule.due_ns(0), kNever);
}

/// Against the rate's integral, which is computed another way: at due_ns(k) the area must be k + 1.
TEST(ArrivalScheduleTest, ALongRampIsExactEverywhere) {
  const ArrivalSchedule schedule(ramping_rate(0, {{1800, 100'000}, {3600, 100'000}, {1800, 0}}));
  ASSERT_EQ(schedule.total(), 540'000'000u);
  const auto area = [](long double t) -> long double {
    if (t <= 1800) return t * t * 100'000 / 3600;
    if (t <= 5400) return 90'000'000 + (t - 1800) * 100'000;
    return 540'000'000 - (7200 - t) * (7200 - t) * 100'000 / 3600;
  };
  for (std::uint64_t k = 0; k < schedule.total() - 1; k += 1 + k / 7 % 99'991) {
    const long double t = static_cast<long double>(schedule.due_ns(k)) / 1e9L;
    const auto wanted = static_cast<long double>(k + 1);
    ASSERT_LE(area(t - 1e-6L), wanted) << k;
    ASSERT_GE(area(t + 1e-6L), wanted) << k;
  }
  EXPECT_EQ(schedule.due_ns(schedule.total() - 1), 7200 * kS);
  EXPECT_NEAR(static_cast<double>(schedule.due_ns(schedule.total() - 2)), 7200e9 - std::sqrt(0.036) * 1e9,
              1'000);
}

TEST(ArrivalScheduleTest, NobodyIsDueBeforeWhoCameEarlier) {
  const ArrivalSchedule schedule(
      ramping_rate(1, {{0.3, 90'000}, {0.0001, 7}, {0, 10'000'000}, {0.01, 0}, {1, 333}}));
  std::int64_t last = 0;
  for (std::uint64_t k = 0; k < schedule.total(); ++k) {
    const std::int64_t due = schedule.due_ns(k);
    ASSERT_GE(due, last) << k;
    last = due;
  }
  EXPECT_LE(last, 1'310'100 * kMs / 1'000);
}

TEST(VuScheduleTest, AConstantNumberEndsAtTheEnd) {
  Scenario scenario;
  scenario.vus = 7;
  scenario.duration_s = 2.5;
  const VuSchedule schedule(scenario);
  EXPECT_EQ(schedule.target(-1), 0u);
  EXPECT_EQ(schedule.target(0), 7u);
  EXPECT_EQ(schedule.target(2'500 * kMs - 1), 7u);
  EXPECT_EQ(schedule.target(2'500 * kMs), 0u);
  EXPECT_EQ(schedule.next_change_ns(-5), 0);
  EXPECT_EQ(schedule.next_change_ns(0), 2'500 * kMs);
  EXPECT_EQ(schedule.next_change_ns(2'500 * kMs), kNever);
}

using Changes = std::vector<std::pair<std::int64_t, std::uint64_t>>;

/// Every change, as the engine would go through them.
Changes changes(const VuSchedule& schedule) {
  Changes found{{0, schedule.target(0)}};
  for (std::int64_t at = schedule.next_change_ns(0); at != kNever; at = schedule.next_change_ns(at)) {
    EXPECT_EQ(schedule.target(at - 1), found.back().second) << at;
    found.emplace_back(at, schedule.target(at));
    if (found.size() > 1'000) break;
  }
  return found;
}

TEST(VuScheduleTest, OnTheWayUpTheyComeWhenTheyAreWhole) {
  EXPECT_EQ(changes(VuSchedule(ramping_vus(1, {{3, 4}}))),
            (Changes{{0, 1}, {kS, 2}, {2 * kS, 3}, {3 * kS, 0}}));
}

TEST(VuScheduleTest, OnTheWayDownTheyGoWhenTheyAreWhollyGone) {
  EXPECT_EQ(changes(VuSchedule(ramping_vus(3, {{3, 0}}))),
            (Changes{{0, 3}, {kS, 2}, {2 * kS, 1}, {3 * kS, 0}}));
}

TEST(VuScheduleTest, UpStandDownJumpAndStandAgain) {
  EXPECT_EQ(changes(VuSchedule(
                ramping_vus(0, {{2, 2}, {1, 2}, {1, 2}, {0, 5}, {1, 5}, {1, 4}, {0, 0}, {1, 0}, {1, 1}}))),
            (Changes{{0, 0}, {kS, 1}, {2 * kS, 2}, {4 * kS, 5}, {6 * kS, 0}}));
}

TEST(VuScheduleTest, AMomentThatIsNoWholeNanosecondIsTheNext) {
  const VuSchedule schedule(ramping_vus(0, {{1, 3}, {1, 3}}));
  EXPECT_EQ(changes(schedule), (Changes{{0, 0}, {333'333'334, 1}, {666'666'667, 2}, {kS, 3}, {2 * kS, 0}}));
}

TEST(VuScheduleTest, TheMostThatAPlanMayAskForDoesNotOverflow) {
  const VuSchedule schedule(ramping_vus(0, {{7 * 24 * 3600.0, 1'000'000}}));
  EXPECT_EQ(schedule.next_change_ns(0), 604'800'000);
  EXPECT_EQ(schedule.target(604'799 * kS), 999'998u);
  EXPECT_EQ(schedule.next_change_ns(604'800 * kS - 1), 604'800 * kS);
}

}  // namespace
}  // namespace spillway::load
