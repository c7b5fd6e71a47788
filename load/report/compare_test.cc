#include "load/report/compare.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "load/report/results_fixture.h"
#include "load/report/summary.h"

namespace spillway::load {
namespace {

struct Measured {
  double p95 = 100, failed = 0.001, checks = 1, rate = 500;
  std::string more = {};  ///< after "metrics"
  std::string metric = "http_req_duration{name:enter}", contains = "time";
  std::string thresholds = {};  ///< of the metric
};

/// As k6 writes it, with the keys that are needed.
std::string k6(const Measured& run) {
  return fmt::format(R"_({{"metrics":{{
    "{}":{{"type":"trend","contains":"{}","values":{{"avg":1,"p(90)":2,"p(95)":{}}}{}}},
    "http_req_failed":{{"type":"rate","contains":"default","values":{{"rate":{},"passes":1,"fails":1}}}},
    "checks":{{"type":"rate","contains":"default","values":{{"rate":{},"passes":1,"fails":1}}}},
    "vus":{{"type":"gauge","contains":"default","values":{{"value":1,"min":1,"max":1}}}},
    "http_reqs":{{"type":"counter","contains":"default","values":{{"count":5000,"rate":{}}}}}}}{}}})_",
                     run.metric, run.contains, run.p95,
                     run.thresholds.empty() ? "" : R"(,"thresholds":)" + run.thresholds, run.failed,
                     run.checks, run.rate, run.more);
}

std::string held(bool ok) { return fmt::format(R"({{"p(95)<105":{{"ok":{}}}}})", ok); }
std::string ours(std::string_view verdict, std::string_view plan) {
  return fmt::format(R"(,"spillway":{{"verdict":"{}","plan":{{"name":"{}"}}}})", verdict, plan);
}

TEST(Compare, Table) {
  const struct {
    const char* what;
    Measured a, b;
    bool worse;
  } kCases[] = {
      {"the same", {}, {}, false},
      {"a tenth slower", {}, {.p95 = 110}, false},
      {"more than a tenth slower", {}, {.p95 = 110.1}, true},
      {"faster", {}, {.p95 = 10}, false},
      {"twice as slow, within a millisecond", {.p95 = 0.4}, {.p95 = 1.3}, false},
      {"more than a millisecond", {.p95 = 0.4}, {.p95 = 1.5}, true},
      {"from nothing", {.p95 = 0}, {.p95 = 1.5}, true},
      {"a trend that is no time", {.contains = "default"}, {.p95 = 200, .contains = "default"}, false},
      {"longer sessions",
       {.metric = "ws_session_duration"},
       {.p95 = 200, .metric = "ws_session_duration"},
       false},
      {"failures within the slack", {}, {.failed = 0.0019}, false},
      {"more failures", {}, {.failed = 0.0021}, true},
      {"a tenth more of many failures", {.failed = 0.5}, {.failed = 0.54}, false},
      {"more than a tenth more of many", {.failed = 0.5}, {.failed = 0.56}, true},
      {"fewer failures", {}, {.failed = 0}, false},
      {"fewer checks passed", {}, {.checks = 0.998}, true},
      {"more checks passed", {.checks = 0.9}, {}, false},
      {"a tenth fewer requests", {}, {.rate = 450}, false},
      {"still fewer requests", {}, {.rate = 449}, true},
      {"fewer requests of another plan",
       {.more = ours("PASS", "x")},
       {.rate = 100, .more = ours("PASS", "y")},
       false},
      {"fewer requests of the same plan",
       {.more = ours("PASS", "x")},
       {.rate = 100, .more = ours("PASS", "x")},
       true},
      {"verdict", {.more = ours("WARN", "x")}, {.more = ours("FAIL", "x")}, true},
      {"invalid", {.more = ours("PASS", "x")}, {.more = ours("INVALID", "x")}, true},
      {"invalid after invalid", {.more = ours("INVALID", "x")}, {.more = ours("INVALID", "x")}, true},
      {"invalid after a fail", {.more = ours("FAIL", "x")}, {.more = ours("INVALID", "x")}, true},
      {"invalid after one of k6", {}, {.more = ours("INVALID", "x")}, true},
      {"valid after invalid", {.more = ours("INVALID", "x")}, {.more = ours("PASS", "x")}, false},
      {"threshold missed", {.thresholds = held(true)}, {.p95 = 106, .thresholds = held(false)}, true},
      {"threshold missed in both", {.thresholds = held(false)}, {.thresholds = held(false)}, false},
      {"threshold held now", {.thresholds = held(false)}, {.thresholds = held(true)}, false},
      {"threshold of A alone", {.thresholds = held(true)}, {}, false},
      {"threshold of B alone", {}, {.thresholds = held(false)}, false},
      {"a metric with a threshold is gone", {.thresholds = held(true)}, {.metric = "x"}, true},
      {"a metric without one is gone", {}, {.metric = "x"}, false},
      {"verdict as bad as it was", {.more = ours("FAIL", "x")}, {.more = ours("FAIL", "x")}, false},
  };
  for (const auto& one : kCases) {
    const auto found = compare(k6(one.a), k6(one.b));
    ASSERT_TRUE(found) << one.what << ": " << found.error().message;
    EXPECT_EQ(found->worse, one.worse) << one.what << ": " << testing::PrintToString(found->grounds);
    EXPECT_EQ(found->grounds.empty(), !one.worse) << one.what;
  }
}

