#include "load/measure/metrics.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "load/engine/recorder.h"

namespace spillway::load {
namespace {

Sink trend(std::int64_t from_us, std::int64_t to_us) {
  Sink sink;
  sink.values = std::make_shared<Histogram>();
  for (std::int64_t us = from_us; us <= to_us; ++us) sink.values->record(us * 1000);
  sink.samples = sink.values->count();
  return sink;
}

TEST(Measurements, AddsUpByMetricAndTags) {
  Measurements a, b;
  const auto put = [](Measurements& m, const std::string& step, double count) {
    Sink sink;
    sink.sum = count;
    sink.samples = 1;
    m.add(m.metric({"http_reqs", MetricType::kCounter}), {{"name", step}, {"scenario", "s"}}, sink);
  };
  put(a, "enter", 2);
  put(a, "poll", 3);
  b.metric({"another", MetricType::kRate});  // so that the numbers of the metrics differ
  put(b, "enter", 5);
  a.add(b);
  EXPECT_EQ(a.select("http_reqs").sum, 10);
  EXPECT_EQ(a.select("http_reqs", {{"name", "enter"}}).sum, 7);
  EXPECT_EQ(a.select("http_reqs", {{"name", "enter"}, {"scenario", "other"}}).samples, 0U);
  EXPECT_EQ(a.select("nothing").samples, 0U);
  EXPECT_EQ(a.tag_values("http_reqs", "name"), (std::vector<std::string>{"enter", "poll"}));
}

TEST(Measurements, AreTheSameAfterTheWayToAnotherProcess) {
  Measurements a;
  a.add(a.metric({"t", MetricType::kTrend, Contains::kTime}), {{"name", "a b {} 7 \n"}}, trend(1, 5'000));
  Sink gauge;
  gauge.last = 0.1;
  gauge.min = -2;
  gauge.max = 1e300;
  gauge.samples = 3;
  a.add(a.metric({"g", MetricType::kGauge}), {}, gauge);
  const std::string text = a.encode();
  const auto b = Measurements::decode(text);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->encode(), text);
  EXPECT_EQ(b->select("g").max, 1e300);
  EXPECT_EQ(b->select("t").quantile(0.95), a.select("t").quantile(0.95));
  for (std::size_t size = 1; size < text.size(); ++size) {
    const auto cut = Measurements::decode(std::string_view(text).substr(0, size));
    EXPECT_TRUE(!cut || cut->encode().size() <= size) << size;  // never more than there was
  }
  EXPECT_FALSE(Measurements::decode("x"));
}

TEST(Histogram, TwoAddUpToWhatOneWouldHaveHeld) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> ns(14, 2);
  Histogram one, left, right;
  for (int i = 0; i < 100'000; ++i) {
    const auto value = static_cast<std::int64_t>(ns(random));
    one.record(value);
    (i % 3 == 0 ? left : right).record(value);
  }
  Histogram merged;
  EXPECT_TRUE(merged.add_encoded(left.encode()));
  merged.add(right);
  EXPECT_EQ(merged.encode(), one.encode());
  for (const double fraction : {0.0, 0.5, 0.95, 0.999, 1.0})
    EXPECT_EQ(merged.quantile_us(fraction), one.quantile_us(fraction));
  EXPECT_FALSE(merged.add_encoded("5 1 1 1 0 4 "));  // says five and has four
  EXPECT_EQ(merged.count(), one.count());
}

TEST(Recorder, GivesEachSecondOnceAndLosesNothing) {
  Recorder recorder;
  const auto step = recorder.add_step("enter", "POST", {{"scenario", "people"}});
  const auto waits = recorder.add_series({"waits", MetricType::kTrend, Contains::kTime}, {});
  Measurements all;
  for (int second = 0; second < 3; ++second) {
    for (int i = 0; i <= second; ++i) {
      recorder.request(step, second == 2 ? 503 : 200, second != 2,
                       {0, 0, 1'000, 2'000'000, 3'000, 5'000'000});
      recorder.add(waits, 7.5);
    }
    all.add(recorder.drain());
  }
  EXPECT_TRUE(recorder.drain().series().empty());
  EXPECT_EQ(all.select("http_reqs").sum, 6);
  EXPECT_EQ(all.select("http_req_failed").rate(), 0.5);
  EXPECT_EQ(all.select("http_reqs", {{"status", "503"}, {"name", "enter"}, {"method", "POST"}}).sum, 3);
  EXPECT_NEAR(all.select("http_req_duration").avg(), 2.004, 1e-9);
  EXPECT_NEAR(all.select("http_req_response_time").avg(), 5, 1e-9);
  EXPECT_NEAR(all.select("waits").quantile(0.5), 7.5, 0.01);
  EXPECT_EQ(all.select("waits").samples, 6U);
}

}  // namespace
}  // namespace spillway::load
