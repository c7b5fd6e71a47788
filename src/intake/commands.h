#pragma once

// What can be asked of intake, and what is answered. Engine-neutral: ids are text, times are Timestamps.
// Values are checked by whoever makes the command (routes.cc); a machine may rely on that.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "intake/types.h"

namespace spillway::intake {

// ---- For people -------------------------------------------------------------------------------------------

struct Participate {
  std::string event_id;
  std::string user_id;
  std::string body;  ///< JSON as it came, or empty; kept with the request and handed to the worker
  /// The person has asked too often: only whoever has taken part already is answered, the rest is
  /// rate_limited.
  bool only_repeat = false;
};
struct Participation {
  std::string request_id;
  bool duplicate = false;  ///< the person had taken part before; the id is the one of then
};

struct GetRequest {
  std::string request_id;
  std::string user_id;  ///< whose it must be; somebody else's is answered as unknown
  /// Holds the answer until the status is another than `seen` (when absent: than at arrival), or is final, or
  /// this long has passed. 0: answers at once. At most limits::kMaxWait.
  Micros wait_us = 0;
  std::optional<RequestStatus> seen;
};
struct RequestView {
  std::string request_id;
  std::string event_id;
  RequestStatus status = RequestStatus::kReceived;
  ResultCode result_code = ResultCode::kNone;
  std::optional<std::uint64_t> position;  ///< while QUEUED: counts from 1
  Timestamp queued_at;
  Timestamp started_at;   ///< unset until PROCESSING
  Timestamp finished_at;  ///< unset until final
};

// ---- For operators ----------------------------------------------------------------------------------------

/// Where final states of an event's requests are told.
struct Webhook {
  std::string url = {};          ///< empty: nowhere
  std::string secret_name = {};  ///< of the secret that signs; empty: "default"
  bool operator==(const Webhook&) const = default;
};

struct PutEvent {
  std::string event_id;
  std::string title;
  std::uint64_t capacity_total = 0;
  Timestamp opens_at;   ///< unset: open from the start
  Timestamp closes_at;  ///< unset: never closes
  Policy policy = Policy::kFirstCome;
  Actor actor{};
  std::optional<WorkKind> work = {};    ///< absent: as it is; of a new one: capacity
  std::optional<Webhook> webhook = {};  ///< absent: as it is; of a new one: none
};
struct EventView {
  std::string event_id;
  std::string title;
  std::uint64_t capacity_total = 0;
  std::uint64_t capacity_remaining =
      0;  ///< capacity_total less SUCCEEDED; a place held by work in progress counts as remaining
  Timestamp opens_at;
  Timestamp closes_at;
  Policy policy = Policy::kFirstCome;
  bool created = false;                  ///< put_event: made by this call
  EventPhase phase = EventPhase::kOpen;  ///< when it was asked
  WorkKind work = WorkKind::kCapacity;
  Webhook webhook = {};

