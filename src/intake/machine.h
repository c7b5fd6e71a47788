#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "intake/commands.h"
#include "intake/events.h"

namespace spillway::intake {

struct MachineState;

struct MachineConfig {
  std::uint32_t max_receive_count = 5;              ///< tries before a dead letter, 1 to 1,000
  Micros retention_us = limits::kRetention;         ///< how long final requests of a closed event are kept
  std::size_t max_requests = limits::kMaxRequests;  ///< kept at once
  std::size_t max_events = limits::kMaxEvents;
  std::size_t max_body_bytes = limits::kMaxKeptBodyBytes;  ///< of all kept requests together
  Micros webhook_max_age_us = limits::kWebhookMaxAge;      ///< what could not be told so long is given up
};

/// What a request is, without a text: for metrics and for telling whether a watcher must wake.
struct RequestSummary {
  RequestStatus status = RequestStatus::kReceived;
  ResultCode result_code = ResultCode::kNone;
  std::uint32_t receive_count = 0;
  Timestamp queued_at;
  Timestamp finished_at;  ///< unset until final
  bool redriven = false;  ///< its time in the queue says nothing about the queue
};

/// How far a search by user is.
struct SearchProgress {
  bool more = false;
  std::uint32_t next_event = 0;
  std::vector<std::uint64_t> newest;  ///< found so far, from the newest on: one more than the page holds
};

/// What may be told now, as the one who hands it out knows.
struct WebhookRoom {
  std::function<std::size_t(std::string_view url)> of_receiver;  ///< how many more
  std::function<bool(std::uint64_t id)> is_out;                  ///< few are
};
/// The receiver that was looked at last.
using WebhookCursor = std::pair<std::int64_t, std::uint64_t>;

/// intake's state and its rules, in memory.
///
/// Operation: decide*() refuse or propose and change nothing; what they propose is appended to `out` and
/// holds when evolve() has been called with each, in order, before the next decision. Replies tell what will
/// hold then. Recovery calls evolve() alone. Pure: no I/O, no clock, nothing random; `now` must never go back
/// from call to call. Concurrency: none; the live one belongs to the state thread. Limitations: all in
/// memory, about 140 bytes a request; an event's requests are forgotten from its oldest on.
class Machine {
 public:
  explicit Machine(MachineConfig = {});
  ~Machine();
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;

  // ---- Decisions ------------------------------------------------------------------------------------------

  /// In this order: not_found (no such event); the same id again for whoever is here already, in whatever
  /// state; event_not_open, event_closed; overloaded. `out` then views into the command.
  Result<Participation> decide(const Participate&, Timestamp now, Events& out) const;
  /// Fetches what deciding it will read, and changes nothing.
  void prefetch(const Participate&) const;
  /// In this order: invalid_argument (closesAt), capacity_below_taken, overloaded. `out` then views into the
  /// command.
  Result<EventView> decide(const PutEvent&, Timestamp now, Events& out) const;
  /// Hands out what is due, oldest first, and on the way ends what cannot be served any more, at most
  /// limits::kMaxFinishedPerReceive. Empty with `out` not empty: ask again, there may be more.
  std::vector<Delivery> decide(const Receive&, Timestamp now, Events& out) const;
  /// `out` then views into the command.
  Acks decide(const Complete&, Timestamp now, Events& out) const;
  Acks decide(const Extend&, Timestamp now, Events& out) const;
  // What `out` views into must still be there when it is applied.
  void decide(Participate&&, Timestamp, Events&) const = delete;
  void decide(PutEvent&&, Timestamp, Events&) const = delete;
  void decide(Complete&&, Timestamp, Events&) const = delete;
  void decide(Redrive&&, Timestamp, Events&) const = delete;
  void decide(DiscardDeadLetters&&, Timestamp, Events&) const = delete;
  /// redrive_running; not_found (no such event). It goes on by decide_due(). `out` then views into the
  /// command. Costs a look at every dead letter.
  Result<RedriveView> decide(const Redrive&, Timestamp now, Events& out) const;
  /// not_found when there has been none; one that has ended is told as it is.
  Result<RedriveView> decide_stop_redrive(Timestamp now, Events& out) const;
  /// not_found (no such event). `out` then views into the command.
  Result<DiscardResult> decide(const DiscardDeadLetters&, Timestamp now, Events& out) const;
  /// What comes too late, or is about another attempt, changes nothing. `out` then views into the command.
  void decide(const CompleteWebhooks&, Timestamp now, Events& out) const;
  void decide(CompleteWebhooks&&, Timestamp, Events&) const = delete;
  /// not_found (no such event), invalid_argument (an event that has no webhook any more).
  Result<RedeliverResult> decide(const RedeliverWebhooks&, Timestamp now, Events& out) const;
  QueueStats decide_paused(bool paused, Timestamp now, Events& out) const;
  /// What has come due: deliveries not completed in time, delayed retries, requests to forget, the next of a
  /// redrive. At most
  /// `max_items` requests. To be called before each receive as well, for a retry that has just come due to go
  /// first.
  void decide_due(Timestamp now, std::size_t max_items, Events& out) const;
  /// All workers are gone: what is in flight becomes visible again at once, or a dead letter after its last
  /// try.
  void decide_restart(Timestamp now, Events& out) const;
  /// The first event of a new journal. Nothing else may be decided before.
  void decide_seed(const Seed& id_seed, Events& out) const;
  bool seeded() const;

