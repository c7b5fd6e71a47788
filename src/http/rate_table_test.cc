#include "http/rate_table.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <thread>
#include <vector>

namespace spillway::http {
namespace {

constexpr std::size_t kEntries = 1024;
constexpr Micros kStart = 1'000 * kSecond;

TEST(RateTable, ABurstUpToTheQuotaThenNothingUntilTheWindowHasPassed) {
  RateTable table(8 * kSecond, kEntries);
  for (std::uint32_t i = 0; i < 5; ++i) {
    const auto verdict = table.take(7, 5, kStart);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.remaining, 4 - i);
  }
  const auto refused = table.take(7, 5, kStart);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.wait_us, 9 * kSecond) << "a window, and the rest of the slice";
  EXPECT_FALSE(table.take(7, 5, kStart + refused.wait_us - 1).allowed);
  EXPECT_TRUE(table.take(7, 5, kStart + refused.wait_us).allowed) << "the wait that was told is the wait";
}

TEST(RateTable, WhatWasUsedComesBackInTheOrderOfItsUse) {
  RateTable table(8 * kSecond, kEntries);
  EXPECT_TRUE(table.take(7, 3, kStart).allowed);
  EXPECT_TRUE(table.take(7, 3, kStart + 2 * kSecond).allowed);
  EXPECT_TRUE(table.take(7, 3, kStart + 4 * kSecond).allowed);
  EXPECT_EQ(table.take(7, 3, kStart + 5 * kSecond).wait_us, 4 * kSecond);
  EXPECT_TRUE(table.take(7, 3, kStart + 9 * kSecond).allowed);
  EXPECT_EQ(table.take(7, 3, kStart + 9 * kSecond).wait_us, 2 * kSecond);
  EXPECT_EQ(table.take(7, 3, kStart + 100 * kSecond).remaining, 2U) << "all of it, after long enough";
}

TEST(RateTable, AQuotaThatWasLoweredWaitsUntilThereIsRoomUnderIt) {
  RateTable table(8 * kSecond, kEntries);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(table.take(7, 10, kStart + i * kSecond).allowed);
  const auto refused = table.take(7, 2, kStart + 4 * kSecond);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.wait_us, (2 + 9 - 4) * kSecond) << "three of the four must have left";
  EXPECT_TRUE(table.take(7, 2, kStart + 4 * kSecond + refused.wait_us).allowed);
  EXPECT_EQ(table.take(7, 20, kStart + 4 * kSecond).remaining, 20U - 3) << "and a raised one counts at once";
}

TEST(RateTable, KeysAreCountedApart) {
  RateTable table(kSecond, kEntries);
  for (std::uint64_t key = 0; key < 100; ++key) EXPECT_TRUE(table.take(key << 8 | key, 1, kStart).allowed);
  for (std::uint64_t key = 0; key < 100; ++key) EXPECT_FALSE(table.take(key << 8 | key, 1, kStart).allowed);
}

TEST(RateTable, ATimeBeforeThatOfAnotherThreadCountsAsItsTime) {
  RateTable table(8 * kSecond, kEntries);
  EXPECT_TRUE(table.take(7, 2, kStart + 3 * kSecond).allowed);
  EXPECT_TRUE(table.take(7, 2, kStart + 3 * kSecond - 1).allowed);
  EXPECT_FALSE(table.take(7, 2, kStart).allowed);
  EXPECT_FALSE(table.take(7, 2, kStart + 3 * kSecond + 8 * kSecond).allowed);
  EXPECT_TRUE(table.take(7, 2, kStart + 3 * kSecond + 9 * kSecond).allowed);
}

/// Whatever the times: never more than the quota in any window; and who asks all the time gets the quota in
/// every 1 + 1/kSlices windows.
TEST(RateTable, NeverMoreThanTheQuotaInAnyWindow) {
  constexpr Micros kWindows[] = {8 * kSecond, kSecond, 10 * kSecond + 7, 61'234'567};
  for (const Micros window : kWindows) {
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      std::mt19937 random(seed);
      const auto quota = static_cast<std::uint32_t>(1 + random() % 50);
      RateTable table(window, kEntries);
      std::deque<Micros> allowed;
      std::size_t in_window = 0, total = 0;
      Micros now = kStart + static_cast<Micros>(random() % 1'000'000);
      const Micros begin = now;
      const Micros mean = window / quota / static_cast<Micros>(1 + random() % 4);
      for (int i = 0; i < 20'000; ++i) {
        // Crowds, gaps, and jumps that are just as long as the window.
        const auto dice = random() % 100;
        if (dice < 60) now += static_cast<Micros>(random() % static_cast<std::uint64_t>(mean + 1));
        if (dice == 98) now += window;
        if (dice == 99) now += window - 1;
        if (!table.take(7, quota, now).allowed) continue;
        allowed.push_back(now);
        ++total;
        while (allowed.front() <= now - window) allowed.pop_front();
        in_window = std::max(in_window, allowed.size());
      }
      EXPECT_LE(in_window, quota) << "window " << window << " seed " << seed;
      EXPECT_EQ(in_window, quota) << "the test must reach the limit; window " << window << " seed " << seed;
      EXPECT_GT(total, quota) << begin;
    }
  }
}

TEST(RateTable, WhoAsksAllTheTimeGetsTheQuotaOfEveryWindowAndAnEighth) {
  constexpr Micros kWindow = 8 * kSecond;
  RateTable table(kWindow, kEntries);
  std::uint32_t allowed = 0;
  for (Micros t = 0; t < 90 * kSecond; t += 10 * kMillisecond)
    allowed += table.take(7, 20, kStart + t).allowed;
  EXPECT_EQ(allowed, 20U * 10);
}

TEST(RateTable, AFullTableForgetsWhoUsedLittleNotWhoUsedMuch) {
  RateTable table(8 * kSecond, RateTable::kWays);  // one set
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(table.take(1, 10, kStart).allowed);
  for (std::uint64_t key = 2; key < 1'000; ++key) EXPECT_TRUE(table.take(key, 10, kStart).allowed);
  EXPECT_FALSE(table.take(1, 10, kStart).allowed) << "a flood of others does not free a heavy one";
  EXPECT_EQ(table.evictions(), 998 - (RateTable::kWays - 1));
}

TEST(RateTable, WhatIsOutOfItsWindowGoesFirst) {
  RateTable table(8 * kSecond, RateTable::kWays);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(table.take(1, 10, kStart).allowed);
  for (std::uint64_t key = 2; key <= RateTable::kWays; ++key) table.take(key, 10, kStart + 8 * kSecond);
  EXPECT_TRUE(table.take(100, 10, kStart + 9 * kSecond).allowed);
  EXPECT_EQ(table.evictions(), 0U) << "that of key 1 had nothing left to forget";
  for (std::uint64_t key = 2; key <= RateTable::kWays; ++key) {
    EXPECT_EQ(table.take(key, 10, kStart + 9 * kSecond).remaining, 8U);
  }
}

TEST(RateTable, ThreadsTogetherNeverGetMore) {
  RateTable table(3600 * kSecond, 4 * RateTable::kWays);
  constexpr std::uint64_t kKeys = 8;
  std::atomic<std::uint32_t> allowed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      std::uint32_t mine = 0;
      for (std::uint64_t i = 0; i < 40'000; ++i) {
        mine += table.take(i % kKeys * 0x101, 1'000, kStart + static_cast<Micros>(i)).allowed;
      }
      allowed += mine;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(allowed.load(), kKeys * 1'000);
}

}  // namespace
}  // namespace spillway::http
