#include "base/pace.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace spillway {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

void work_for(nanoseconds time) {
  const auto until = steady_clock::now() + time;
  while (steady_clock::now() < until) {
  }
}

TEST(Pace, RestsThreeTimesAsLongAsItWorked) {
  std::vector<nanoseconds> rests;
  const auto began = steady_clock::now();
  Pace pace([&](nanoseconds pause) { rests.push_back(pause); });
  work_for(2 * microseconds(limits::kPaceWork));
  Pace::breathe();
  const nanoseconds at_most = steady_clock::now() - began;
  ASSERT_EQ(rests.size(), 1u);
  EXPECT_GE(rests[0], 6 * microseconds(limits::kPaceWork));
  EXPECT_LE(rests[0], 3 * at_most);
}

TEST(Pace, WorksForAWhileAndDoesNotCountTheRest) {
  std::vector<nanoseconds> rests;
  const auto began = steady_clock::now();
  Pace pace([&](nanoseconds pause) {
    rests.push_back(pause);
    work_for(4 * microseconds(limits::kPaceWork));  // as long as the rest is
  });
  while (rests.empty()) Pace::breathe();
  EXPECT_GE(steady_clock::now() - began, microseconds(limits::kPaceWork));
  const auto again = steady_clock::now();
  Pace::breathe();
  // Unless the machine took the core away for a whole millisecond in between.
  const bool undisturbed = steady_clock::now() - again < microseconds(limits::kPaceWork);
  EXPECT_TRUE(!undisturbed || rests.size() == 1);
}

TEST(Pace, IsOfOneThreadAndEnds) {
  int rests = 0;
  const auto breathe_late = [] {
    work_for(microseconds(limits::kPaceWork));
    Pace::breathe();
  };
  {
    Pace pace([&](nanoseconds) { ++rests; });
    std::thread(breathe_late).join();
    EXPECT_EQ(rests, 0);
    breathe_late();
    EXPECT_EQ(rests, 1);
  }
  breathe_late();
  EXPECT_EQ(rests, 1);
}

}  // namespace
}  // namespace spillway
