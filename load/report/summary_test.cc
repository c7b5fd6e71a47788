#include "load/report/summary.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json_reader.h"
#include "load/report/figures.h"
#include "load/report/results_fixture.h"

namespace spillway::load {
namespace {

namespace json = boost::json;

json::value summary(const Results& results) { return json::parse(summary_json(results)); }

std::vector<std::string> keys(const json::value& value) {
  std::vector<std::string> found;
  for (const auto& [key, ignored] : value.as_object()) found.emplace_back(key);
  return found;
}

using Strings = std::vector<std::string>;

// Held against what k6 1.8.1 wrote for a script with these two checks.
TEST(SummaryJson, HasTheShapeOfK6) {
  const json::value s = summary(sample_results());
  EXPECT_EQ(keys(s), (Strings{"root_group", "options", "state", "metrics", "spillway"}));
  EXPECT_EQ(s.at("root_group"), json::parse(R"({
    "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e", "groups": [], "checks": [
      {"name": "is 200", "path": "::is 200",
       "id": "b90917b286da7eb763f41c72548efc6d", "passes": 550, "fails": 0},
      {"name": "is 404", "path": "::is 404",
       "id": "f2fb8f3d27d0746309bdbb6f941abfb7", "passes": 548, "fails": 2}]})"));
  EXPECT_EQ(s.at("options"), json::parse(R"_({
    "summaryTrendStats": ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "p(99.9)", "p(99.99)"],
    "summaryTimeUnit": "", "noColor": true})_"));
  EXPECT_EQ(s.at("state"),
            json::parse(R"({"isStdOutTTY": false, "isStdErrTTY": false, "testRunDurationMs": 60000})"));
  EXPECT_EQ(keys(s.at("metrics")),
            (Strings{"checks", "data_sent", "http_req_duration", "http_req_duration{expected_response:true}",
                     "http_req_duration{name:enter}", "http_req_failed", "http_req_response_time",
                     "http_reqs", "http_reqs{name:none}", "iterations", "people_let_in", "vus"}));
}

TEST(SummaryJson, HasK6sValuesByType) {
  const json::value s = summary(sample_results());
  const json::value& m = s.at("metrics");
  EXPECT_EQ(m.at("data_sent"), json::parse(R"({"type": "counter", "contains": "data",
    "values": {"count": 243500, "rate": 4058.3333333333335}})"));
  EXPECT_EQ(m.at("vus"), json::parse(R"({"type": "gauge", "contains": "default",
    "values": {"value": 2, "min": 1, "max": 5}})"));
  EXPECT_EQ(m.at("checks").at("values"),
            json::parse(R"({"rate": 0.9981818181818182, "passes": 1098, "fails": 2})"));
  EXPECT_EQ(m.at("http_reqs{name:none}"), json::parse(R"({"type": "counter", "contains": "default",
    "values": {"count": 0, "rate": 0}, "thresholds": {"count>0": {"ok": false}}})"));
  EXPECT_EQ(m.at("http_req_duration{name:enter}").at("thresholds"),
            json::parse(R"({"p(95)<2000": {"ok": true}})"));
  const json::value& trend = m.at("http_req_duration{name:enter}");
  EXPECT_EQ(trend.at("contains"), "time");
  EXPECT_EQ(keys(trend.at("values")), Strings(kTrendStats.begin(), kTrendStats.end()));
  EXPECT_EQ(trend.at("values").at("max").to_number<double>(), 1000);
  EXPECT_NEAR(trend.at("values").at("p(95)").to_number<double>(), 950, 1);
  EXPECT_NEAR(trend.at("values").at("avg").to_number<double>(), 500.5, 0.01);
  EXPECT_EQ(m.at("http_req_duration{expected_response:true}").at("values").at("max").to_number<double>(),
            996);
  EXPECT_NE(summary_json(sample_results()).find("\"count\":1000000,"), std::string::npos) << "not 1e+06";
}

TEST(SummaryJson, TheRestIsUnderOneKey) {
  const json::value root = summary(sample_results());
  const json::value& s = root.at("spillway");
  EXPECT_EQ(s.at("verdict"), "WARN");
  EXPECT_EQ(s.at("exit_code"), 99);
  EXPECT_EQ(s.at("plan").at("name"), "stage-0");
  EXPECT_EQ(s.at("started_at"), "2027-01-15T08:00:00.000000Z");
  EXPECT_EQ(s.at("environment").at("generator"), "2 cores, 4 GB");
  EXPECT_EQ(s.at("thresholds").at(0), json::parse(R"({"metric": "http_req_duration{name:enter}",
    "expression": "p(95)<2000", "ok": true, "value": 950, "warn": "p(95)<100", "warn_ok": false,
    "core": true})"));
  EXPECT_EQ(s.at("faults").at(0).at("recovery_s"), 1.5);
  EXPECT_EQ(s.at("steps").as_array().size(), 3U);
  EXPECT_EQ(s.at("steps").at(0).at("name"), "enter");
  EXPECT_EQ(s.at("steps").at(0).at("failed"), 4);
  EXPECT_EQ(s.at("steps").at(2).at("count"), 1100);
  const Strings times = {"p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"};
  for (const auto* what : {"service", "response"})
    EXPECT_EQ(keys(s.at("steps").at(0).at(what)), times) << what;
  EXPECT_NEAR(s.at("steps").at(0).at("service").at("p90").to_number<double>(), 900, 1);
  EXPECT_NEAR(s.at("steps").at(0).at("response").at("p99.99").to_number<double>(), 1001, 1);
  EXPECT_EQ(s.at("timeline").as_array().size(), 60U);
  EXPECT_EQ(s.at("timeline").at(59).at("gauges").at("queue_active_size"), 12.5);

  Results never = sample_results();
  never.faults[0].recovery_s = -1;
  EXPECT_TRUE(summary(never).at("spillway").at("faults").at(0).at("recovery_s").is_null());
}

TEST(SummaryJson, OfNothing) {
  const json::value s = summary(Results{});
  EXPECT_EQ(keys(s.at("metrics")), Strings{});
  EXPECT_EQ(s.at("spillway").at("verdict"), "INVALID");
}

TEST(SummaryJson, TheSameThresholdTwiceIsOneKey) {
  Results results = sample_results();
  results.thresholds.push_back(results.thresholds[1]);
  const Status sound = check_json(summary_json(results));  // no member twice
  EXPECT_TRUE(sound) << sound.error().message;
}

TEST(SummaryText, ReadsAsK6sAndEndsWithTheVerdict) {
  const std::string text = summary_text(sample_results());
  for (const std::string_view part : {
           "  █ THRESHOLDS\n\n    http_req_duration{name:enter}\n    ✓ 'p(95)<2000' p(95)=950ms  (✗ warn "
           "'p(95)<100')\n",
           "    http_req_failed\n    ✓ 'rate<0.01' rate=0.36%\n",
           "    http_reqs{name:none}\n    ✗ 'count>0' count=0\n",
           "    checks_total.......: 1100   18.333333/s\n"
           "    checks_succeeded...: 99.81% 1098 out of 1100\n"
           "    checks_failed......: 0.18%  2 out of 1100\n",
           "    ✓ is 200\n    ✗ is 404\n      ↳  99% — ✓ 548 / ✗ 2\n",
           "    CUSTOM\n    people_let_in..................: 7 ",
           "    HTTP\n    http_req_duration..............: avg=",
           "      { expected_response:true }...: avg=",
           "    http_req_failed................: 0.36%   4 out of 1100\n",
           "    EXECUTION\n    iterations.....................: 1000000 16666.666667/s\n",
           "    vus............................: 2       min=1          max=5\n",
           "    NETWORK\n    data_sent......................: 244 kB  4.1 kB/s\n",
           "  █ VERDICT: WARN\n\n    - http_reqs{name:none} missed count>0: it was 0\n",
           "    ✓ exactly N winners: 100 winners of 100 places\n",
           "    20 s to 25 s  kill -9 the server: recovered in 1.5 s, 4 requests failed; started again after "
           "5 s\n",
       }) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in:\n" << text;
  }
}