  /// Applies. An event that does not fit the state is a broken journal or program: CHECK.
  void evolve(const Event&);

  // ---- Reads ----------------------------------------------------------------------------------------------

  /// not_found for an unknown one and for somebody else's.
  Result<RequestView> request(std::string_view request_id, std::string_view user_id) const;
  Result<RequestDetail> request_detail(std::string_view request_id) const;
  Result<EventView> event(std::string_view event_id, Timestamp now) const;
  /// not_found (no such event), invalid_argument (cursor).
  Result<EventPage> list(const ListEvents&, Timestamp now) const;
  Result<RequestPage> list(const ListRequests&) const;
  /// not_found (no such event), invalid_argument (cursor).
  Result<DeadLetterPage> list(const ListDeadLetters&) const;
  /// not_found for what is no dead letter, or none any more.
  Result<DeadLetterDetail> dead_letter(std::string_view request_id) const;
  /// not_found (no such event). Costs a look at every dead letter.
  Result<RedrivePreview> preview_redrive(const DeadLetterFilter&) const;
  /// The newest; not_found when there has been none.
  Result<RedriveView> redrive() const;
  /// By user costs a look at every event, limits::kMaxSearchScan of them in one call: while it leaves
  /// `progress.more` the answer is empty, and the same is to be asked again with the same `progress`.
  /// not_found (no such event), invalid_argument (cursor).
  Result<FoundRequests> find(const SearchRequests&, SearchProgress& progress) const;
  /// not_found (no such event), invalid_argument (cursor).
  Result<WebhookPage> list(const ListWebhooks&) const;
  /// Those that are due, at most `max`: one receiver after the other, from where `cursor` stands on, each as
  /// far as it has room, longest due first. Looks at limits::kMaxWebhookScan receivers at most.
  std::vector<WebhookJob> due_webhooks(Timestamp now, std::size_t max, const WebhookRoom&,
                                       WebhookCursor& cursor) const;
  bool has_due_webhooks(Timestamp now) const;
  std::uint64_t webhooks_pending() const;
  QueueStats queue_stats(Timestamp now) const;
  /// True when a receive would find something to do: what a long poll waits for.
  bool has_due_work() const;

  // By number: see for_each_changed(). has() is the one that may be asked about any; the others CHECK it.
  bool has(std::uint64_t number) const;
  RequestView view_of(std::uint64_t number) const;
  RequestSummary summary_of(std::uint64_t number) const;
  std::string request_id(std::uint64_t number) const;
  /// Of a request that is kept.
  std::optional<std::uint64_t> number_of(std::string_view request_id) const;

  struct EventCapacity {
    std::string_view event_id;
    std::uint64_t capacity_remaining = 0;
  };
  std::size_t event_count() const;
  EventCapacity capacity_of(std::size_t index) const;  ///< index < event_count(), by order of creation

  // ---- Proof and snapshots --------------------------------------------------------------------------------

  /// A hash of the whole logical state, kept up with every change; equal states have equal digests however
  /// they were reached.
  std::uint64_t digest() const;
  /// The same from the state itself; also differs when a count or an index does not agree with the requests.
  std::uint64_t recompute_digest() const;
  void save(const std::function<void(std::string_view)>& write) const;
  /// Into a machine that has seen no event. `read` fills exactly that many bytes or answers false. After an
  /// error the machine is of no use.
  Status load(const std::function<bool(char*, std::size_t)>& read);

 private:
  std::unique_ptr<MachineState> state_;
};

}  // namespace spillway::intake
