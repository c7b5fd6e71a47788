#include "cli/times.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

namespace spillway::cli {
namespace {

/// The process's zone while this lives.
class InZone {
 public:
  explicit InZone(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~InZone() {
    ::unsetenv("TZ");
    ::tzset();
  }
};

TEST(Times, AreShownInTheZoneThatIsAskedFor) {
  const InZone seoul("KST-9");
  EXPECT_EQ(show_time("2026-12-01T09:00:00.004711Z", Zone::kLocal), "2026-12-01 18:00:00.004 +09:00");
  EXPECT_EQ(show_time("2026-12-01T20:00:00Z", Zone::kLocal), "2026-12-02 05:00:00 +09:00");
  EXPECT_EQ(show_time("2026-12-01T09:00:00.004711Z", Zone::kUtc), "2026-12-01 09:00:00.004Z");
  EXPECT_EQ(show_time("", Zone::kLocal), "");
  EXPECT_EQ(show_time("soon", Zone::kLocal), "soon");
}

TEST(Times, ZonesWestOfGreenwichAndHalfHours) {
  const InZone newfoundland("NST3:30");
  EXPECT_EQ(show_time("2026-12-01T09:00:00Z", Zone::kLocal), "2026-12-01 05:30:00 -03:30");
}

TEST(Times, AreTypedInTheZoneThatIsShown) {
  const InZone seoul("KST-9");
  const struct {
    const char* typed;
    Zone zone;
    const char* sent;
  } rows[] = {
      {"2026-12-01T09:00:00Z", Zone::kLocal, "2026-12-01T09:00:00.000000Z"},
      {"2026-12-01T18:00:00+09:00", Zone::kUtc, "2026-12-01T09:00:00.000000Z"},
      {"2026-12-01 18:00", Zone::kLocal, "2026-12-01T09:00:00.000000Z"},
      {"2026-12-01T18:00:30", Zone::kLocal, "2026-12-01T09:00:30.000000Z"},
      {"2026-12-01 18:00", Zone::kUtc, "2026-12-01T18:00:00.000000Z"},
  };
  for (const auto& row : rows) {
    const auto time = typed_time(row.typed, row.zone);
    ASSERT_TRUE(time.ok()) << row.typed;
    EXPECT_EQ(*time, row.sent);
  }
  for (const char* bad :
       {"", "tomorrow", "2026-12-01", "2026-02-31 10:00", "2026-12-01 25:00", "2026-12-01 18:00 KST"}) {
    EXPECT_FALSE(typed_time(bad, Zone::kLocal).ok()) << bad;
  }
}

TEST(Times, AnHourThatTheClocksLeaveOutIsRefused) {
  const InZone berlin("CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_FALSE(typed_time("2026-03-29 02:30", Zone::kLocal).ok());
  EXPECT_EQ(*typed_time("2026-03-29 03:30", Zone::kLocal), "2026-03-29T01:30:00.000000Z");
}

}  // namespace
}  // namespace spillway::cli