  std::uint64_t taken() const { return capacity_total - capacity_remaining; }
};

struct ListEvents {
  std::uint32_t limit = 100;  ///< 1 to limits::kMaxPage
  std::string cursor{};       ///< empty: from the start; else next_cursor of the page before
};
struct EventPage {
  std::vector<EventView> items;  ///< by order of creation
  std::string next_cursor;       ///< empty: this was the last page
};

struct StatusLogEntry {
  RequestStatus status;
  Timestamp at;
  std::string reason;  ///< may be empty
};
/// How one delivery to a worker ended.
enum class AttemptOutcome : std::uint8_t {
  kRunning,
  kSucceeded,
  kRejected,
  kFailed,
  kTimedOut,
  kWorkerStopped,
  kReturned  ///< given back without having been tried
};
struct Attempt {
  std::uint64_t attempt = 0;  ///< counts from 1, over redrives
  Timestamp started_at;       ///< unset for attempts from before this was kept
  Timestamp ended_at;         ///< unset while it runs
  AttemptOutcome outcome = AttemptOutcome::kRunning;
  std::string reason;
};

/// The telling of a final state.
struct WebhookView {
  std::string delivery_id;
  std::string request_id;
  std::string event_id;
  std::string user_id;
  RequestStatus status = RequestStatus::kSucceeded;  ///< what is told
  ResultCode result_code = ResultCode::kNone;
  WebhookState state = WebhookState::kPending;
  std::uint32_t attempts = 0;
  int last_status = 0;  ///< HTTP's, of the last answer; 0: none came
  std::string last_reason = {};
  Timestamp created_at;       ///< when the request became final
  Timestamp next_attempt_at;  ///< while pending: not before
  Timestamp ended_at;         ///< unset while pending
};

struct RequestDetail {
  RequestView view;
  std::string user_id;
  std::string body;
  std::uint32_t receive_count = 0;  ///< how often it was delivered to a worker
  FailureClass failure_class = FailureClass::kNone;
  std::vector<StatusLogEntry> status_log;
  std::vector<Attempt> attempts;  ///< the newest limits::kMaxAttemptsKept
  std::uint32_t redrives = 0;
  std::optional<WebhookView> webhook = {};  ///< of its newest final state
};

/// Which dead letters are meant: those to which all that is set applies.
struct DeadLetterFilter {
  std::string event_id = {};
  std::vector<std::string> request_ids =
      {};  ///< at most limits::kMaxNamedRequests; those that are none are passed over
  FailureClass failure_class = FailureClass::kNone;
  std::string reason = {};     ///< a part of the last reason
  Timestamp dead_before = {};  ///< became one before
};
/// A request whose tries are used up. It is listed until it is redriven, discarded or forgotten.
struct DeadLetter {
  std::string request_id;
  std::string event_id;
  std::string user_id;
  Timestamp dead_at;
  std::uint32_t receive_count = 0;
  FailureClass failure_class = FailureClass::kNone;
  ResultCode result_code = ResultCode::kNone;
  std::string last_reason;
  std::uint32_t redrives = 0;
};
struct DeadLetterDetail {
  DeadLetter letter;
  std::vector<Attempt> attempts;  ///< the newest limits::kMaxAttemptsKept
  std::string body;
  std::vector<StatusLogEntry> status_log;
};
struct ListDeadLetters {
  DeadLetterFilter filter;
  std::uint32_t limit = 100;  ///< 1 to limits::kMaxPage
  std::string cursor;
};
struct DeadLetterPage {
  std::vector<DeadLetter> items;  ///< oldest first
  std::string next_cursor;        ///< as in RequestPage
  std::uint64_t total = 0;        ///< of all, whatever the filter
};

/// Puts dead letters back into their lines, with all their tries new, and in the order in which they had
/// been taken. What becomes a dead letter after the start is left alone.
struct Redrive {
  DeadLetterFilter filter;
  std::uint32_t rate_per_second = limits::kRedriveRate;           ///< 1 to limits::kMaxRedriveRate
  std::uint32_t stop_after_failures = limits::kRedriveStopAfter;  ///< failed again: at least 1
  Actor actor{};
};
struct RedriveView {
  std::string redrive_id;
  RedriveState state = RedriveState::kRunning;
  std::uint64_t matching = 0;  ///< at the start
  std::uint64_t redriven = 0;
  std::uint64_t succeeded = 0, rejected = 0, failed_again = 0;  ///< of the redriven
  Timestamp started_at;
  Timestamp finished_at;  ///< unset while it runs
  DeadLetterFilter filter;
  std::uint32_t rate_per_second = 0;
  std::uint32_t stop_after_failures = 0;
};
struct RedrivePreview {
  std::uint64_t matching = 0;
  std::vector<std::string> sample;  ///< the oldest limits::kRedriveSample
};
struct DiscardDeadLetters {
  DeadLetterFilter filter;
  std::string reason;  ///< 1 to limits::kMaxDiscardReasonBytes
  Actor actor{};
};
struct DiscardResult {
  std::uint64_t discarded = 0;  ///< at most limits::kMaxDiscard, oldest first: ask again for the rest
};

struct ListWebhooks {
  std::optional<WebhookState> state = {};
  std::string event_id = {};  ///< empty: of all
  std::uint32_t limit = 100;  ///< 1 to limits::kMaxPage
  std::string cursor = {};
};
struct WebhookPage {
  std::vector<WebhookView> items;  ///< newest first
  std::string next_cursor;         ///< as in RequestPage
};

/// What was given up of an event is tried again, as if it were new.
struct RedeliverWebhooks {
  std::string event_id;
  Actor actor{};
};
struct RedeliverResult {
  std::uint64_t redelivered = 0;  ///< at most limits::kMaxWebhookPutBack, oldest first
  std::uint64_t left = 0;         ///< ask again for these
};

struct ListRequests {
  std::string event_id;
  std::optional<RequestStatus> status;
  std::uint32_t limit = 100;  ///< 1 to limits::kMaxPage
  std::string cursor;         ///< empty: from the start; else next_cursor of the page before
};
struct StatusCounts {
  std::uint64_t received = 0, queued = 0, processing = 0, succeeded = 0, rejected = 0, failed_final = 0;
};
struct RequestPage {
  StatusCounts counts;
  std::vector<RequestDetail> items;  ///< by queued_at, then request_id; without body and status log
  std::string next_cursor;  ///< empty: this was the last page. A page may be short and still have a next
};

/// All that is set applies. At least one of user_id, request_id and event_id is.
struct SearchRequests {
  std::string user_id = {};
  std::string request_id = {};
  std::string event_id = {};
  std::optional<RequestStatus> status = {};
  std::uint32_t limit = 100;  ///< 1 to limits::kMaxPage
  std::string cursor = {};    ///< as in ListRequests, of a search for the same
};
struct FoundRequests {
  /// With user_id: newest first; else as in RequestPage. Without body, attempts and status log.
  std::vector<RequestDetail> items;
  std::string next_cursor;  ///< as in RequestPage
};

struct QueueStats {
  std::uint64_t visible = 0;    ///< waiting to be delivered, now
  std::uint64_t in_flight = 0;  ///< with a worker
  std::uint64_t delayed = 0;    ///< waiting for the time of their retry
  Micros oldest_age_us = 0;     ///< of the oldest visible, since queued_at
  std::uint64_t dead_letters = 0;
  bool paused = false;
  std::optional<RedriveView> redrive = {};  ///< the one that runs
};

/// What the metrics page tells; counters count from the start of the process.
struct Metrics {
  /// Upper bounds in seconds of decision latency (queued to final); the last bucket is without bound.
  static constexpr std::array<double, 14> kLatencyBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                            1,     2.5,  5,     10,   30,  60,   300};
  struct Finished {
    RequestStatus status;
    ResultCode result_code;
    std::uint64_t count = 0;
  };
  struct Remaining {
    std::string event_id;
    std::uint64_t capacity_remaining = 0;
  };

