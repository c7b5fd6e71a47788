#include "load/faults/recovery.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace spillway::load {
namespace {

/// One second by a letter: '.' as usual (100 requests, p95 10 ms), 's' slow (p95 16 ms), 'o' a little slower
/// (15 ms), 'f' one of 100 failed, 'F' all failed, ' ' no requests, 'l' too few of them (49), 'h' half (50).
std::vector<TimelinePoint> timeline(const std::string& seconds) {
  std::vector<TimelinePoint> points;
  for (const char c : seconds) {
    TimelinePoint point;
    point.at_s = static_cast<double>(points.size() + 1);
    point.requests = c == ' ' ? 0 : c == 'l' ? 49 : c == 'h' ? 50 : 100;
    point.failed = c == 'f' ? 1 : c == 'F' ? 100 : 0;
    point.service.p95 = c == ' ' ? 0 : c == 's' ? 16 : c == 'o' ? 15 : 10;
    points.push_back(point);
  }
  return points;
}

FaultResult fault(double from, double until, const std::string& name = "fault") {
  FaultResult result;
  result.name = name;
  result.from_s = from;
  result.until_s = until;
  return result;
}

TEST(Recovery, OfOneFault) {
  const struct {
    const char* what;
    std::string seconds;
    double from, until, recovery;
    std::uint64_t failed;
  } rows[] = {
      {"at once", ".....FF.....", 5, 7, 0, 200},
      {"after two slow seconds", ".....FFss...", 5, 7, 2, 200},
      {"a little slower is as before", ".....FFooo", 5, 7, 0, 200},
      {"one failure of a hundred is too many", ".....FFff...", 5, 7, 2, 202},
      {"seconds without requests are not recovered", ".....FF  ...", 5, 7, 2, 200},
      {"nor are those with less than half of the requests", ".....FFll...", 5, 7, 2, 200},
      {"half of the requests is enough", ".....FFhhh", 5, 7, 0, 200},
      {"two good seconds are too few", ".....FF..s..s...", 5, 7, 6, 200},
      {"two good seconds at the end are too few", ".....FFs..", 5, 7, -1, 200},
      {"never", ".....FFssssFF", 5, 7, -1, 400},
      {"nothing after it", ".....FF", 5, 7, -1, 200},
      {"a second in which it ended does not count when it was bad", ".....FF...", 5, 6.25, 0.75, 200},
      {"it ended in a second that was good", ".....F....", 5, 6.25, 0, 100},
      {"failures of before do not count", "F.F..FF...s", 5, 7, 0, 200},
      {"what failed before may fail after", "fffffFFfff", 5, 7, 0, 200},
      {"what came after the recovery does not count", ".....FF...FFF", 5, 7, 0, 200},
      {"for no time at all", ".....F....", 5.5, 5.5, 0.5, 100},
  };
  for (const auto& row : rows) {
    std::vector<FaultResult> faults{fault(row.from, row.until)};
    compute_recovery(timeline(row.seconds), faults);
    EXPECT_NEAR(faults[0].recovery_s, row.recovery, 1e-9) << row.what;
    EXPECT_EQ(faults[0].failed_requests, row.failed) << row.what;
    EXPECT_EQ(faults[0].detail, "") << row.what;
  }
}

TEST(Recovery, FiveMillisecondsMoreAreAllowedWhereAllIsFast) {
  for (const auto& [after_ms, recovery] : {std::pair{6.0, 0.0}, std::pair{6.1, -1.0}}) {
    std::vector<TimelinePoint> points = timeline(".....FF...");
    for (std::size_t i = 0; i < points.size(); ++i) points[i].service.p95 = i < 5 ? 1 : after_ms;
    std::vector<FaultResult> faults{fault(5, 7)};
    compute_recovery(points, faults);
    EXPECT_EQ(faults[0].recovery_s, recovery) << after_ms;
  }
}

TEST(Recovery, OnlyThirtySecondsBeforeItCount) {
  // Slow for a minute, then fast for half a minute: 16 ms afterwards is slow.
  std::vector<FaultResult> faults{fault(90, 91)};
  compute_recovery(timeline(std::string(60, 's') + std::string(30, '.') + "Fsss..."), faults);
  EXPECT_EQ(faults[0].recovery_s, 3);
  // And here the half minute was slow, so it is not.
  compute_recovery(timeline(std::string(60, '.') + std::string(30, 's') + "Fsss..."), faults);
  EXPECT_EQ(faults[0].recovery_s, 0);
}

TEST(Recovery, AFaultAtTheBeginningIsHeldAgainstTheQuietSeconds) {
  std::vector<FaultResult> faults{fault(0, 3)};
  compute_recovery(timeline("FFFss........"), faults);
  EXPECT_EQ(faults[0].recovery_s, 2);
  EXPECT_EQ(faults[0].failed_requests, 300u);
  EXPECT_NE(faults[0].detail.find("quiet seconds"), std::string::npos) << faults[0].detail;
}

TEST(Recovery, WithNothingToCompareWithThereIsNone) {
  std::vector<FaultResult> faults{fault(0, 4)};
  compute_recovery(timeline("...."), faults);
  EXPECT_EQ(faults[0].recovery_s, -1);
  EXPECT_NE(faults[0].detail.find("no second without a fault"), std::string::npos) << faults[0].detail;
  faults = {fault(1, 2)};
  compute_recovery({}, faults);
  EXPECT_EQ(faults[0].recovery_s, -1);
  EXPECT_EQ(faults[0].failed_requests, 0u);
}

TEST(Recovery, FaultsThatOverlap) {
  // From 5 to 9 the server is slow, from 7 to 11 it fails.
  std::vector<FaultResult> faults{fault(5, 9, "slow"), fault(7, 11, "broken")};
  compute_recovery(timeline(".....ssFFFFs...."), faults);
  EXPECT_EQ(faults[0].recovery_s, 3);  // at 12
  EXPECT_EQ(faults[1].recovery_s, 1);
  EXPECT_EQ(faults[0].failed_requests, 400u);
  EXPECT_EQ(faults[1].failed_requests, 400u);
  EXPECT_NE(faults[0].detail.find("\"broken\" began at 7.0 s"), std::string::npos) << faults[0].detail;
  EXPECT_EQ(faults[1].detail, "");
}

TEST(Recovery, WhatAnotherFaultDidIsNoBefore) {
  // The slow seconds of the first fault are not what the second one's are compared with.
  std::vector<FaultResult> faults{fault(2, 30, "slow"), fault(31, 32, "broken")};
  compute_recovery(timeline(".." + std::string(28, 's') + ".F" + "ss" + "..."), faults);
  EXPECT_EQ(faults[1].recovery_s, 2);
}

TEST(Recovery, AnotherFaultLongAfterIsNotMentioned) {
  std::vector<FaultResult> faults{fault(5, 6), fault(10, 11)};
  compute_recovery(timeline(".....F....F..."), faults);
  EXPECT_EQ(faults[0].recovery_s, 0);
  EXPECT_EQ(faults[0].failed_requests, 100u);
  EXPECT_EQ(faults[0].detail, "");
  EXPECT_EQ(faults[1].recovery_s, 0);
}

}  // namespace
}  // namespace spillway::load
