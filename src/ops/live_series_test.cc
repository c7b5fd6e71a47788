#include "ops/live_series.h"

#include <gtest/gtest.h>

#include "base/json_reader.h"
#include "base/manual_clock.h"
#include "ops/live_sampler.h"

namespace spillway::ops {
namespace {

constexpr Timestamp kAt{1'800'000'000 * kSecond};

bool has(const std::string& point, const std::string& part) { return point.find(part) != std::string::npos; }

LiveSample sample(std::uint64_t accepted, std::uint64_t succeeded = 0) {
  LiveSample made;
  made.accepted = accepted;
  made.succeeded = succeeded;
  made.visible = accepted - succeeded;
  made.latency_bounds_seconds = {0.01, 0.1, 1};
  made.latency_counts = {succeeded, 0, 0, 0};
  return made;
}

TEST(LiveSeries, TellsWhatWasCountedSinceTheSampleBefore) {
  LiveSeries series;
  series.point(kAt, 0, sample(10, 4), {100, 1}, 0);
  LiveSample next = sample(25, 10);
  next.duplicate = 2;
  next.rejected = 3;
  next.oldest_age_seconds = 1.5;
  next.paused = true;
  const std::string point = series.point(kAt + kSecond, kSecond, next, {150, 4}, kSecond);
  EXPECT_EQ(point,
            R"({"at":"2027-01-15T08:00:01.000000Z","accepted":15,"duplicate":2,"refused":0,)"
            R"("finished":{"succeeded":6,"rejected":3,"failed":0},"visible":15,"inFlight":0,"delayed":0,)"
            R"("deadLetters":0,"oldestAgeSeconds":1.5,"latency":{"p50":0.005,"p99":0.0099,"count":6},)"
            R"("http":{"requests":50,"errors":3},"paused":true})");
  EXPECT_TRUE(check_json(point).ok());
}

TEST(LiveSeries, TheFirstPointHasNoRates) {
  LiveSeries series;
  const std::string point = series.point(kAt, 0, sample(10, 4), {100, 1}, 0);
  EXPECT_TRUE(has(point, R"("accepted":null)")) << point;
  EXPECT_TRUE(has(point, R"("visible":6)")) << point;
  EXPECT_TRUE(has(point, R"("latency":{"p50":null,"p99":null,"count":null})")) << point;
  EXPECT_TRUE(has(point, R"("http":{"requests":null,"errors":null})")) << point;
}

TEST(LiveSeries, NothingFinishedHasNoLatency) {
  LiveSeries series;
  series.point(kAt, 0, sample(10, 4), {}, 0);
  EXPECT_TRUE(has(series.point(kAt, kSecond, sample(11, 4), {}, kSecond),
                  R"("latency":{"p50":null,"p99":null,"count":0})"));
}

TEST(LiveSeries, WithoutASampleTheEngineIsUnknownAndHttpIsNot) {
  LiveSeries series;
  series.point(kAt, 0, sample(10), {100, 0}, 0);
  const std::string point = series.point(kAt, kSecond, {}, {130, 0}, kSecond);
  for (const char* name : {"accepted", "visible", "oldestAgeSeconds", "paused", "p99"}) {
    EXPECT_TRUE(has(point, std::string("\"") + name + "\":null")) << name << " in " << point;
  }
  EXPECT_TRUE(has(point, R"("http":{"requests":30,"errors":0})")) << point;
}

TEST(LiveSeries, NoRateIsBetterThanOneOfAnotherSpan) {
  for (const Micros gap : {kSecond / 4, 3 * kSecond}) {
    LiveSeries series;
    series.point(kAt, 0, sample(10), {100, 0}, 0);
    const std::string point = series.point(kAt, gap, sample(400), {900, 0}, gap);
    EXPECT_TRUE(has(point, R"("accepted":null)")) << point;
    EXPECT_TRUE(has(point, R"("visible":400)")) << point;
    EXPECT_TRUE(has(point, R"("requests":null)")) << point;
    // And from there it goes on.
    EXPECT_TRUE(
        has(series.point(kAt, gap + kSecond, sample(405), {901, 0}, gap + kSecond), R"("accepted":5)"));
  }
}

TEST(LiveSeries, CountersThatFellTellNothing) {
  LiveSeries series;
  series.point(kAt, 0, sample(10), {100, 0}, 0);
  const std::string point = series.point(kAt, kSecond, sample(9), {99, 0}, kSecond);
  EXPECT_TRUE(has(point, R"("accepted":null)")) << point;
  EXPECT_TRUE(has(point, R"("requests":null)")) << point;
}

TEST(Quantile, LiesWithinItsBucket) {
  const std::vector<double> bounds = {0.01, 0.1, 1};
  EXPECT_FALSE(quantile(bounds, {0, 0, 0, 0}, 0.5));
  EXPECT_FALSE(quantile({}, {}, 0.5));
  EXPECT_DOUBLE_EQ(*quantile(bounds, {0, 10, 0, 0}, 0.5), 0.055);
  EXPECT_DOUBLE_EQ(*quantile(bounds, {90, 0, 10, 0}, 0.9), 0.01);
  EXPECT_DOUBLE_EQ(*quantile(bounds, {90, 0, 10, 0}, 0.95), 0.55);
  EXPECT_DOUBLE_EQ(*quantile(bounds, {1, 0, 0, 99}, 0.99), 1) << "the last bucket has no upper bound";
}

/// The engine as a list of questions that the test answers when it likes.
class LiveSamplingTest : public testing::Test {
 protected:
  void second() {
    clock.advance(kSecond);
    sampling.tick();
  }
  void answer(std::optional<LiveSample> with) {
    ASSERT_FALSE(asked.empty());
    auto reply = std::move(asked.front());
    asked.erase(asked.begin());
    reply(std::move(with));
  }

  ManualClock clock{kAt};
  std::vector<UniqueFunction<void(std::optional<LiveSample>)>> asked;
  HttpTotals http;
  std::vector<std::string> points;
  LiveSampling sampling{clock, [this](auto reply) { asked.push_back(std::move(reply)); },
                        [this] { return http; },
                        [this](std::string point) { points.push_back(std::move(point)); }};
};

TEST_F(LiveSamplingTest, APointForEveryAnswer) {
  second();
  EXPECT_TRUE(points.empty());
  answer(sample(10));
  ASSERT_EQ(points.size(), 1u);
  http.requests = 7;
  second();
  answer(sample(12));
  ASSERT_EQ(points.size(), 2u);
  EXPECT_TRUE(has(points[1], R"("at":"2027-01-15T08:00:02.000000Z","accepted":2)")) << points[1];
  EXPECT_TRUE(has(points[1], R"("requests":7)")) << points[1];
}

TEST_F(LiveSamplingTest, AStalledEngineGivesSecondsWithoutNumbersAndNoHeapOfQuestions) {
  second();
  answer(sample(10));
  for (int i = 0; i < 3; ++i) second();  // the answer to the first of these does not come
  ASSERT_EQ(asked.size(), 1u);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_TRUE(has(points[1], R"("at":"2027-01-15T08:00:02.000000Z","accepted":null)")) << points[1];
  EXPECT_TRUE(has(points[2], R"("at":"2027-01-15T08:00:03.000000Z","accepted":null)")) << points[2];
  answer(sample(500));  // late: told by no point
  ASSERT_EQ(points.size(), 3u);
  second();
  ASSERT_EQ(points.size(), 4u);
  EXPECT_TRUE(has(points[3], R"("visible":null)")) << points[3];
  answer(sample(504));
  ASSERT_EQ(points.size(), 5u);
  EXPECT_TRUE(has(points[4], R"("at":"2027-01-15T08:00:05.000000Z","accepted":4)")) << points[4];
}

TEST_F(LiveSamplingTest, AnEngineThatCannotTellGivesASecondWithoutNumbers) {
  second();
  answer({});
  ASSERT_EQ(points.size(), 1u);
  EXPECT_TRUE(has(points[0], R"("visible":null)"));
  EXPECT_FALSE(sampling.waiting());
}

TEST(LiveSampler, SamplesUntilItIsStopped) {
  const SystemClock clock;
  std::atomic<int> points{0};
  LiveSampling sampling(
      clock, [](auto reply) { reply(LiveSample{}); }, [] { return HttpTotals{}; },
      [&](std::string) {
        ++points;
        points.notify_all();
      });
  LiveSampler sampler(
      clock, {[&] { sampling.tick(); }, [&] { return sampling.waiting(); }, [] { return false; }, [] {}}, 0);
  sampler.start();
  points.wait(0);
  sampler.stop();
  sampler.stop();
  EXPECT_GE(points, 1);
}

}  // namespace
}  // namespace spillway::ops