  std::uint64_t accepted = 0, duplicate = 0, refused = 0;
  std::vector<Finished> finished;
  std::uint64_t redriven = 0, discarded = 0;  ///< dead letters
  std::uint64_t redrives_stopped_by_failures = 0;
  std::uint64_t webhooks_pending = 0;  ///< now
  std::uint64_t webhooks_delivered = 0, webhooks_given_up = 0, webhooks_failed = 0;
  QueueStats queue;
  std::array<std::uint64_t, kLatencyBounds.size() + 1> latency_counts{};  ///< not cumulative
  double latency_sum_seconds = 0;
  std::vector<Remaining> remaining;  ///< at most limits::kMaxEventsInMetrics, oldest first
};

// ---- For workers ------------------------------------------------------------------------------------------

/// Names one delivery. A later delivery of the same request has a greater count: what comes with an older one
/// is refused (fencing).
struct Receipt {
  std::string request_id;
  std::uint32_t receive_count = 0;
};
struct Receive {
  std::uint32_t max = 1;                ///< deliveries, 1 to limits::kMaxReceive
  Micros wait_us = 0;                   ///< long poll: at most limits::kLongPoll
  Micros visibility_us = 30 * kSecond;  ///< how long the deliveries stay away from other workers
  std::uint64_t poller = 0;             ///< who asks: names its polls for end_receives()
  std::optional<WorkKind> work = {};    ///< only events of this kind; absent: of any
};
/// A request handed to a worker. A place is already kept for it: what is left is the work itself.
struct Delivery {
  Receipt receipt;
  std::string event_id;
  std::string user_id;
  std::string body;
  Timestamp queued_at;
};
enum class WorkResult : std::uint8_t {
  kSucceed,  ///< the place is taken and the request SUCCEEDED, in one step
  kReject,   ///< NON_RETRYABLE: REJECTED with `result_code`, the place is given back
  kInvalid,  ///< NON_RETRYABLE: FAILED_FINAL / FAILED_INVALID_MESSAGE, the place is given back
  kRetry,    ///< RETRYABLE: again after a backoff, or a dead letter when the last try is used up
  kReturn,   ///< not its fault: again after a backoff, and this delivery does not count as a try
};
struct Outcome {
  Receipt receipt;
  WorkResult result = WorkResult::kSucceed;
  ResultCode result_code = ResultCode::kNone;  ///< with kReject: one of kRejected...
  std::string reason;                          ///< for the status log; at most limits::kMaxReasonBytes
  Micros retry_after_us = 0;  ///< with kRetry and kReturn: the backoff, with its jitter already drawn
};
enum class Ack : std::uint8_t {
  kApplied,
  kStale,    ///< delivered again since, or no longer in flight: nothing was changed
  kUnknown,  ///< no such request
};
struct Complete {
  std::vector<Outcome> outcomes;
};
struct Extend {
  std::vector<Receipt> receipts;
  Micros visibility_us = 30 * kSecond;  ///< from now
};
struct Acks {
  std::vector<Ack> acks;  ///< in the order asked
};

// ---- For who tells final states ---------------------------------------------------------------------------

struct ReceiveWebhooks {
  std::uint32_t max = 1;
  Micros wait_us = 0;        ///< long poll
  std::uint64_t poller = 0;  ///< as in Receive
};
/// A final state to be told. Handed out once at a time, and again after a restart.
struct WebhookJob {
  std::uint64_t id = 0;
  std::uint32_t attempt = 1;  ///< only grows
  std::uint32_t tries = 1;    ///< the same, since it was put back
  Webhook to;                 ///< no URL: the event has none any more
  std::string delivery_id;
  std::string user_id;
  RequestView request;
};
struct WebhookOutcome {
  std::uint64_t id = 0;
  std::uint32_t attempt = 1;
  WebhookResult result = WebhookResult::kDelivered;  ///< not kExpired
  int status = 0;                                    ///< HTTP's; 0: no answer
  std::string reason;                                ///< at most limits::kMaxReasonBytes, ASCII
  Micros retry_after_us = 0;                         ///< with kRetry; at most limits::kMaxWebhookBackoff
  /// How the receiver is, for those who wait for it; nothing when it was not called.
  std::optional<bool> receiver_is_well = {};
};
struct CompleteWebhooks {
  std::vector<WebhookOutcome> outcomes;
};

}  // namespace spillway::intake
