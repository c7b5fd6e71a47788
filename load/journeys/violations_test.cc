#include "load/journeys/violations.h"

#include <gtest/gtest.h>

namespace spillway::load {
namespace {

TEST(Violations, HoldWhenTheyWereLookedAtAndNotBroken) {
  Violations v;
  v.looked("order", 3);
  EXPECT_TRUE(v.result("order", "in order").ok);
  EXPECT_EQ(v.result("order", "in order").looked_at, 3U);
  EXPECT_FALSE(v.result("cap", "kept").ok);  // nobody looked: that proves nothing
  v.broken("order", "7 before 5");
  v.broken("order", "9 before 8");
  const InvariantResult broken = v.result("order", "in order");
  EXPECT_FALSE(broken.ok);
  EXPECT_EQ(broken.looked_at, 5U);
  EXPECT_EQ(broken.violations, 2U);
  EXPECT_EQ(broken.detail, "in order; broken, for example: 7 before 5");
}

TEST(Violations, AddUpAcrossProcesses) {
  Violations a, b;
  a.looked("order");
  b.broken("order", "an example with 3 spaces");
  b.looked("cap", 4);
  ASSERT_TRUE(a.add_encoded(b.encode()));
  EXPECT_EQ(a.result("order", "").violations, 1U);
  EXPECT_EQ(a.result("order", "").looked_at, 2U);
  EXPECT_EQ(a.result("cap", "").looked_at, 4U);
  EXPECT_FALSE(a.add_encoded("3 cap x"));
}

}  // namespace
}  // namespace spillway::load
