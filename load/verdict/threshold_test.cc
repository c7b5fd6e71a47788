#include "load/verdict/threshold.h"

#include <gtest/gtest.h>

namespace spillway::load {
namespace {

Sink trend(const std::vector<double>& ms) {
  Sink sink;
  sink.values = std::make_shared<Histogram>();
  for (const double one : ms) {
    sink.values->record(static_cast<std::int64_t>(one * 1e6));
    ++sink.samples;
  }
  return sink;
}

Sink numbers(double sum, std::uint64_t samples, double last = 0) {
  Sink sink;
  sink.sum = sum;
  sink.samples = samples;
  sink.last = last;
  return sink;
}

Measurements some() {
  Measurements m;
  const auto add = [&](std::string_view name, MetricType type, const Tags& tags, const Sink& sink) {
    m.add(m.metric({std::string(name), type}), tags, sink);
  };
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  add(metric::kHttpReqDuration, MetricType::kTrend, {{"name", "enter"}, {"status", "200"}}, trend(hundred));
  add(metric::kHttpReqDuration, MetricType::kTrend, {{"name", "poll"}}, trend({1000}));
  add(metric::kHttpReqs, MetricType::kCounter, {}, numbers(500, 500));
  add(metric::kHttpReqFailed, MetricType::kRate, {}, numbers(5, 500));
  add(metric::kVus, MetricType::kGauge, {}, numbers(0, 2, 7));
  add("queue_wait", MetricType::kTrend, {}, trend({3}));
  m.metric({"winners", MetricType::kCounter});
  m.metric({"let_in", MetricType::kRate});
  m.metric({"exits_per_entry", MetricType::kGauge});
  return m;
}

ThresholdResult evaluated(std::string_view metric, std::string_view expression) {
  const auto parsed = parse_threshold(metric, expression);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed->evaluate(some(), 10);
}

TEST(Threshold, EveryAggregationAndOperator) {
  const struct {
    std::string_view metric, expression;
    bool ok;
    double value;
  } kCases[] = {
      {"http_reqs", "count>499", true, 500},
      {"http_reqs", "count > 500", false, 500},
      {"http_reqs", "count>=500", true, 500},
      {"http_reqs", "count<=500", true, 500},
      {"http_reqs", "count<500", false, 500},
      {"http_reqs", "count==500", true, 500},
      {"http_reqs", "count===500", true, 500},
      {"http_reqs", "count!=500", false, 500},
      {"http_reqs", " rate>=50 ", true, 50},  // of a counter: a second
      {"http_req_failed", "rate<0.01", false, 0.01},
      {"http_req_failed", "rate<1.1e-2", true, 0.01},
      {"vus", "value<8", true, 7},
      {"http_req_duration{name:enter}", "avg<50", false, 50.5},
      {"http_req_duration{name:enter}", "min>=1", true, 1},
      {"http_req_duration{name:enter}", "med<49", false, 50},
      {"http_req_duration{name:enter}", "max<=100", true, 100},
      {"http_req_duration{name:enter}", "p(95)<94", false, 95},
      {"http_req_duration{name:enter}", "p(99.9)<101", true, 100},
      {"http_req_duration{name:enter,status:200}", "max<=100", true, 100},
      {"http_req_duration{ \"name\" : 'enter' }", "max<=100", true, 100},
      {"http_req_duration", "max<=100", false, 1000},
      {"queue_wait", "max<4", true, 3},
  };
  for (const auto& one : kCases) {
    const ThresholdResult result = evaluated(one.metric, one.expression);
    EXPECT_EQ(result.ok, one.ok) << one.metric << ": " << one.expression;
    EXPECT_NEAR(result.value, one.value, one.value / 500) << one.metric << ": " << one.expression;
  }
}

// As k6 1.8.1 was seen to do with a metric, or a submetric, without samples.
TEST(Threshold, WithoutSamplesAsK6) {
  EXPECT_TRUE(evaluated("http_req_duration{name:none}", "p(95)<200").ok);
  EXPECT_FALSE(evaluated("http_reqs{name:none}", "count>0").ok);
  EXPECT_TRUE(evaluated("http_req_failed{name:none}", "rate>0.9").ok);
  EXPECT_TRUE(evaluated("dropped_iterations", "count==0").ok);
  EXPECT_TRUE(evaluated("checks", "rate==1").ok);
  EXPECT_FALSE(evaluated("winners", "count==3").ok);
  EXPECT_TRUE(evaluated("let_in", "rate==1").ok);
  EXPECT_TRUE(evaluated("exits_per_entry", "value>=0.95").ok);
  EXPECT_TRUE(evaluated("vus{scenario:none}", "value>100").ok);
  EXPECT_TRUE(parse_threshold("checks", "rate==1")->empty(some()));
  EXPECT_FALSE(parse_threshold("vus", "value<8")->empty(some()));
}

TEST(Threshold, AMetricNobodyKnowsOrOfAnotherTypeIsMissed) {
  EXPECT_FALSE(evaluated("queue_weight", "p(95)<200").ok);
  EXPECT_FALSE(evaluated("queue_wait", "count<200").ok);
}

TEST(Threshold, CoreAreFailuresChecksAndLatencies) {
  for (const auto* name : {"http_req_failed", "checks", "http_req_failed{name:a}"})
    EXPECT_TRUE(evaluated(name, "rate<1").core) << name;
  for (const auto* name : {"http_req_duration{name:a}", "http_req_response_time", "iteration_duration"})
    EXPECT_TRUE(evaluated(name, "p(95)<1").core) << name;
  EXPECT_FALSE(evaluated("http_reqs", "count>0").core);
  EXPECT_FALSE(evaluated("queue_wait", "p(95)<1").core);
}

TEST(Threshold, SaysWhatIsWrong) {
  const struct {
    std::string_view metric, expression, message;
  } kCases[] = {
      {"checks", "rate", "threshold checks: rate: has no operator"},
      {"checks", "rate=1", "has no operator"},
      {"checks", "rate!1", "has no operator"},
      {"checks", "rate<", "\"\" on the right is not a number"},
      {"checks", "rate<1%", "\"1%\" on the right is not a number"},
      {"checks", "rate<<1", "\"<1\" on the right is not a number"},
      {"checks", "rate<nan", "not a number"},
      {"checks", "rate<inf", "not a number"},
      {"checks", "<1", "\"\" on the left is none of"},
      {"queue_wait", "p95<200", "\"p95\" on the left is none of"},
      {"queue_wait", "p(101)<200", "from 0 to 100"},
      {"queue_wait", "p()<200", "from 0 to 100"},
      {"queue_wait", "p(<200", "on the left is none of"},
      {"checks", "p(95)<200", "threshold checks: p(95)<200: checks is a rate, which has rate"},
      {"http_req_duration", "rate<1", "http_req_duration is a trend, which has avg, min, med, max, p(N)"},
      {"vus", "count<1", "vus is a gauge, which has value"},
      {"", "rate<1", "a name has letters"},
      {"a b", "rate<1", "a name has letters"},
      {"checks{a:b", "rate<1", "must end with }"},
      {"checks}", "rate<1", "a name has letters"},
      {"checks{}", "rate<1", "\"\" is not tag:value"},
      {"checks{a}", "rate<1", "\"a\" is not tag:value"},
      {"checks{a:b,}", "rate<1", "\"\" is not tag:value"},
      {"checks{a:b,a:c}", "rate<1", "the tag \"a\" is there twice"},
  };
  for (const auto& one : kCases) {
    const auto parsed = parse_threshold(one.metric, one.expression);
    ASSERT_FALSE(parsed) << one.metric << ": " << one.expression;
    EXPECT_NE(parsed.error().message.find(one.message), std::string::npos) << parsed.error().message;
  }
  EXPECT_FALSE(parse_threshold("checks", std::string(600, ' ') + "rate<" + std::string(600, '1')));
  EXPECT_FALSE(parse_threshold("c" + std::string(600, 'c'), "rate<1"));
}

TEST(Threshold, OfAPlan) {
  Plan plan;
  plan.thresholds = {
      {.metric = "http_req_duration{name:enter}", .expression = "p(95)<200", .warn = "p(95)<90"},
      {.metric = "winners", .expression = "count==3"}};
  EXPECT_FALSE(check_thresholds(plan, {}));
  EXPECT_TRUE(check_thresholds(plan, {{"winners", MetricType::kCounter}}));
  EXPECT_FALSE(check_thresholds(plan, {{"winners", MetricType::kTrend}}));
  const auto results = evaluate_all(plan, some(), 10);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_TRUE(results[0].ok);
  EXPECT_FALSE(results[0].warn_ok);
  EXPECT_EQ(results[0].warn, "p(95)<90");
  EXPECT_FALSE(results[1].ok);

  plan.thresholds[0].warn = "p(95)";
  const Status wrong = check_thresholds(plan, {{"winners", MetricType::kCounter}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message.rfind("warn of threshold http_req_duration{name:enter}: p(95): ", 0), 0U);
}

TEST(Threshold, OnWhatEveryRunMeasures) {
  Plan plan;
  for (const auto* part : {"blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving"})
    plan.thresholds.push_back({.metric = std::string("http_req_") + part, .expression = "p(95)<200"});
  for (const auto* data : {"data_sent", "data_received"})
    plan.thresholds.push_back({.metric = data, .expression = "count>0"});
  const Status known = check_thresholds(plan, {});
  EXPECT_TRUE(known) << known.error().message;
}

TEST(Threshold, OnAScenarioThatIsNotThere) {
  Plan plan;
  plan.scenarios.resize(2);
  plan.scenarios[0].name = "warm";
  plan.scenarios[1].name = "crowd";
  plan.thresholds = {{.metric = "http_req_failed{scenario:crowd}", .expression = "rate<1"}};
  EXPECT_TRUE(check_thresholds(plan, {}));
  plan.thresholds[0].metric = "http_req_failed{scenario:crowed}";
  const Status wrong = check_thresholds(plan, {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message,
            "threshold http_req_failed{scenario:crowed}: rate<1: the plan has no scenario \"crowed\". Known: "
            "warm, crowd");
}

TEST(Threshold, AbortsWhenItsDelayIsOverAndThereAreSamples) {
  Plan plan;
  plan.thresholds = {{.metric = "checks", .expression = "rate==1", .abort_on_fail = true},
                     {.metric = "winners", .expression = "count>3", .abort_on_fail = true},
                     {.metric = "http_reqs", .expression = "count>1000"},
                     {.metric = "http_req_failed",
                      .expression = "rate<0.01",
                      .abort_on_fail = true,
                      .delay_abort_eval_s = 5}};
  EXPECT_FALSE(reason_to_abort(plan, some(), 4));
  const auto reason = reason_to_abort(plan, some(), 5);
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, "http_req_failed missed rate<0.01 (it was 0.01) and has abortOnFail");
}

}  // namespace
}  // namespace spillway::load
