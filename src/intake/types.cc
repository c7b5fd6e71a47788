#include "intake/types.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

namespace spillway::intake {
namespace {

/// How many bytes the UTF-8 character at the front takes (RFC 3629: shortest form, no surrogates), or 0.
std::size_t utf8_character(std::string_view s) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(s[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xc2 && first < 0xe0   ? 2
                           : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xf0 && first < 0xf5 ? 4
                                                           : 0;
  if (size == 0 || s.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second >= 0xa0;
  const bool too_high = first == 0xf4 && second >= 0x90;
  return overlong || surrogate || too_high ? 0 : size;
}

bool is_utf8(std::string_view s) {
  while (!s.empty()) {
    const std::size_t size = utf8_character(s);
    if (size == 0) return false;
    s.remove_prefix(size);
  }
  return true;
}

}  // namespace

std::string_view name(RequestStatus status) {
  switch (status) {
    case RequestStatus::kReceived:
      return "RECEIVED";
    case RequestStatus::kQueued:
      return "QUEUED";
    case RequestStatus::kProcessing:
      return "PROCESSING";
    case RequestStatus::kSucceeded:
      return "SUCCEEDED";
    case RequestStatus::kRejected:
      return "REJECTED";
    case RequestStatus::kFailedFinal:
      return "FAILED_FINAL";
  }
  CHECK(false);
}

std::string_view name(EventPhase phase) {
  switch (phase) {
    case EventPhase::kPending:
      return "PENDING";
    case EventPhase::kOpen:
      return "OPEN";
    case EventPhase::kClosed:
      return "CLOSED";
  }
  CHECK(false);
}

std::string_view name(ResultCode code) {
  switch (code) {
    case ResultCode::kNone:
      return "";
    case ResultCode::kSuccess:
      return "SUCCESS";
    case ResultCode::kRejectedCapacity:
      return "REJECTED_CAPACITY";
    case ResultCode::kRejectedClosed:
      return "REJECTED_CLOSED";
    case ResultCode::kFailedIngestEnqueue:
      return "FAILED_INGEST_ENQUEUE";
    case ResultCode::kFailedRetriesExhausted:
      return "FAILED_RETRIES_EXHAUSTED";
    case ResultCode::kFailedInvalidMessage:
      return "FAILED_INVALID_MESSAGE";
    case ResultCode::kRejectedByWork:
      return "REJECTED_BY_WORK";
  }
  CHECK(false);
}

std::string_view name(FailureClass failure) {
  switch (failure) {
    case FailureClass::kNone:
      return "";
    case FailureClass::kRetryable:
      return "RETRYABLE";
    case FailureClass::kNonRetryable:
      return "NON_RETRYABLE";
  }
  CHECK(false);
}

std::string_view name(Policy policy) {
  switch (policy) {
    case Policy::kFirstCome:
      return "FIRST_COME";
  }
  CHECK(false);
}

std::string_view name(WebhookState state) {
  switch (state) {
    case WebhookState::kPending:
      return "PENDING";
    case WebhookState::kDelivered:
      return "DELIVERED";
    case WebhookState::kGivenUp:
      return "GIVEN_UP";
  }
  CHECK(false);
}

std::string_view name(WorkKind kind) {
  switch (kind) {
    case WorkKind::kCapacity:
      return "capacity";
    case WorkKind::kHttp:
      return "http";
  }
  CHECK(false);
}

std::string_view name(RedriveState state) {
  switch (state) {
    case RedriveState::kRunning:
      return "RUNNING";
    case RedriveState::kDone:
      return "DONE";
    case RedriveState::kStoppedByFailures:
      return "STOPPED_BY_FAILURES";
    case RedriveState::kStopped:
      return "STOPPED";
  }
  CHECK(false);
}

std::optional<FailureClass> parse_failure_class(std::string_view text) {
  for (const FailureClass each : {FailureClass::kRetryable, FailureClass::kNonRetryable}) {
    if (text == name(each)) return each;
  }
  return std::nullopt;
}

std::optional<RequestStatus> parse_status(std::string_view text) {
  for (const RequestStatus status : kAllStatuses) {
    if (text == name(status)) return status;
  }
  return std::nullopt;
}

std::optional<Policy> parse_policy(std::string_view text) {
  if (text == name(Policy::kFirstCome)) return Policy::kFirstCome;
  return std::nullopt;
}

std::optional<WebhookState> parse_webhook_state(std::string_view text) {
  for (const WebhookState each : {WebhookState::kPending, WebhookState::kDelivered, WebhookState::kGivenUp}) {
    if (text == name(each)) return each;
  }
  return std::nullopt;
}

std::optional<WorkKind> parse_work(std::string_view text) {
  for (const WorkKind each : {WorkKind::kCapacity, WorkKind::kHttp}) {
    if (text == name(each)) return each;
  }
  return std::nullopt;
}

bool is_path_id(std::string_view id) {
  if (id.empty() || id.size() > limits::kMaxIdBytes) return false;
  for (const char c : id) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                         c == '.' || c == '_' || c == '~' || c == '-';
    if (!allowed) return false;
  }
  return true;
}

bool is_user_id(std::string_view id) {
  return !id.empty() && id.size() <= limits::kMaxIdBytes && is_utf8(id) && !has_control_characters(id);
}

}  // namespace spillway::intake
