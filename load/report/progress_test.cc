#include "load/report/progress.h"

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

namespace spillway::load {
namespace {

TimelinePoint usual() {
  TimelinePoint point;
  point.at_s = 200;
  point.vus = 5000;
  point.requests = 4812;
  point.service.p95 = 12.5;
  return point;
}

std::size_t columns(const std::string& line) {
  std::size_t count = 0;
  for (const char c : line) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

TEST(Progress, SaysWhereTheRunIs) {
  EXPECT_EQ(progress_line(usual(), 600, 962'400, 1'155),
            "03:20 / 10:00  left 06:40  4,812/s  5,000 VUs  p95 12.5 ms  errors 0.12% (1,155 of 962,400)");
}

TEST(Progress, SaysLessWhereThereIsLess) {
  EXPECT_EQ(progress_line({}, 0, 0, 0), "00:00  0/s  0 VUs  p95 -  errors 0% (0 of 0)");
  TimelinePoint late = usual();
  late.at_s = 700;
  late.dropped = 7;
  EXPECT_NE(progress_line(late, 600, 1, 0).find("11:40 / 10:00  left 00:00"), std::string::npos);
  EXPECT_NE(progress_line(late, 600, 1, 0).find("dropped 7"), std::string::npos);
}

TEST(Progress, StaysInItsColumns) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  TimelinePoint point;
  point.at_s = 1e14;
  point.vus = point.requests = point.failed = point.dropped = kMost;
  point.service.p95 = 1e14;
  const std::string line = progress_line(point, 2e14, kMost, kMost);
  EXPECT_LE(columns(line), kProgressColumns) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Progress, WrapsStepsAndGivesTheTerminalNoControls) {
  TimelinePoint point = usual();
  for (int i = 0; i < 100; ++i) point.steps["step number " + std::to_string(i)] = i;
  point.gauges["\x1b[31mred\xc2\x9b"] = 3;
  const std::string block = progress_lines(point, 600, 10, 0);
  EXPECT_EQ(block.find('\x1b'), std::string::npos);
  EXPECT_EQ(block.find('\x9b'), std::string::npos);
  EXPECT_NE(block.find("step number 0 0 ms"), std::string::npos);
  std::istringstream lines(block);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_LE(columns(line), kProgressColumns) << line;
  EXPECT_GT(count, 3u);
}

}  // namespace
}  // namespace spillway::load
