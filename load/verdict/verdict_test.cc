#include "load/verdict/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace spillway::load {
namespace {

void put(Results& results, std::string_view name, MetricType type, double sum, std::uint64_t samples) {
  Sink sink;
  sink.sum = sum;
  sink.samples = samples;
  results.measured.add(results.measured.metric({std::string(name), type}), {}, sink);
}

/// 60 s of 1,000 requests a second of 10 ms, of which one in a thousand failed.
Results good() {
  Results r;
  r.duration_s = 60;
  put(r, metric::kHttpReqs, MetricType::kCounter, 60'000, 60'000);
  put(r, metric::kIterations, MetricType::kCounter, 60'000, 60'000);
  put(r, metric::kHttpReqFailed, MetricType::kRate, 60, 60'000);
  Sink durations;
  durations.samples = 60'000;
  durations.values = std::make_shared<Histogram>();
  for (std::uint64_t i = 0; i < durations.samples; ++i) durations.values->record(10'000'000);
  r.measured.add(r.measured.metric({std::string(metric::kHttpReqDuration), MetricType::kTrend}), {},
                 durations);
  for (int second = 1; second <= 60; ++second) {
    TimelinePoint point;
    point.at_s = second;
    point.requests = 1'000;
    point.failed = 1;
    point.p95_of_10s = 10;
    r.timeline.push_back(point);
  }
  r.thresholds = {{"http_req_duration", "p(95)<200", true, 10}, {"http_reqs", "count>10", true, 60'000}};
  r.thresholds[0].core = true;
  r.invariants = {{"exactly N winners", true, 100, 0, "100 winners of 100 places"}};
  return r;
}

void miss(Results& r, bool core) {
  r.measured.metric({core ? "checks" : "winners", MetricType::kCounter});
  r.thresholds.push_back({core ? "checks" : "winners", "count>1", false, 0});
  r.thresholds.back().core = core;
}
void drop(Results& r, double iterations) {
  put(r, metric::kDroppedIterations, MetricType::kCounter, iterations, 1);
}
void miss_dropped(Results& r) { r.thresholds.push_back({"dropped_iterations", "count<=0", false, 600}); }
/// A bad second shows in the ten windows that hold it.
void slow_at(Results& r, int second, double p95 = 31) {
  for (int end = second; end < std::min(second + 10, 61); ++end)
    r.timeline[static_cast<std::size_t>(end - 1)].p95_of_10s = p95;
}
void fail_at(Results& r, int second, std::uint64_t failed) {
  r.timeline[static_cast<std::size_t>(second - 1)].failed = failed;
}

bool tells(const std::vector<std::string>& texts, std::string_view part) {
  return std::any_of(texts.begin(), texts.end(), [&](auto& t) { return t.find(part) != t.npos; });
}

struct Case {
  const char* what;
  std::function<void(Results&)> change;
  Verdict verdict;
  int exit;
  const char* ground;
};

void expect_all(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    Results r = good();
    one.change(r);
    judge(Plan{}, r);
    EXPECT_EQ(name(r.verdict), name(one.verdict)) << one.what;
    EXPECT_EQ(exit_code(r), one.exit) << one.what;
    EXPECT_TRUE(tells(r.grounds, one.ground)) << one.what << ": " << testing::PrintToString(r.grounds);
    EXPECT_EQ(r.action_items.empty(), r.verdict == Verdict::kPass) << one.what;
  }
}

TEST(Verdict, OfThresholdsAndSteadiness) {
  expect_all({
      {"all well", [](Results&) {}, Verdict::kPass, 0, "all 2 thresholds hold"},
      {"one missed", [](Results& r) { miss(r, false); }, Verdict::kWarn, 99,
       "winners missed count>1: it was 0"},
      {"two missed", [](Results& r) { miss(r, false), miss(r, false); }, Verdict::kFail, 99,
       "winners missed"},
      {"a core one missed", [](Results& r) { miss(r, true); }, Verdict::kFail, 99,
       "checks missed count>1: it was 0 (core)"},
      {"a warn bound missed",
       [](Results& r) { r.thresholds[0].warn = "p(95)<5", r.thresholds[0].warn_ok = false; }, Verdict::kWarn,
       0, "missed its warn bound p(95)<5: it was 10"},
      {"warn bound that nobody gave", [](Results& r) { r.thresholds[0].warn_ok = false; }, Verdict::kPass, 0,
       "hold"},
      {"spike", [](Results& r) { slow_at(r, 30); }, Verdict::kWarn, 0,
       "a spike: p95 of ten seconds 31.00 ms from 30 s to 39 s"},
      {"three times is not more than three times", [](Results& r) { slow_at(r, 30, 30); }, Verdict::kPass, 0,
       "steady"},
      {"no window before ten seconds", [](Results& r) { r.timeline[4].p95_of_10s = 99; }, Verdict::kPass, 0,
       "steady"},
      {"unsteady errors", [](Results& r) { fail_at(r, 30, 101); }, Verdict::kWarn, 0,
       "errors were not steady: 1.10% of ten"},
      {"errors below 1% of ten seconds", [](Results& r) { fail_at(r, 30, 90); }, Verdict::kPass, 0,
       "0.10% of all requests"},
      {"no thresholds", [](Results& r) { r.thresholds.clear(); }, Verdict::kPass, 0,
       "the plan has no thresholds"},
  });
}

TEST(Verdict, OfInvariantsTheGeneratorAndTheLoad) {
  expect_all({
      {"invariant violated",
       [](Results& r) {
         r.invariants[0] = {"exactly N winners", false, 100, 1, "101 winners"};
       },
       Verdict::kFail, 99, "\"exactly N winners\" was violated: 101 winners"},
      {"invariant violated while the generator was slow",
       [](Results& r) { r.invariants[0].ok = false, r.self.grounds = {"CPU"}; }, Verdict::kFail, 99,
       "was violated"},
      {"invariant violated without requests",
       [](Results& r) {
         const auto invariants = r.invariants;
         r = Results{};
         r.invariants = invariants;
         r.invariants[0].ok = false;
       },
       Verdict::kFail, 99, "was violated"},
      {"invariant with nothing to look at",
       [](Results& r) {
         r.invariants[0] = {"exactly N winners", false, 0, 0, "no event"};
       },
       Verdict::kInvalid, 98, "had nothing to look at: no event"},
      {"generator was slow", [](Results& r) { r.self.grounds = {"CPU 99%"}; }, Verdict::kInvalid, 98,
       "the generator was the bottleneck: CPU 99%"},
      {"generator was slow and a core threshold missed",
       [](Results& r) { r.self.grounds = {"CPU 99%"}, miss(r, true); }, Verdict::kInvalid, 99, "bottleneck"},
      {"no requests", [](Results& r) { r = Results{}; }, Verdict::kInvalid, 98, "no request was made"},
      {"no requests, thresholds missed", [](Results& r) { r = Results{}, miss(r, true), miss(r, true); },
       Verdict::kInvalid, 99, "no request was made"},
      {"0.1% dropped", [](Results& r) { drop(r, 60); }, Verdict::kPass, 0, "hold"},
      {"more than 0.1% dropped", [](Results& r) { drop(r, 61); }, Verdict::kInvalid, 98,
       "61 of 60061 iterations"},
      {"dropped, told by the watch alone", [](Results& r) { r.self.dropped_iterations = 61; },
       Verdict::kInvalid, 98, "the load was not applied"},
      {"dropped and one missed", [](Results& r) { drop(r, 600), miss(r, false); }, Verdict::kWarn, 99,
       "not applied"},
      {"dropped and core missed", [](Results& r) { drop(r, 600), miss(r, true); }, Verdict::kFail, 99,
       "not applied"},
      {"dropped and several missed", [](Results& r) { drop(r, 600), miss(r, false), miss(r, false); },
       Verdict::kFail, 99, "not applied"},
      {"dropped, and a threshold says so too", [](Results& r) { drop(r, 600), miss_dropped(r); },
       Verdict::kInvalid, 99, "not applied"},
      {"dropped, a threshold says so too, and one missed",
       [](Results& r) { drop(r, 600), miss_dropped(r), miss(r, false); }, Verdict::kFail, 99, "not applied"},
      {"few dropped, and a threshold that allows none", [](Results& r) { drop(r, 1), miss_dropped(r); },
       Verdict::kWarn, 99, "dropped_iterations missed count<=0"},
      {"aborted by a person", [](Results& r) { r.aborted = true; }, Verdict::kInvalid, 105,
       "stopped before its end, after 60 s"},
      {"aborted by a person, one missed", [](Results& r) { r.aborted = true, miss(r, false); },
       Verdict::kInvalid, 99, "stopped"},
      {"aborted by a person, several missed",
       [](Results& r) { r.aborted = true, miss(r, false), miss(r, false); }, Verdict::kInvalid, 99,
       "stopped"},
      {"aborted by a person, core missed", [](Results& r) { r.aborted = true, miss(r, true); },
       Verdict::kFail, 99, "stopped"},
  });
}

TEST(Verdict, OfARunThatAThresholdStopped) {
  Plan plan;
  plan.thresholds = {{.metric = " winners ", .expression = "count>1", .abort_on_fail = true}};
  Results r = good();
  r.aborted = true;
  miss(r, false);
  judge(plan, r);
  EXPECT_EQ(name(r.verdict), "WARN");
  plan.thresholds[0].abort_on_fail = false;  // then it was a person
  judge(plan, r);
  EXPECT_EQ(name(r.verdict), "INVALID");
}

TEST(Verdict, OfFailuresThatNoThresholdIsAbout) {
  const char* ground = "of all requests failed, and no threshold of the plan is about failures";
  const auto fail = [](Results& r, double more) {
    put(r, metric::kHttpReqFailed, MetricType::kRate, more, static_cast<std::uint64_t>(more));
  };
  const auto about_failures = [](Results& r, const char* metric) {
    r.thresholds.push_back({metric, "rate<0.5", true, 0.2});
  };
  expect_all({
      {"a tenth", [&](Results& r) { fail(r, 6'600); }, Verdict::kPass, 0, "10.00% of all requests"},
      {"more than a tenth", [&](Results& r) { fail(r, 6'601); }, Verdict::kFail, 99, ground},
      {"a threshold", [&](Results& r) { fail(r, 9'000), about_failures(r, "http_req_failed"); },
       Verdict::kPass, 0, "all 3 thresholds hold"},
      {"a threshold on a part",
       [&](Results& r) {
         fail(r, 9'000), about_failures(r, "http_req_failed{name:enter}");
         Sink part;
         part.samples = 1;
         r.measured.add(r.measured.metric({"http_req_failed", MetricType::kRate}), {{"name", "enter"}}, part);
       },
       Verdict::kPass, 0, "all 3 thresholds hold"},
      {"a threshold on nothing",
       [&](Results& r) { fail(r, 9'000), about_failures(r, "http_req_failed{name:slip}"); }, Verdict::kFail,
       99, ground},
      {"the generator was the bottleneck", [&](Results& r) { fail(r, 9'000), r.self.grounds = {"CPU"}; },
       Verdict::kInvalid, 98, ground},
  });
}

TEST(Verdict, OfThresholdsThatNothingWasMeasuredFor) {
  const auto empty = [](Results& r, const char* metric, bool core) {
    r.thresholds.push_back({metric, "p(95)<9", true, 0});
    r.thresholds.back().core = core;
  };
  const char* ground =
      "http_req_duration{name:slip}: p(95)<9: nothing was measured that this threshold is about";
  expect_all({
      {"core", [&](Results& r) { empty(r, "http_req_duration{name:slip}", true); }, Verdict::kInvalid, 98,
       ground},
      {"core, and one missed",
       [&](Results& r) { empty(r, "http_req_duration{name:slip}", true), miss(r, false); }, Verdict::kWarn,
       99, ground},
      {"core, and a core one missed",
       [&](Results& r) { empty(r, "http_req_duration{name:slip}", true), miss(r, true); }, Verdict::kFail, 99,
       ground},
  });
  Results r = good();
  empty(r, "queue_wait{name:slip}", false);
  judge(Plan{}, r);
  EXPECT_EQ(name(r.verdict), "PASS");
  EXPECT_TRUE(tells(r.action_items, "See whether queue_wait{name:slip} is what you mean"));
}

TEST(Verdict, WindowsThatTouchAreOneSpike) {
  Results r = good();
  slow_at(r, 12, 50);
  slow_at(r, 25, 40);  // its first window is [15, 25], which touches [11, 21]
  slow_at(r, 50, 60);
  judge(Plan{}, r);
  EXPECT_EQ(r.spikes_at_s, (std::vector<double>{12, 50}));
  EXPECT_TRUE(tells(r.grounds, "50.00 ms from 12 s to 34 s"));
  EXPECT_TRUE(r.errors_steady);
}

FaultResult fault(double recovery_s) { return {"kill -9 the server", 20, 25, recovery_s, 900, ""}; }

TEST(Verdict, WhatAFaultDoesIsToldAndDoesNotCount) {
  Results r = good();
  r.faults = {fault(3)};
  for (int second = 20; second <= 28; ++second) fail_at(r, second, 900), slow_at(r, second, 900);
  judge(Plan{}, r);
  EXPECT_EQ(name(r.verdict), "PASS") << testing::PrintToString(r.grounds);
  EXPECT_TRUE(r.errors_steady);
  EXPECT_EQ(r.spikes_at_s, std::vector<double>{20});
  EXPECT_EQ(r.grounds.front(), "all 2 thresholds hold");
  EXPECT_TRUE(tells(
      r.grounds,
      "a spike: p95 of ten seconds 900.00 ms from 20 s to 37 s, within the fault \"kill -9 the server\""));
  EXPECT_TRUE(
      tells(r.grounds, "errors were not steady: 81.01% of ten seconds from 20 s to 37 s, within the fault"));
}

TEST(Verdict, WhatIsPartlyBesideAFaultCounts) {
  for (const int second : {18, 32}) {  // 32: its last window ends at 41 s, more than ten seconds after 28 s
    Results r = good();
    r.faults = {fault(3)};
    slow_at(r, second);
    judge(Plan{}, r);
    EXPECT_EQ(name(r.verdict), "WARN") << second;
  }
}

TEST(Verdict, AFaultExcusesItsOwnWindowsWhateverTouchesThem) {
  Results r = good();
  r.faults = {fault(3)};  // explains what ends from 20 s to 38.5 s
  slow_at(r, 20, 900), slow_at(r, 28, 900), slow_at(r, 36, 500);
  judge(Plan{}, r);
  EXPECT_EQ(name(r.verdict), "WARN");
  EXPECT_EQ(r.spikes_at_s, (std::vector<double>{20, 39}));
  EXPECT_TRUE(tells(r.grounds, "900.00 ms from 20 s to 38 s, within the fault"));
  EXPECT_TRUE(tells(r.grounds, "500.00 ms from 39 s to 45 s"));
}

TEST(Verdict, ASpikeOfALateGeneratorIsToldAsOneAndCounts) {
  Results r = good();
  slow_at(r, 30);
  r.timeline[18].lag_p99_ms = 60;  // before the first window, which begins at 20 s
  r.timeline[29].lag_p99_ms = 50;
  judge(Plan{}, r);
  EXPECT_FALSE(tells(r.grounds, "the generator was late then itself")) << testing::PrintToString(r.grounds);
  r.timeline[29].lag_p99_ms = 51;
  judge(Plan{}, r);
  EXPECT_TRUE(tells(r.grounds, "from 30 s to 39 s, and the generator was late then itself"));
  EXPECT_EQ(name(r.verdict), "WARN");
}

TEST(Verdict, AFaultWithoutRecoveryExplainsNothingAfterIt) {
  Results r = good();
  r.faults = {fault(-1)};
  for (int second = 20; second <= 60; ++second) fail_at(r, second, 900);
  judge(Plan{}, r);
  EXPECT_EQ(name(r.verdict), "WARN");
  EXPECT_FALSE(r.errors_steady);
  EXPECT_TRUE(tells(r.grounds, "no recovery within the run from the fault \"kill -9 the server\""));
  EXPECT_TRUE(tells(r.grounds, "from 20 s to 35 s, within the fault"));
  EXPECT_TRUE(tells(r.action_items, "did not recover"));
}

TEST(Verdict, EvaluatesThePlansThresholdsWhereNobodyDid) {
  Plan plan;
  plan.thresholds = {{.metric = "http_req_duration", .expression = "p(95)<9"},
                     {.metric = "htp_reqs", .expression = "count<9"},
                     {.metric = "http_req_duration{name:enter}", .expression = "p(95)<9"}};
  Results r = good();
  r.thresholds.clear();
  judge(plan, r);
  ASSERT_EQ(r.thresholds.size(), 3U);
  EXPECT_NEAR(r.thresholds[0].value, 10, 0.02);
  EXPECT_EQ(name(r.verdict), "FAIL");
  EXPECT_TRUE(tells(r.grounds, "htp_reqs missed count<9: nothing of that name was measured"));
  EXPECT_TRUE(tells(r.action_items, "http_req_duration{name:enter} is what you mean"));
}

TEST(Verdict, NamesTheScenariosThatDropped) {
  Plan plan;
  plan.scenarios.resize(2);
  plan.scenarios[0].name = "people";
  plan.scenarios[0].executor = Executor::kConstantArrivalRate;
  plan.scenarios[1].name = "others";
  Results r = good();
  drop(r, 600);
  r.checks = {{"status is 202", 10, 2}};
  judge(plan, r);
  EXPECT_TRUE(tells(r.action_items, "Raise maxVUs of people, or"));
  EXPECT_TRUE(tells(r.action_items, "the 2 answers of 12 that failed the check \"status is 202\""));
}

}  // namespace
}  // namespace spillway::load
