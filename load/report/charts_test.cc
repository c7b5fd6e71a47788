#include "load/report/charts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "load/report/axis.h"
#include "load/report/html_text.h"

namespace spillway::load {
namespace {

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

Chart chart_of(std::vector<double> values, bool logarithmic = false) {
  return {
      "c", "Title", "About.", ChartUnit::kMs, logarithmic, false, {{"p95", "p95", std::move(values), true}}};
}

ChartTime seconds(std::size_t count) {
  ChartTime time;
  for (std::size_t i = 1; i <= count; ++i) time.at_s.push_back(static_cast<double>(i));
  time.length_s = static_cast<double>(count);
  return time;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

bool is_round(double tick) {
  const double digit = tick / std::pow(10, std::floor(std::log10(tick) + 1e-9));
  return std::fabs(digit - 1) < 1e-6 || std::fabs(digit - 2) < 1e-6 || std::fabs(digit - 5) < 1e-6;
}

TEST(Axis, HasRoundTicksThatCoverTheValues) {
  for (const double most : {0.0003, 0.7, 1.0, 3.0, 12.0, 99.0, 100.0, 101.0, 4812.0, 1e9}) {
    const Axis axis = linear_axis(most, false);
    ASSERT_GE(axis.ticks.size(), 2u);
    EXPECT_LE(axis.ticks.size(), 7u) << most;
    EXPECT_EQ(axis.ticks.front(), 0);
    EXPECT_TRUE(is_round(axis.ticks[1])) << axis.ticks[1];
    EXPECT_GE(axis.high, most * 0.999999);
    EXPECT_LT(axis.high, most * 2 + 1);
  }
  EXPECT_EQ(linear_axis(2, true).ticks, (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(linear_axis(0, true).ticks, (std::vector<double>{0, 1}));
}

TEST(Axis, TakesPowersOfTenWhereValuesAreFarApart) {
  EXPECT_TRUE(wants_logarithms(1, 400));
  EXPECT_FALSE(wants_logarithms(10, 400));
  EXPECT_FALSE(wants_logarithms(0, 0));
  const Axis axis = logarithmic_axis(1.7, 3200);
  EXPECT_EQ(axis.low, 1);
  EXPECT_EQ(axis.high, 5000);
  EXPECT_EQ(axis.ticks, (std::vector<double>{1, 10, 100, 1000}));
  EXPECT_EQ(axis.place(0), 0);
  EXPECT_EQ(axis.place(1e9), 1);
  EXPECT_NEAR(axis.place(std::sqrt(1 * 5000.0)), 0.5, 1e-9);
  EXPECT_LE(logarithmic_axis(1e-6, 1e15).ticks.size(), 7u);
}

TEST(Axis, HasAtMostSevenTimes) {
  EXPECT_EQ(time_ticks(600), (std::vector<double>{0, 120, 240, 360, 480, 600}));
  EXPECT_EQ(time_ticks(0.5), (std::vector<double>{0}));
  for (const double length : {1.0, 30.0, 59.0, 61.0, 1200.0, 15000.0, 86400.0, 1e7}) {
    EXPECT_GE(time_ticks(length).size(), 2u) << length;
    EXPECT_LE(time_ticks(length).size(), 7u) << length;
  }
}

TEST(Charts, DrawAtMostSixHundredPointsAndLoseNoExtreme) {
  for (const std::size_t count : {0u, 1u, 2u, 30u, 600u, 601u, 1200u, 15000u}) {
    const ChartTime time = seconds(count);
    std::vector<double> values(count, 10);
    if (count > 20) {
      values[17] = 990;  // one second that must be seen
      values[count / 2] = 1;
    }
    const DrawnPoints drawn = drawn_points(time.at_s, {{"p95", "p95", values}});
    EXPECT_LE(drawn.at_s.size(), kMaxDrawnPoints) << count;
    EXPECT_EQ(drawn.at_s.size(), drawn.lines[0].size());
    EXPECT_TRUE(std::is_sorted(drawn.at_s.begin(), drawn.at_s.end()));
    EXPECT_EQ(drawn.per_bucket > 1, count > kMaxDrawnPoints);
    EXPECT_EQ(drawn.lines[0] == values, count <= kMaxDrawnPoints) << count;
    if (count <= 20) continue;
    EXPECT_EQ(std::count(drawn.lines[0].begin(), drawn.lines[0].end(), 990), 1);
    EXPECT_EQ(std::count(drawn.lines[0].begin(), drawn.lines[0].end(), 1), 1);
  }
}

TEST(Charts, KeepTheOrderOfExtremesInABucket) {
  std::vector<double> values(1200, 5);
  values[4] = 9;
  values[5] = 2;
  const DrawnPoints drawn = drawn_points(seconds(1200).at_s, {{"p95", "p95", values}});
  EXPECT_EQ(drawn.per_bucket, 4u);
  EXPECT_EQ(drawn.lines[0][2], 9);
  EXPECT_EQ(drawn.lines[0][3], 2);
}

TEST(Charts, KeepGaps) {
  const DrawnPoints drawn = drawn_points(seconds(900).at_s, {{"p95", "p95", std::vector<double>(900, kGap)}});
  for (const double value : drawn.lines[0]) EXPECT_TRUE(std::isnan(value));
  // Two pieces, so that nothing is drawn where nothing was measured.
  const std::string html = chart_html(chart_of({1, 2, kGap, 3, 4}), seconds(5));
  const std::size_t line = html.find("class=\"line p95\" data-name");
  ASSERT_NE(line, std::string::npos);
  const std::string path = html.substr(line, html.find("/>", line) - line);
  EXPECT_EQ(count_of(path, "M"), 2u) << path;
  EXPECT_NE(path.find("data-v=\"1,2,,3,4\""), std::string::npos) << path;
}

TEST(Charts, AreSoundForAnyNumberAndKindOfValues) {
  for (const std::size_t count : {0u, 1u, 2u, 30u, 1200u, 15000u}) {
    for (const double value : {0.0, 7.0, 1e12, kGap, std::numeric_limits<double>::infinity()}) {
      for (const bool logarithmic : {false, true}) {
        const std::string html =
            chart_html(chart_of(std::vector<double>(count, value), logarithmic), seconds(count));
        EXPECT_EQ(html.find("nan"), std::string::npos) << count << " " << value;
        EXPECT_EQ(html.find("inf"), std::string::npos) << count << " " << value;
        EXPECT_NE(html.find("</figure>"), std::string::npos);
        const bool has_values = count > 0 && std::isfinite(value);
        EXPECT_EQ(html.find("Nothing was measured") == std::string::npos, has_values);
        EXPECT_EQ(html.find("Drawn from 15,000 points") != std::string::npos, has_values && count == 15000);
      }
    }
  }
}

TEST(Charts, ShowFaultsRecoveryAndSpikes) {
  ChartTime time = seconds(100);
  time.bands = {{"kill -9", 20, 24, 30}, {"late", 95, 200, 300}};
  time.spikes_s = {50};
  const std::string html = chart_html(chart_of(std::vector<double>(100, 5)), time);
  EXPECT_NE(html.find(R"(<rect class="fault" x="20.00%" y="22" width="4.00%")"), std::string::npos) << html;
  EXPECT_NE(html.find(R"(<rect class="recovery" x="24.00%" y="22" width="6.00%")"), std::string::npos);
  EXPECT_NE(html.find(R"(<rect class="fault" x="95.00%" y="22" width="5.00%")"), std::string::npos);
  EXPECT_EQ(count_of(html, "class=\"spike\""), 1u);
  EXPECT_NE(html.find("Fault from 00:20 to 00:24: kill -9."), std::string::npos);
}

TEST(Charts, ReachAsHighAsTheyAreTold) {
  Chart chart = chart_of({1, 2});
  EXPECT_EQ(chart_html(chart, seconds(2)).find(">50 ms<"), std::string::npos);
  chart.reach = 50;
  EXPECT_NE(chart_html(chart, seconds(2)).find(">50 ms<"), std::string::npos);
}

TEST(Charts, DrawABoundOnlyWhereItIsNear) {
  Chart chart = chart_of({10, 12});
  chart.bounds = {{"p95 at most 30 ms", 30, "p95"}, {"p99 at most 10 s", 10000, "p99"}};
  const std::string html = chart_html(chart, seconds(2));
  EXPECT_NE(html.find("p95 at most 30 ms"), std::string::npos);
  EXPECT_EQ(html.find("p99 at most 10 s"), std::string::npos);
}

TEST(HtmlText, SaysNumbersAsPeopleDo) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(ms_text(0), "0 ms");
  EXPECT_EQ(ms_text(0.25), "0.25 ms");
  EXPECT_EQ(ms_text(999.4), "999 ms");
  EXPECT_EQ(ms_text(999.9), "1 s");
  EXPECT_EQ(ms_text(1250), "1.25 s");
  EXPECT_EQ(ms_text(kGap), "-");
  EXPECT_EQ(short_number_text(100), "100");
  EXPECT_EQ(short_number_text(-1234.4), "-1,234");
  EXPECT_EQ(share_text(0), "0%");
  EXPECT_EQ(share_text(1), "100%");
  EXPECT_EQ(share_text(1e-9), "< 0.01%");
  EXPECT_EQ(share_text(0.999999), "> 99.99%");
  EXPECT_EQ(share_text(0.125), "12.5%");
  EXPECT_EQ(clock_text(200), "03:20");
  EXPECT_EQ(clock_text(3800), "1:03:20");
  EXPECT_EQ(length_text(4.25), "4.3 s");
  EXPECT_EQ(length_text(600), "10 min");
  EXPECT_EQ(length_text(3905), "1 h 5 min 5 s");
}

TEST(HtmlText, CutsNoCharacterInTwo) {
  EXPECT_EQ(shortened("가나다", 3), "가나다");
  EXPECT_EQ(shortened("가나다라", 3), "가나…");
  EXPECT_EQ(html_escape("<a href=\"x\">'&\x01"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp; ");
}

}  // namespace
}  // namespace spillway::load
