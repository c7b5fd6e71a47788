#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::intake {

/// The states of a request. The numbers are durable: never reuse one.
enum class RequestStatus : std::uint8_t {
  kReceived = 1,
  kQueued = 2,
  kProcessing = 3,
  kSucceeded = 4,
  kRejected = 5,
  kFailedFinal = 6,
};
inline constexpr std::array kAllStatuses = {RequestStatus::kReceived,   RequestStatus::kQueued,
                                            RequestStatus::kProcessing, RequestStatus::kSucceeded,
                                            RequestStatus::kRejected,   RequestStatus::kFailedFinal};

/// Durable numbers, as above. kNone while the request is not final.
enum class ResultCode : std::uint8_t {
  kNone = 0,
  kSuccess = 1,
  kRejectedCapacity = 2,
  kRejectedClosed = 3,
  kFailedIngestEnqueue = 4,
  kFailedRetriesExhausted = 5,
  kFailedInvalidMessage = 6,
  kRejectedByWork = 7,  ///< the operator's backend said no, and gave no reason of this list
};

/// How far a redrive is. Durable numbers.
enum class RedriveState : std::uint8_t {
  kRunning = 1,
  kDone = 2,  ///< every request that it put back is final again
  kStoppedByFailures = 3,
  kStopped = 4,  ///< by an administrator
};

/// How far the telling of a final state is. Durable numbers.
enum class WebhookState : std::uint8_t { kPending = 1, kDelivered = 2, kGivenUp = 3 };
/// What became of one attempt. Durable numbers.
enum class WebhookResult : std::uint8_t {
  kDelivered = 0,
  kRetry = 1,
  kGiveUp = 2,
  kExpired = 3,  ///< given up without another attempt: its time was over
};

enum class FailureClass : std::uint8_t { kNone = 0, kRetryable = 1, kNonRetryable = 2 };

/// Who gets the places. The numbers are durable.
enum class Policy : std::uint8_t { kFirstCome = 1 };

/// What is done for a request once it has a place. The numbers are durable.
enum class WorkKind : std::uint8_t {
  kCapacity = 0,  ///< nothing: the place is all there is to decide
  kHttp = 1,      ///< the operator's backend is called, and decides
};
inline constexpr std::size_t kWorkKinds = 2;

constexpr bool is_final(RequestStatus s) {
  return s == RequestStatus::kSucceeded || s == RequestStatus::kRejected || s == RequestStatus::kFailedFinal;
}

/// The one table of allowed transitions. Every change of a status asks it. A final state is left in one way
/// only: a dead letter that an administrator has redriven (ADR 9); nothing in the system does it by itself.
constexpr bool may_become(RequestStatus from, RequestStatus to) {
  switch (from) {
    case RequestStatus::kReceived:
      return to == RequestStatus::kQueued || to == RequestStatus::kFailedFinal;
    case RequestStatus::kQueued:
      return to == RequestStatus::kProcessing || to == RequestStatus::kFailedFinal;
    case RequestStatus::kProcessing:
      return is_final(to);
    case RequestStatus::kFailedFinal:
      return to == RequestStatus::kQueued;  // by a redrive alone
    default:
      return false;
  }
}

/// Whether a participation event takes people, by its times: kOpen from opensAt on and before closesAt.
enum class EventPhase : std::uint8_t { kPending, kOpen, kClosed };

/// The names of the API: "QUEUED", "REJECTED_CAPACITY", "RETRYABLE", "FIRST_COME".
std::string_view name(RequestStatus);
std::string_view name(ResultCode);
std::string_view name(FailureClass);
std::string_view name(Policy);
std::string_view name(EventPhase);    ///< "PENDING", "OPEN", "CLOSED"
std::string_view name(RedriveState);  ///< "STOPPED_BY_FAILURES"
std::string_view name(WebhookState);  ///< "PENDING", "DELIVERED", "GIVEN_UP"
std::optional<WebhookState> parse_webhook_state(std::string_view);
std::string_view name(WorkKind);  ///< "capacity", "http"
std::optional<WorkKind> parse_work(std::string_view);
std::optional<RequestStatus> parse_status(std::string_view);
std::optional<Policy> parse_policy(std::string_view);
std::optional<FailureClass> parse_failure_class(std::string_view);  ///< "RETRYABLE", "NON_RETRYABLE"

/// 1 to 128 of `A-Z a-z 0-9 . _ ~ -`: what may stand in a path.
bool is_path_id(std::string_view);
/// 1 to 128 bytes of UTF-8 without control characters.
bool is_user_id(std::string_view);

}  // namespace spillway::intake
