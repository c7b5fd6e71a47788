#include "waitroom/ordered_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace spillway::waitroom {
namespace {

TEST(OrderedSet, IsWhatAPlainSetIs) {
  std::mt19937_64 engine(7);
  const auto random = [&engine] { return static_cast<std::uint32_t>(engine()); };
  for (const std::uint32_t range : {70u, 5'000u, 300'000u}) {
    OrderedSet set;
    std::set<std::uint32_t> plain;
    for (int step = 0; step < 6'000; ++step) {
      const std::uint32_t n = 1 + random() % range;
      if (random() % 5 < 3) {
        EXPECT_EQ(set.insert(n), plain.insert(n).second);
      } else {
        EXPECT_EQ(set.erase(n), plain.erase(n) == 1);
      }
      ASSERT_EQ(set.count(), plain.size());
      EXPECT_EQ(set.contains(n), plain.contains(n));
      EXPECT_EQ(set.first(), plain.empty() ? 0 : *plain.begin());
      const auto next = plain.upper_bound(n);
      EXPECT_EQ(set.next(n), next == plain.end() ? 0 : *next);
      if (step % 16 != 0) continue;
      ASSERT_EQ(set.rank(n), std::distance(plain.begin(), plain.lower_bound(n)));
      if (plain.empty()) continue;
      const auto k = random() % plain.size();
      auto at = plain.begin();
      std::advance(at, static_cast<long>(k));
      ASSERT_EQ(set.select(static_cast<std::uint32_t>(k) + 1), *at);
    }
  }
}

TEST(OrderedSet, GoesOnWhereOthersWereForgotten) {
  OrderedSet set;
  constexpr std::uint32_t kFar = 4'000'000;
  EXPECT_EQ(set.rank(kFar), 0U);
  EXPECT_FALSE(set.erase(kFar));
  EXPECT_TRUE(set.insert(kFar));
  EXPECT_TRUE(set.insert(1));
  EXPECT_EQ(set.rank(kFar), 1U);
  EXPECT_EQ(set.next(1), kFar);
  EXPECT_EQ(set.next(kFar), 0U);
}

}  // namespace
}  // namespace spillway::waitroom
