#pragma once

// What intake must do, in the plainest code that says so: for comparison with the machine, of which it shares
// the words (commands.h, types.h) and nothing else. It looks at everything every time and remembers no
// shortcut.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "intake/commands.h"
#include "intake/request_id.h"

namespace spillway::intake::sim {

struct Rules {
  std::uint32_t max_receive_count = 5;
  Micros retention_us = 0;
  std::size_t max_requests = 0;
  std::size_t max_body_bytes = 0;
  Micros webhook_max_age_us = 0;
};

class Model {
 public:
  struct Entry {
    RequestStatus status;
    Timestamp at;
    std::string reason;
  };
  enum class Phase { kLine, kInFlight, kDelayed, kVisible, kDone };
  /// The telling of a final state.
  struct Hook {
    std::uint64_t id = 0;  ///< the machine's, once somebody has been handed it
    RequestStatus status;
    ResultCode result;
    WebhookState state = WebhookState::kPending;
    bool superseded = false;
    std::uint32_t attempts = 0, tries = 0;
    int last_status = 0;
    std::string last_reason;
    Timestamp created_at, since, until;
  };
  struct Request {
    std::string event;
    std::string user;
    std::string body;
    RequestStatus status = RequestStatus::kQueued;
    ResultCode result = ResultCode::kNone;
    FailureClass failure = FailureClass::kNone;
    Phase phase = Phase::kLine;
    Timestamp queued_at, started_at, finished_at;
    Timestamp until;  ///< in flight or delayed
    std::uint32_t receive_count = 0;
    std::vector<Entry> log;
    // Dead letters
    std::vector<Attempt> attempts;
    std::uint32_t tries = 0;  ///< since it was taken, or redriven; without those that were returned
    std::string last_reason;
    std::uint32_t redrives = 0;
    std::uint64_t redriven_by = 0;
    bool discarded = false;
    std::vector<Hook> hooks;  ///< oldest first
  };
  using Death = std::pair<Timestamp, std::uint64_t>;  ///< of a request with this number
  struct Redriving {
    std::uint64_t id = 0;
    DeadLetterFilter filter;
    RedriveView view;
    Death newest, looked_up_to;
    Timestamp paid_until;
  };
  struct RedriveStep {
    std::optional<RedriveState> end;
    std::vector<std::uint64_t> put_back;
    std::optional<Death> looked_up_to;
  };
  struct Event {
    PutEvent as_put;
    WorkKind work = WorkKind::kCapacity;
    Webhook webhook;
    std::set<std::uint64_t> requests;  ///< kept
    std::uint64_t taken = 0;
    std::uint64_t forgotten = 0;
    std::uint64_t put_back = 0;  ///< by redrives, ever
  };

  Model(Rules rules, Seed seed) : rules_(rules), seed_(seed) {}

  Result<Participation> participate(const Participate&, Timestamp now);
  Result<EventView> put_event(const PutEvent&, Timestamp now);
  std::vector<Delivery> receive(const Receive&, Timestamp now);
  Acks complete(const Complete&, Timestamp now);
  Acks extend(const Extend&, Timestamp now);
  void set_paused(bool paused) { paused_ = paused; }
  void due(Timestamp now);  ///< all of it
  Result<RedriveView> redrive(const Redrive&, Timestamp now);
  Result<RedriveView> stop_redrive(Timestamp now);
  Result<DiscardResult> discard(const DiscardDeadLetters&, Timestamp now);
  void restart(Timestamp now);
  /// Somebody has been handed the telling of a request's newest end under this id.
  void hook_taken(std::uint64_t number, std::uint64_t id);
  void complete(const CompleteWebhooks&, Timestamp now);
  Result<RedeliverResult> redeliver(const RedeliverWebhooks&, Timestamp now);

  QueueStats stats(Timestamp now) const;
  EventView view(const Event&, Timestamp now) const;
  RequestDetail detail(std::uint64_t number) const;
  /// As pages show them: all of an event, without body and log.
  std::vector<RequestDetail> list(const std::string& event, std::optional<RequestStatus> status) const;
  StatusCounts counts(const std::string& event) const;
  /// Oldest first; of all pages.
  std::vector<DeadLetter> dead_letters(const DeadLetterFilter&) const;
  Result<RedriveView> redriving() const;
  std::uint64_t redrives() const { return redrive_ ? redrive_->id : 0; }
  bool redrive_runs() const { return redrive_ && redrive_->view.state == RedriveState::kRunning; }
  /// Due at this time, by request; as text(WebhookJob) says it.
  std::vector<std::string> hooks_due(Timestamp now) const;
  /// All of a request, oldest first, as text(WebhookView) says it.
  std::vector<std::string> hooks(std::uint64_t number) const;
  std::uint64_t hooks_pending() const;
  /// Nothing but a redrive has anything to do at this time.
  bool nothing_expires(Timestamp now) const;

  const std::map<std::uint64_t, Request>& requests() const { return requests_; }
  const std::map<std::string, Event>& events() const { return events_; }
  std::uint64_t last() const { return last_; }
  bool all_final() const { return unfinished_.empty(); }

 private:
  std::uint64_t kept_places(const Event&) const;
  std::uint64_t find(const Receipt&) const;  ///< 0: no such request
  bool is_current(std::uint64_t number, const Receipt&) const;
  void finish(std::uint64_t number, RequestStatus, ResultCode, FailureClass, Timestamp now,
              const std::string& reason);
  void try_failed(std::uint64_t number, Timestamp now, const std::string& reason);
  void end_attempt(Request&, Timestamp now, AttemptOutcome, const std::string& reason);
  void worker_gone(std::uint64_t number, Timestamp now, AttemptOutcome, const std::string& reason);
  void forget(Timestamp now);
  bool expire_hooks(Timestamp now);  ///< false when there was nothing to do
  void supersede_hook(Request&);
  WebhookView view(std::uint64_t number, const Hook&) const;
  void expire(Timestamp now);
  bool is_dead(const Request& r) const {
    return r.result == ResultCode::kFailedRetriesExhausted && !r.discarded;
  }
  std::set<Death> dead() const;
  bool is_meant(const DeadLetterFilter&, std::uint64_t number) const;
  bool redrive_has_more() const;
  RedriveStep next_of_redrive(Timestamp now) const;
  bool apply(const RedriveStep&, Timestamp now);  ///< false when there was nothing to do

  Rules rules_;
  Seed seed_;
  std::uint64_t last_ = 0;
  bool paused_ = false;
  std::map<std::uint64_t, Request> requests_;
  std::set<std::uint64_t> unfinished_;
  std::map<std::string, Event> events_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> people_;
  std::optional<Redriving> redrive_;  ///< the newest
};

}  // namespace spillway::intake::sim