TEST(SummaryText, NothingFromOutsideMovesTheCursor) {
  Results results = sample_results();
  results.invariants[0].detail = "red \x1b[31m\nand below";
  const std::string text = summary_text(results);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("red  [31m and below\n"), std::string::npos);
}

TEST(Figures, AreWrittenAsK6Does) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(0.0005), "500ns");
  EXPECT_EQ(duration_text(0.22052), "220.52µs");
  EXPECT_EQ(duration_text(1.2), "1.2ms");
  EXPECT_EQ(duration_text(999.999), "999.99ms");
  EXPECT_EQ(duration_text(1350), "1.35s");
  EXPECT_EQ(duration_text(60'000), "1m0s");
  EXPECT_EQ(duration_text(125'400), "2m5s");
  EXPECT_EQ(duration_text(3'725'000), "1h2m5s");
  EXPECT_EQ(bytes_text(9), "9 B");
  EXPECT_EQ(bytes_text(940), "940 B");
  EXPECT_EQ(bytes_text(1240), "1.2 kB");
  EXPECT_EQ(bytes_text(243'732), "244 kB");
  EXPECT_EQ(percent_text(0.99999), "99.99%");
  EXPECT_EQ(percent_text(0.29), "29.00%");
  EXPECT_EQ(number_text(2611.812077), "2611.812077");
  EXPECT_EQ(number_text(100), "100");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(one_line("a\r\n\x1b[31m\x7f"), "a   [31m ");
  EXPECT_EQ(one_line("\xc2\x80[\xc2\x9b"
                     "31m\xc2\x9f"),
            " [ 31m ");  // C1
  EXPECT_EQ(one_line("\xc2\xa0\xc2\xb5s \xc3\x9b 콘서트\xc2"), "\xc2\xa0\xc2\xb5s \xc3\x9b 콘서트\xc2");
  EXPECT_EQ(aggregation_of("p(95) < 200"), "p(95)");
}

}  // namespace
}  // namespace spillway::load
