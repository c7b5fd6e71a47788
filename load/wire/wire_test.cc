#include <gtest/gtest.h>

#include <string>

#include "load/wire/histogram.h"
#include "load/wire/response_parser.h"

namespace spillway::load {
namespace {

using Outcome = ResponseParser::Outcome;

const std::string kAccepted =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nLocation: /requests/r-1\r\nRetry-After: 1\r\n"
    "content-LENGTH: 19\r\n\r\n{\"requestId\":\"r-1\"}";
const std::string kRefused =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";

TEST(ResponseParser, FindsTheEndOfAnswersOfOneAndOfDifferentLayouts) {
  const std::string in = kAccepted + kAccepted + kRefused + kAccepted;
  ResponseParser parser;
  std::string_view rest = in;
  for (const std::string& expected : {kAccepted, kAccepted, kRefused, kAccepted}) {
    Answer answer;
    ASSERT_EQ(parser.parse(rest, &answer), Outcome::kComplete);
    EXPECT_EQ(rest.substr(0, answer.size), expected);
    EXPECT_EQ(answer.status, expected == kRefused ? 503 : 202);
    EXPECT_EQ(std::string(answer.head) + std::string(answer.body), expected);
    rest.remove_prefix(answer.size);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(ResponseParser, AsksForMoreAtEveryCutAlsoOfAKnownLayout) {
  ResponseParser parser;
  Answer answer;
  for (int known = 0; known < 2; ++known) {
    for (std::size_t size = 0; size < kAccepted.size(); ++size) {
      EXPECT_EQ(parser.parse(std::string_view(kAccepted).substr(0, size), &answer), Outcome::kIncomplete)
          << size;
    }
    EXPECT_EQ(parser.parse(kAccepted, &answer), Outcome::kComplete);
  }
}

TEST(ResponseParser, TellsAKnownHeadWithAnotherLengthApart) {
  std::string longer = kAccepted + "x";
  longer.replace(longer.find("19\r\n"), 2, "20");
  ResponseParser parser;
  Answer answer;
  ASSERT_EQ(parser.parse(kAccepted, &answer), Outcome::kComplete);
  ASSERT_EQ(parser.parse(longer, &answer), Outcome::kComplete);
  EXPECT_EQ(answer.size, longer.size());
}

TEST(ResponseParser, RefusesWhatItCannotDelimit) {
  ResponseParser parser;
  Answer answer;
  EXPECT_EQ(parser.parse("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", &answer),
            Outcome::kMalformed);
  EXPECT_EQ(parser.parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", &answer),
            Outcome::kMalformed);
  EXPECT_EQ(parser.parse("HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", &answer), Outcome::kMalformed);
  EXPECT_EQ(parser.parse("HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n", &answer), Outcome::kMalformed);
  EXPECT_EQ(parser.parse(std::string(20'000, 'x'), &answer), Outcome::kMalformed);
}

TEST(ResponseParser, ReadsChunksWhereverTheyAreCut) {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nspill-\r\n3;x=y\r\nway\r\n0\r\n\r\n";
  ResponseParser parser;
  Answer answer;
  for (std::size_t size = 0; size < chunked.size(); ++size) {
    EXPECT_EQ(parser.parse(std::string_view(chunked).substr(0, size), &answer), Outcome::kIncomplete) << size;
  }
  ASSERT_EQ(parser.parse(chunked + kRefused, &answer), Outcome::kComplete);
  EXPECT_EQ(answer.size, chunked.size());
  EXPECT_EQ(answer.body, "spill-way");
  EXPECT_FALSE(answer.closes);
}

TEST(ResponseParser, KnowsAnswersWithoutABodyAndThoseAfterWhichTheConnectionCloses) {
  ResponseParser parser;
  Answer answer;
  ASSERT_EQ(parser.parse("HTTP/1.1 204 No Content\r\n\r\n", &answer), Outcome::kComplete);
  EXPECT_EQ(answer.status, 204);
  EXPECT_FALSE(answer.closes);
  ASSERT_EQ(parser.parse("HTTP/1.1 100 Continue\r\n\r\n" + kAccepted, &answer), Outcome::kComplete);
  EXPECT_EQ(answer.status, 202);
  ASSERT_EQ(parser.parse("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", &answer),
            Outcome::kComplete);
  EXPECT_TRUE(answer.closes);
  ASSERT_EQ(parser.parse("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", &answer), Outcome::kComplete);
  EXPECT_TRUE(answer.closes);
}

TEST(ResponseParser, ReadsFields) {
  EXPECT_EQ(ResponseParser::field(kRefused, "retry-after"), "2");
  EXPECT_EQ(ResponseParser::field(kAccepted, "location"), "/requests/r-1");
  EXPECT_EQ(ResponseParser::field(kAccepted, "retry"), "");
}

TEST(Histogram, KeepsThreeDigits) {
  Histogram h;
  for (std::int64_t us = 1; us <= 100'000; ++us) h.record(us * 1000);
  EXPECT_EQ(h.count(), 100'000U);
  for (const double fraction : {0.5, 0.9, 0.99, 0.999}) {
    const double exact_us = fraction * 100'000;
    EXPECT_NEAR(h.quantile_us(fraction), exact_us, exact_us * 0.001 + 0.2) << fraction;
  }
  EXPECT_EQ(h.quantile_us(1), 100'000);
  EXPECT_NEAR(h.mean_us(), 50'000.5, 0.01);
}

TEST(Histogram, TakesAnyDuration) {
  Histogram h;
  h.record(-5);
  h.record(0);
  h.record(1LL << 60);
  EXPECT_EQ(h.count(), 3U);
  EXPECT_LE(h.quantile_us(0.3), 0.2);
  EXPECT_GT(h.quantile_us(1), 1e9);
}

}  // namespace
}  // namespace spillway::load
