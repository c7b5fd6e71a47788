// What answers mean, and what is sent. Calls over a real connection: tests/e2e/test_http_work.py.

#include "intake/http_work.h"

#include <gtest/gtest.h>

#include "base/wait_loop.h"

namespace spillway::intake {
namespace {

using Class = WorkVerdict::Class;
using clients::HttpAnswer;
using clients::HttpFailure;

HttpAnswer answered(int status, std::string body = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

HttpAnswer failed(HttpFailure failure, std::string reason) {
  HttpAnswer answer;
  answer.failure = failure;
  answer.reason = std::move(reason);
  return answer;
}

TEST(HttpWorkJudge, Table) {
  struct {
    HttpAnswer answer;
    Class is;
    WorkResult result;
    ResultCode code;
    const char* reason;
  } const table[] = {
      {answered(200, R"({"result":"SUCCEEDED"})"), Class::kSucceeded, WorkResult::kSucceed, ResultCode::kNone,
       ""},
      {answered(299, R"({"result":"SUCCEEDED","reason":"seat 7"})"), Class::kSucceeded, WorkResult::kSucceed,
       ResultCode::kNone, "seat 7"},
      {answered(200, R"({"result":"REJECTED"})"), Class::kRejected, WorkResult::kReject,
       ResultCode::kRejectedByWork, ""},
      {answered(200, R"({"result":"REJECTED","resultCode":"REJECTED_CAPACITY"})"), Class::kRejected,
       WorkResult::kReject, ResultCode::kRejectedCapacity, ""},
      {answered(200, R"({"result":"REJECTED","resultCode":"REJECTED_CLOSED","reason":"over"})"),
       Class::kRejected, WorkResult::kReject, ResultCode::kRejectedClosed, "over"},
      {answered(200, R"({"result":"REJECTED","resultCode":"SUCCESS"})"), Class::kRejected,
       WorkResult::kReject, ResultCode::kRejectedByWork, "SUCCESS"},
      {answered(200, R"({"result":"REJECTED","resultCode":"X-1","reason":"why"})"), Class::kRejected,
       WorkResult::kReject, ResultCode::kRejectedByWork, "X-1: why"},
      {answered(400), Class::kNonRetryable, WorkResult::kInvalid, ResultCode::kNone, "HTTP 400"},
      {answered(499), Class::kNonRetryable, WorkResult::kInvalid, ResultCode::kNone, "HTTP 499"},
      {answered(408), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone, "HTTP 408"},
      {answered(425), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone, "HTTP 425"},
      {answered(429), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone, "HTTP 429"},
      {answered(500), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone, "HTTP 500"},
      {answered(307), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone, "HTTP 307"},
      {answered(200, "[]"), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone, nullptr},
      {answered(200, R"({"result":"succeeded"})"), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone,
       "HTTP 200, but result must be SUCCEEDED or REJECTED"},
      {answered(200, R"({"result":"SUCCEEDED","result":"REJECTED"})"), Class::kRetryable, WorkResult::kRetry,
       ResultCode::kNone, nullptr},
      {answered(200, R"({"result":"REJECTED","resultCode":"a b"})"), Class::kRetryable, WorkResult::kRetry,
       ResultCode::kNone, nullptr},
      {answered(200, R"({"result":"REJECTED","reason":"a\nb"})"), Class::kRetryable, WorkResult::kRetry,
       ResultCode::kNone, nullptr},
      {answered(200, R"({"result":"REJECTED","reason":")" + std::string(161, 'x') + "\"}"), Class::kRetryable,
       WorkResult::kRetry, ResultCode::kNone, nullptr},
      {failed(HttpFailure::kTimeout, "slow\n"), Class::kRetryable, WorkResult::kRetry, ResultCode::kNone,
       "call failed (timeout): slow?"},
  };
  for (const auto& row : table) {
    const WorkVerdict verdict = judge(row.answer);
    const std::string what = row.answer.body + " " + std::to_string(row.answer.status);
    EXPECT_EQ(verdict.is, row.is) << what;
    EXPECT_EQ(verdict.end.result, row.result) << what;
    EXPECT_EQ(verdict.end.result_code, row.code) << what;
    if (row.reason != nullptr) {
      EXPECT_EQ(verdict.end.reason, row.reason) << what;
    }
    EXPECT_LE(verdict.end.reason.size(), limits::kMaxReasonBytes);
  }
}

TEST(HttpWorkBody, HasWhatTheBackendNeeds) {
  Delivery delivery{{"r-1", 3}, "E", "ann \"x\"", "", {}};
  EXPECT_EQ(work_body(delivery), R"({"requestId":"r-1","eventId":"E","userId":"ann \"x\"","attempt":3})");
  delivery.body = R"({"a":[1]})";
  EXPECT_EQ(work_body(delivery),
            R"({"requestId":"r-1","eventId":"E","userId":"ann \"x\"","attempt":3,"body":{"a":[1]}})");
}