TEST(Compare, TheToleranceIsTheCallers) {
  EXPECT_FALSE(compare(k6({}), k6({.p95 = 119}), 0.2)->worse);
  EXPECT_TRUE(compare(k6({}), k6({.p95 = 102}), 0.01)->worse);
  EXPECT_FALSE(compare(k6({}), k6({}), -0.1));
}

TEST(Compare, SideBySide) {
  const auto found = compare(k6({}), k6({.p95 = 150, .failed = 0.25, .rate = 505}));
  ASSERT_TRUE(found);
  EXPECT_EQ(comparison_text(*found, "a.json", "b.json"), R"(A: a.json
B: b.json

                                             A         B     change
checks                         rate   100.000%  100.000%      +0.0%
http_req_duration{name:enter}  avg         1ms       1ms      +0.0%
                               p(90)       2ms       2ms      +0.0%
                               p(95)     100ms     150ms     +50.0%  worse
http_req_failed                rate     0.100%   25.000%  +24900.0%  worse
http_reqs                      rate   500.00/s  505.00/s      +1.0%

worse: http_req_duration{name:enter} p(95): 150ms after 100ms
worse: http_req_failed rate: 25.000% after 0.100%
B is worse than A.
)");
}

TEST(Compare, WhatOnlyOneHasIsNoted) {
  const auto found = compare(k6({}), k6({.metric = "http_req_duration{name:poll}"}));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->worse);
  EXPECT_EQ(found->notes, (std::vector<std::string>{"http_req_duration{name:enter} is only in A",
                                                    "http_req_duration{name:poll} is only in B"}));
}

TEST(Compare, SaysWhyOfThresholdsAndVerdicts) {
  EXPECT_EQ(compare(k6({.thresholds = held(true)}), k6({.p95 = 106, .thresholds = held(false)}))->grounds,
            std::vector<std::string>{"http_req_duration{name:enter} missed p(95)<105, which A held"});
  EXPECT_EQ(compare(k6({.thresholds = held(true)}), k6({.metric = "x"}))->grounds,
            std::vector<std::string>{
                "http_req_duration{name:enter} is only in A, which has a threshold on it: p(95)<105"});
  const auto invalid = compare(k6({.more = ours("INVALID", "x")}), k6({.more = ours("INVALID", "x")}));
  EXPECT_EQ(invalid->grounds,
            std::vector<std::string>{"verdict: B is INVALID: it shows nothing about the server; repeat it"});
  EXPECT_EQ(invalid->notes,
            std::vector<std::string>{"A is INVALID: it shows nothing that B could be held against"});
}

TEST(Compare, ReadsWhatTheGeneratorWrites) {
  const std::string text = summary_json(sample_results());
  const auto found = compare(text, text);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->worse);
  const auto has = [&](std::string_view metric, std::string_view figure) {
    return std::any_of(found->figures.begin(), found->figures.end(),
                       [&](auto& f) { return f.metric == metric && f.figure == figure; });
  };
  EXPECT_TRUE(has("http_req_duration{name:enter}", "p(99)"));
  EXPECT_TRUE(has("people_let_in", "rate"));
}

TEST(Compare, SaysWhatIsWrongWithAFile) {
  const struct {
    std::string text, message;
  } kCases[] = {
      {"", "is not JSON: "},
      {"{]", "is not JSON: "},
      {"[]", "is no JSON object"},
      {"{}", "metrics: is not there, or no object"},
      {R"({"metrics":[]})", "metrics: is not there, or no object"},
      {R"({"metrics":{"a":1}})", "metrics.a: is no object"},
      {R"({"metrics":{"a":{"avg":1}}})",
       "metrics.a: has neither type nor values; is it of --summary-export?"},
      {R"({"metrics":{"a":{"type":"x","values":{}}}})", "metrics.a.type: is none of"},
      {R"({"metrics":{"a":{"type":"rate"}}})", "metrics.a.values: is no object"},
      {R"({"metrics":{"a":{"type":"rate","values":{"rate":"1"}}}})", "metrics.a.values.rate: is no number"},
      {R"({"metrics":{"a":{"type":"rate","values":{},"thresholds":1}}})",
       "metrics.a.thresholds: is no object"},
      {R"({"metrics":{"a":{"type":"rate","values":{},"thresholds":{"rate<1":true}}}})",
       "metrics.a.thresholds.rate<1.ok: is no bool"},
      {std::string(100, '['), "is not JSON: "},
  };
  for (const auto& one : kCases) {
    const auto a = compare(one.text, k6({})), b = compare(k6({}), one.text);
    ASSERT_FALSE(a) << one.text;
    ASSERT_FALSE(b) << one.text;
    EXPECT_EQ(a.error().message.rfind("A: " + one.message, 0), 0U) << a.error().message;
    EXPECT_EQ(b.error().message.rfind("B: " + one.message, 0), 0U) << b.error().message;
  }
}

}  // namespace
}  // namespace spillway::load
