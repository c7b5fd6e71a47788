// What answers mean, what is sent, and which secrets there are. Calls over a real connection:
// tests/e2e/test_webhooks.py.

#include "intake/http_webhooks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "clients/http_client.h"

namespace spillway::intake {
namespace {

using clients::HttpAnswer;
using clients::HttpFailure;
using R = WebhookResult;

const Timestamp kNow{1'800'000'000 * kSecond};  // Fri, 15 Jan 2027 08:00:00 GMT
const std::string kSecret(limits::kMinSecretBytes, 's');

HttpAnswer answered(int status, const std::string& retry_after = "") {
  HttpAnswer answer;
  answer.status = status;
  if (!retry_after.empty()) answer.headers.push_back({"Retry-After", retry_after});
  return answer;
}
HttpAnswer failed(HttpFailure failure, std::string reason) {
  HttpAnswer answer;
  answer.failure = failure;
  answer.reason = std::move(reason);
  return answer;
}

TEST(WebhookJudge, Table) {
  struct {
    HttpAnswer answer;
    std::uint32_t tries;  ///< of 3
    R result;
    const char* reason;
    bool receiver_is_well;
  } const table[] = {
      {answered(200), 1, R::kDelivered, "", true},
      {answered(204), 3, R::kDelivered, "", true},
      {answered(299), 1, R::kDelivered, "", true},
      {answered(410), 1, R::kGiveUp, "HTTP 410", true},
      {answered(404), 1, R::kRetry, "HTTP 404", false},
      {answered(400), 2, R::kRetry, "HTTP 400", false},
      {answered(302), 1, R::kRetry, "HTTP 302", false},
      {answered(500), 2, R::kRetry, "HTTP 500", false},
      {answered(500), 3, R::kGiveUp, "HTTP 500", false},
      {answered(500), 4, R::kGiveUp, "HTTP 500", false},
      {failed(HttpFailure::kTimeout, "too slow"), 1, R::kRetry, "call failed (timeout): too slow", false},
      {failed(HttpFailure::kTls, "a\nb"), 3, R::kGiveUp, "call failed (tls): a?b", false},
  };
  for (const auto& row : table) {
    WebhookJob job;
    job.id = 7;
    job.attempt = 20;  // with those from before it was put back
    job.tries = row.tries;
    const WebhookOutcome outcome = judge_webhook(job, row.answer, 3, kNow);
    const std::string what = std::to_string(row.answer.status) + " " + row.reason;
    EXPECT_EQ(outcome.id, 7u);
    EXPECT_EQ(outcome.attempt, 20u);
    EXPECT_EQ(outcome.result, row.result) << what;
    EXPECT_EQ(outcome.reason, row.reason) << what;
    EXPECT_EQ(outcome.status, row.answer.status) << what;
    EXPECT_EQ(outcome.receiver_is_well, row.receiver_is_well) << what;
  }
}

TEST(WebhookJudge, RetryAfter) {
  const std::pair<const char*, Micros> table[] = {
      {"", 0},
      {"0", 0},
      {"-5", 0},
      {"7", 7 * kSecond},
      {"7.5", 0},
      {"soon", 0},
      {"3600", 3600 * kSecond},
      {"999999999999", limits::kMaxWebhookBackoff},
      {"99999999999999999999999999", 0},
      {"Fri, 15 Jan 2027 08:00:30 GMT", 30 * kSecond},
      {"Fri, 15 Jan 2027 07:00:00 GMT", 0},
      {"Sat, 15 Jan 2028 08:00:00 GMT", limits::kMaxWebhookBackoff},
      {"Fri, 15 Jan 2027 08:00:30 GMT and more", 0},
  };
  for (const auto& [text, after] : table)
    EXPECT_EQ(judge_webhook({}, answered(503, text), 3, kNow).retry_after_us, after) << text;
}

TEST(WebhookBody, SaysWhatIsFinal) {
  WebhookJob job;
  job.delivery_id = "r1.5";
  job.user_id = "ann";
  job.attempt = 2;
  job.request.request_id = "r1";
  job.request.event_id = "E";
  job.request.status = RequestStatus::kRejected;
  job.request.result_code = ResultCode::kRejectedCapacity;
  job.request.queued_at = kNow;
  job.request.finished_at = kNow + kSecond;
  EXPECT_EQ(webhook_body(job),
            R"({"deliveryId":"r1.5","requestId":"r1","eventId":"E","userId":"ann","status":"REJECTED",)"
            R"("resultCode":"REJECTED_CAPACITY","queuedAt":"2027-01-15T08:00:00.000000Z",)"
            R"("finishedAt":"2027-01-15T08:00:01.000000Z","attempt":2})");
  job.request.started_at = kNow;
  EXPECT_NE(webhook_body(job).find(R"("startedAt":"2027-01-15T08:00:00.000000Z")"), std::string::npos);
}

TEST(WebhookSecrets, AreReadByName) {
  const auto secrets = parse_webhook_secrets("# comment\n\na=" + kSecret + "\r\nb=" + kSecret + "=x\n");
  ASSERT_TRUE(secrets.ok()) << secrets.error().message;
  EXPECT_EQ(*secrets, (std::map<std::string, std::string>{{"a", kSecret}, {"b", kSecret + "=x"}}));
}

TEST(WebhookSecrets, WhatIsWrongIsNamedAndNoSecretIsShown) {
  std::string many;
  for (std::size_t i = 0; i <= limits::kMaxWebhookSecrets; ++i) many += fmt::format("n{}={}\n", i, kSecret);
  const std::pair<std::string, const char*> table[] = {
      {"", "no NAME=SECRET"},
      {"# only\n", "no NAME=SECRET"},
      {kSecret, "line 1"},
      {"\na b=" + kSecret, "line 2"},
      {"=" + kSecret, "line 1"},
      {"a=short", "line 1"},
      {"a=" + kSecret + "\na=" + kSecret, "line 2: the name is there twice"},
      {many, "too many"},
  };
  for (const auto& [text, says] : table) {
    const auto secrets = parse_webhook_secrets(text);
    ASSERT_FALSE(secrets.ok()) << text;
    EXPECT_NE(secrets.error().message.find(says), std::string::npos) << secrets.error().message;
    EXPECT_EQ(secrets.error().message.find(kSecret), std::string::npos);
  }
}

}  // namespace
}  // namespace spillway::intake