TEST(HttpWorkMake, RefusesWhatCannotWork) {
  const SystemClock clock;
  HttpWorkOptions options;
  options.url = "http://127.0.0.1:9/";
  options.secret = std::string(limits::kMinSecretBytes, 's');
  const auto policy = [] { return *clients::AddressPolicy::make({"127.0.0.1:9"}); };
  EXPECT_TRUE(HttpWork::make(options, policy(), clock).ok());
  HttpWorkOptions elsewhere = options;
  elsewhere.url = "http://127.0.0.1:10/";
  EXPECT_EQ(HttpWork::make(elsewhere, policy(), clock).error().code, ErrorCode::kForbidden);
  HttpWorkOptions weak = options;
  weak.secret.pop_back();
  EXPECT_EQ(HttpWork::make(weak, policy(), clock).error().code, ErrorCode::kInvalidArgument);
}

/// With nobody listening: failures open the circuit, which then has no room and returns what still comes.
TEST(HttpWork, StandsBackWhenTheBackendIsGone) {
  const SystemClock clock;
  HttpWorkOptions options;
  options.url = "http://127.0.0.1:1/";
  options.secret = std::string(limits::kMinSecretBytes, 's');
  options.breaker = {.failures = 2, .open_us = 3600 * kSecond, .max_open_us = 3600 * kSecond};
  auto work = HttpWork::make(options, *clients::AddressPolicy::make({"127.0.0.1:1"}), clock);
  ASSERT_TRUE(work.ok());
  WaitLoop loop(0);
  std::vector<WorkEnd> ends;
  const auto perform = [&](const char* id) {
    (*work)->perform({{id, 1}, "E", "ann", "", {}}, [&](WorkEnd end) { ends.push_back(std::move(end)); });
  };
  EXPECT_GT((*work)->room(clock.steady_us()).deliveries, 1'000U);
  ASSERT_TRUE(loop.run_until([&] { return ends.size() == 2; }, 60 * kSecond,
                             [&] {
                               perform("a");
                               perform("b");
                             }));
  for (const WorkEnd& end : ends) EXPECT_EQ(end.result, WorkResult::kRetry);
  EXPECT_EQ((*work)->room(clock.steady_us()).deliveries, 0U);
  ASSERT_TRUE(loop.run_until([&] { return ends.size() == 3; }, 60 * kSecond, [&] { perform("c"); }));
  EXPECT_EQ(ends[2].result, WorkResult::kReturn);
  std::string metrics;
  (*work)->append_metrics(metrics);
  for (const char* line :
       {"spillway_intake_work_calls_total{result=\"retryable\"} 2\n",
        "spillway_intake_work_returned_total 1\n", "spillway_intake_work_circuit_state 1\n",
        "spillway_intake_work_circuit_opened_total 1\n"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
}

}  // namespace
}  // namespace spillway::intake
