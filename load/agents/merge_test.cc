// What agents tell is exact: it makes no difference how many threads of how many machines measured.

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "load/engine/collector.h"
#include "load/engine/recorder.h"
#include "load/engine/worker.h"

namespace spillway::load {
namespace {

constexpr double kFractions[] = {0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

/// One thread's instruments.
struct Instruments {
  Recorder recorder;
  Recorder::StepId login = recorder.add_step("login", "POST", {{"scenario", "people"}});
  Recorder::StepId poll = recorder.add_step("poll", "GET", {{"scenario", "people"}});
  Recorder::SeriesId iterations =
      recorder.add_series({"iterations", MetricType::kCounter}, {{"scenario", "people"}});
  Recorder::SeriesId checks =
      recorder.add_series({"checks", MetricType::kRate}, {{"check", "a | \"b\" 12 c"}});
  Recorder::SeriesId depth = recorder.add_series({"depth", MetricType::kGauge}, {});
  Recorder::SeriesId wait = recorder.add_series({"wait", MetricType::kTrend, Contains::kTime}, {});
  Histogram lag;
};

/// The n-th thing that happened, to whoever measures it.
void happen(std::uint64_t n, Instruments& at) {
  std::mt19937_64 random(n);
  const auto ns = [&](int bits) { return static_cast<std::int64_t>(random() >> (64 - bits)); };
  RequestTimes times;
  times.connecting_ns = ns(20);
  times.sending_ns = ns(14);
  times.waiting_ns = ns(20 + static_cast<int>(random() % 14));
  times.receiving_ns = ns(16);
  times.response_ns = times.sending_ns + times.waiting_ns + times.receiving_ns + ns(25);
  const bool fails = random() % 50 == 0;
  at.recorder.request(n % 3 == 0 ? at.login : at.poll, fails ? 503 : 200, !fails, times);
  at.recorder.add(at.iterations, 1);
  at.recorder.add(at.checks, fails ? 0 : 1);
  at.recorder.add(at.depth, static_cast<double>(random() % 1000));
  at.recorder.add(at.wait, static_cast<double>(random() % 100'000) / 7);
  at.recorder.bytes(random() % 500, random() % 5000);
  at.lag.record(ns(22));
}

void expect_same(const Histogram& a, const Histogram& b) {
  EXPECT_EQ(a.encode(), b.encode());
  EXPECT_EQ(a.count(), b.count());
  EXPECT_EQ(a.sum_ns(), b.sum_ns());
  EXPECT_EQ(a.min_ns(), b.min_ns());
  EXPECT_EQ(a.max_ns(), b.max_ns());
  for (const double fraction : kFractions)
    EXPECT_EQ(a.quantile_us(fraction), b.quantile_us(fraction)) << fraction;
}

/// But for a gauge's last value, which depends on who came last.
void expect_same(const Measurements& a, const Measurements& b) {
  ASSERT_EQ(a.series().size(), b.series().size());
  for (const Series& one : a.series()) {
    const Metric& metric = a.metrics()[one.metric];
    SCOPED_TRACE(metric.name);
    const Sink other = b.select(metric.name, one.tags), mine = a.select(metric.name, one.tags);
    // Of bytes a drain is one sample, however many there were.
    if (metric.contains != Contains::kData) {
      EXPECT_EQ(mine.samples, other.samples);
    }
    EXPECT_EQ(mine.sum, other.sum);
    EXPECT_EQ(mine.min, other.min);
    EXPECT_EQ(mine.max, other.max);
    ASSERT_EQ(mine.values != nullptr, other.values != nullptr);
    if (mine.values) expect_same(*mine.values, *other.values);
    const auto found = b.find(metric.name);
    ASSERT_TRUE(found);
    EXPECT_EQ(b.metrics()[*found], metric);
  }
}

SliceSecond a_second(std::uint64_t from, std::uint64_t count) {
  Instruments at;
  for (std::uint64_t n = from; n < from + count; ++n) happen(n, at);
  SliceSecond second;
  second.second = 3;
  second.vus = 5;
  second.made_vus = 9;
  second.cpu_s = 0.1;
  second.socket_errors = 2;
  second.lag = at.lag;
  second.measured = at.recorder.drain();
  return second;
}

TEST(AgentMerge, ASecondComesThroughAsItWas) {
  const SliceSecond one = a_second(1, 500);
  const auto read = SliceSecond::decode(one.encode());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->second, 3U);
  EXPECT_EQ(read->vus, 5U);
  EXPECT_EQ(read->made_vus, 9U);
  EXPECT_EQ(read->cpu_s, 0.1);
  EXPECT_EQ(read->socket_errors, 2U);
  expect_same(read->lag, one.lag);
  expect_same(read->measured, one.measured);
  EXPECT_EQ(read->encode(), one.encode());
}

TEST(AgentMerge, ASecondThatIsCutOrSpoiltIsRefused) {
  const std::string good = a_second(1, 20).encode();
  ASSERT_TRUE(SliceSecond::decode(good));
  for (std::size_t size = 0; size < good.size(); ++size)
    ASSERT_FALSE(SliceSecond::decode(std::string_view(good).substr(0, size))) << size;
  EXPECT_FALSE(SliceSecond::decode(good + " "));
  EXPECT_FALSE(SliceSecond::decode("GET / HTTP/1.1"));
  // Whatever a spoilt byte makes of it: it is read or refused, and never more than that.
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string spoilt = good;
    spoilt[random() % spoilt.size()] = static_cast<char>(random() % 256);
    static_cast<void>(SliceSecond::decode(spoilt));
  }
}

TEST(AgentMerge, ThreeAgentsMeasureWhatOneProcessDoes) {
  constexpr std::uint64_t kSlices = 6, kSeconds = 4, kEach = 300;
  Collector of_agents(kSlices), of_one(1);
  Instruments one;
  std::vector<Instruments> agents(kSlices);
  std::uint64_t n = 0;
  for (std::uint32_t second = 0; second < kSeconds; ++second) {
    for (std::uint64_t i = 0; i < kEach; ++i, ++n) {
      happen(n, one);
      happen(n, agents[n * 2'654'435'761 / 128 % kSlices]);
    }
    for (std::size_t slice = 0; slice < kSlices; ++slice) {
      SliceSecond told;
      told.second = second;
      told.vus = slice;
      told.lag = std::exchange(agents[slice].lag, {});
      told.measured = agents[slice].recorder.drain();
      auto read = SliceSecond::decode(told.encode());
      ASSERT_TRUE(read);
      of_agents.add(slice, std::move(*read));
    }
    SliceSecond told;
    told.second = second;
    told.vus = kSlices * (kSlices - 1) / 2;
    told.lag = std::exchange(one.lag, {});
    told.measured = one.recorder.drain();
    of_one.add(0, std::move(told));
  }
  for (std::size_t slice = 0; slice < kSlices; ++slice) of_agents.end(slice, {});
  of_one.end(0, {});
  Timeline a, b;
  while (auto second = of_agents.take(0)) a.add(*second, {});
  while (auto second = of_one.take(0)) b.add(*second, {});
  ASSERT_EQ(a.points().size(), kSeconds);
  ASSERT_EQ(b.points().size(), kSeconds);
  for (std::size_t i = 0; i < kSeconds; ++i) {
    const TimelinePoint &x = a.points()[i], &y = b.points()[i];
    EXPECT_EQ(x.requests, kEach);
    EXPECT_EQ(x.requests, y.requests);
    EXPECT_EQ(x.failed, y.failed);
    EXPECT_EQ(x.vus, y.vus);
    EXPECT_EQ(x.service.p95, y.service.p95);
    EXPECT_EQ(x.response.p99, y.response.p99);
    EXPECT_EQ(x.p95_of_10s, y.p95_of_10s);
    EXPECT_EQ(x.steps, y.steps);
    EXPECT_EQ(x.lag_p99_ms, y.lag_p99_ms);
  }
  expect_same(a.measured(), b.measured());
  EXPECT_EQ(a.self(1).lag_max_ms, b.self(1).lag_max_ms);
}

TEST(AgentMerge, ALostSliceDoesNotHoldUpTheOthers) {
  Collector collector(2);
  SliceSecond second;
  collector.add(0, second);
  EXPECT_FALSE(collector.take(0)) << "the other has not told its second";
  collector.fail(1, "agent 127.0.0.2:7001: the connection was lost");
  EXPECT_TRUE(collector.take(0));
  collector.end(0, {});
  EXPECT_TRUE(collector.all_ended());
  EXPECT_EQ(collector.failures(), std::vector<std::string>{"agent 127.0.0.2:7001: the connection was lost"});
}

}  // namespace
}  // namespace spillway::load
