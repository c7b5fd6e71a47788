#pragma once

// Private to the machine (machine*.cc): what it remembers.

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/person_index.h"
#include "intake/machine.h"
#include "intake/machine_webhooks.h"
#include "intake/request_store.h"

namespace spillway::intake {

/// By the status's number; 0 is not used.
using Counts = std::array<std::uint64_t, 7>;
inline std::uint64_t& count_of(Counts& counts, RequestStatus s) {
  return counts[static_cast<std::size_t>(s)];
}
inline std::uint64_t count_of(const Counts& counts, RequestStatus s) {
  return counts[static_cast<std::size_t>(s)];
}
inline std::uint64_t total_of(const Counts& counts) {
  std::uint64_t sum = 0;
  for (const std::uint64_t n : counts) sum += n;
  return sum;
}

/// One participation event and its line. Its requests are linked by number; those not delivered yet are the
/// tail of that list, from `head` on: the line itself.
struct EventState {
  std::string id;
  std::string title;
  std::uint64_t capacity_total = 0;
  Timestamp opens_at;
  Timestamp closes_at;
  Policy policy = Policy::kFirstCome;
  WorkKind work = WorkKind::kCapacity;
  Webhook webhook;

  std::uint64_t first = 0;           ///< its oldest kept request, or 0
  std::uint64_t last = 0;            ///< its newest kept, or 0
  std::uint64_t head = 0;            ///< its first not delivered, or 0
  Counts counts{};                   ///< of the kept ones
  Counts retired{};                  ///< of the forgotten ones
  std::set<std::uint64_t> visible;   ///< to be delivered again, with the place they kept
  std::set<std::uint64_t> redriven;  ///< QUEUED again, without a place; all of them older than the line

  // Its keys in the indexes of the MachineState; 0 where it is not in one.
  std::uint64_t ready_key = 0;  ///< in that of its work's kind
  std::uint64_t waiting_key = 0;
  std::int64_t purge_key = 0;
  bool touched = false;  ///< by the event that is being applied, and not indexed again yet

  // Of its deliveries of webhooks: (when it is due, id) of the pending, ids of those that may be put back.
  std::set<std::pair<std::int64_t, std::uint64_t>> webhooks_due;
  std::set<std::uint64_t> webhooks_given_up;
  WebhookReceiver* webhook_receiver = nullptr;  ///< in which it is listed; null: none is pending
  std::int64_t webhook_key = 0;                 ///< as which

  std::uint64_t taken() const {
    return count_of(counts, RequestStatus::kSucceeded) + count_of(retired, RequestStatus::kSucceeded);
  }
  /// Places held by work in progress: every request that is PROCESSING holds one.
  std::uint64_t kept() const { return count_of(counts, RequestStatus::kProcessing); }
  std::uint64_t accepted() const { return total_of(counts) + total_of(retired); }
  std::uint64_t queued() const { return count_of(counts, RequestStatus::kQueued); }
  /// The first that has no place yet, or 0.
  std::uint64_t first_without_place() const { return redriven.empty() ? head : *redriven.begin(); }
};

/// The first thing that could be done for an event now, or 0: a retry, or the first without a place unless
/// that is blocked, that is unless the last places are held by work that may still give them back.
inline std::uint64_t next_in_line(std::uint64_t first_visible, std::uint64_t first, bool first_is_closed,
                                  std::uint64_t kept, std::uint64_t taken, std::uint64_t capacity_total) {
  if (first_visible != 0) return first_visible;
  return kept == 0 || taken + kept < capacity_total || first_is_closed ? first : 0;
}

/// An attempt that did not end a request.
struct Note {
  enum class Cause : std::uint8_t {
    kRetry = 0,
    kExpired = 1,
    kRestart = 2,
    kLast = 3,  ///< the last try before a redrive: noted by that
    kReturned = 4,
  };
  Timestamp at;
  Cause cause = Cause::kRetry;
  std::string reason;
  Timestamp started_at;  ///< told, and not in the digest: journals from before it was kept have the same one
};
/// What a redrive has left behind.
struct Round {
  std::uint64_t redrive = 0;
  Timestamp started_at;
  Timestamp dead_at;
  Timestamp redriven_at;
  std::string reason;  ///< of the death
};
struct Discard {
  Timestamp at;
  std::string by;
  std::string reason;
};
/// What few requests have.
struct Notes {
  std::vector<Note> attempts;
  std::string final_reason;
  std::uint32_t attempts_dropped = 0;  ///< older ones
  std::uint32_t receive_base =
      0;  ///< deliveries that are no tries: those up to the last redrive, the returned
  std::uint32_t redrives = 0;
  std::vector<Round> rounds;
  std::optional<Discard> discard;
  Timestamp delivered_at;  ///< the delivery in flight; as Note::started_at in no digest

  std::uint64_t attempts_noted() const { return attempts_dropped + attempts.size(); }
};

/// Dead letters by the time they became it, and their number.
using DeadKey = std::pair<std::int64_t, std::uint64_t>;

/// A DeadLetterFilter with its ids looked up.
struct DeadFilter {
  std::uint32_t event = kAnyEvent;
  bool named = false;                  ///< only those in `numbers`
  std::vector<std::uint64_t> numbers;  ///< ascending
  FailureClass failure = FailureClass::kNone;
  std::string reason;
  Timestamp dead_before;

  static constexpr std::uint32_t kAnyEvent = UINT32_MAX;
};

/// The newest redrive.
struct RedriveStatus {
  std::uint64_t id = 0;
  RedriveState state = RedriveState::kRunning;
  DeadFilter filter;
  std::uint32_t rate = 1;
  std::uint32_t stop_after = 1;
  std::uint64_t matching = 0;
  DeadKey until{};         ///< the newest dead letter at the start
  DeadKey looked_up_to{};  ///< those up to here have been looked at
  Timestamp paid_until;    ///< what the rate allowed up to this time has been used
  std::uint64_t redriven = 0, succeeded = 0, rejected = 0, failed = 0;
  Timestamp started_at, finished_at;

  bool running() const { return state == RedriveState::kRunning; }
  std::uint64_t outstanding() const { return redriven - succeeded - rejected - failed; }
};

/// Deliveries with one deadline. Those completed or extended since are still listed, and told by their
/// records.
struct Lease {
  std::vector<std::uint64_t> numbers;
  std::size_t live = 0;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};

struct MachineState {
  explicit MachineState(MachineConfig c) : config(c) {}

  MachineConfig config;
  bool seeded = false;
  Seed seed{};
  bool paused = false;
  RequestStore requests;
  PersonIndex people;  ///< who has taken part in what: numbers of kept requests
  std::vector<std::unique_ptr<EventState>> events;
  boost::unordered_flat_map<std::string, std::uint32_t, TextHash, std::equal_to<>> event_index;
  std::map<std::uint64_t, Notes> notes;

  std::uint64_t in_flight = 0;
  std::uint64_t visible_again = 0;
  std::uint64_t queued = 0;
  std::uint64_t dead_letters = 0;
  std::optional<RedriveStatus> redrive;
  Webhooks webhooks;

  // Indexes: derived from the above, in no snapshot and no digest.
  std::map<std::int64_t, Lease> leases;                      ///< in flight, by deadline
  std::set<std::pair<std::int64_t, std::uint64_t>> delayed;  ///< (due, number)
  std::set<DeadKey> dead;
  using Ready = std::set<std::pair<std::uint64_t, std::uint32_t>>;
  std::array<Ready, kWorkKinds> ready;  ///< by kind of work: (what could be done first, event)
  std::set<std::pair<std::uint64_t, std::uint32_t>> waiting;  ///< (oldest visible, blocked or not; event)
  std::set<std::pair<std::int64_t, std::uint32_t>>
      purgeable;  ///< (since when its oldest could be forgotten, event)
  std::uint64_t digest = 0;

  const EventState* find_event(std::string_view id) const {
    const auto it = event_index.find(id);
    return it == event_index.end() ? nullptr : events[it->second].get();
  }
  EventState& event_of(const Record& record) { return *events[record.event]; }
  const EventState& event_of(const Record& record) const { return *events[record.event]; }
  /// Was in line too late, by the closing time as it is now.
  static bool is_closed_for(const EventState& event, const Record& record) {
    return event.closes_at && record.queued_at_us >= event.closes_at.us;
  }
  static bool is_dead(const Record& r) {
    return r.result == ResultCode::kFailedRetriesExhausted && !r.discarded;
  }
  /// Of a QUEUED one, from 1; nothing when it is too far from the front to be counted.
  std::optional<std::uint64_t> place_of(const EventState& event, std::uint64_t number,
                                        const Record& record) const;
  Ready& ready_of(WorkKind kind) { return ready[static_cast<std::size_t>(kind)]; }
  /// Deliveries since it was taken, or since its last redrive, without those that were returned.
  std::uint32_t tries(std::uint64_t number, const Record& record) const {
    return record.receive_count() - (record.has_notes ? notes.find(number)->second.receive_base : 0);
  }
  const Record* find(std::string_view id, std::uint64_t* number = nullptr) const {
    const auto found = request_number(seed, id);
    if (!found) return nullptr;
    if (number != nullptr) *number = *found;
    return requests.find(*found);
  }
  /// The number of the request that somebody made for an event, or 0.
  std::uint64_t find_person(const PersonKey& key) const {
    return people.find(key, [&](std::uint64_t number) {
      const Record& r = requests.at(number);
      return person_key(seed, r.event, requests.user_id(number, r)) == key;
    });
  }
  const Notes* notes_of(std::uint64_t number, const Record& record) const {
    return record.has_notes ? &notes.find(number)->second : nullptr;
  }

  EventView view(const EventState&, Timestamp now) const;
  RequestView view(std::uint64_t number, const Record&) const;
  QueueStats stats(Timestamp now) const;
  std::vector<StatusLogEntry> status_log(std::uint64_t number, const Record&) const;
  std::vector<Attempt> attempts(std::uint64_t number, const Record&) const;
  RequestDetail detail(std::uint64_t number, const Record&) const;
  /// The same without body, attempts and status log.
  RequestDetail summary(std::uint64_t number, const Record&) const;
  std::uint32_t redrives(std::uint64_t number, const Record& r) const {
    return r.has_notes ? notes.find(number)->second.redrives : 0;
  }

  // Dead letters (machine_dead_letters.cc).
  Result<DeadFilter> resolve(const DeadLetterFilter&) const;
  DeadLetterFilter unresolve(const DeadFilter&) const;
  bool matches(const DeadFilter&, std::uint64_t number, const Record&) const;
  std::string_view last_reason(std::uint64_t number, const Record&) const;
  DeadLetter dead_letter(std::uint64_t number, const Record&) const;
  RedriveView view(const RedriveStatus&) const;
  bool redrive_has_more() const {
    if (!redrive || !redrive->running()) return false;
    const auto next = dead.upper_bound(redrive->looked_up_to);
    return next != dead.end() && *next <= redrive->until;
  }
  /// What the redrive does next, at most `max_items` requests.
  void append_redrive(Timestamp now, std::size_t max_items, Events& out) const;

  // Webhooks (machine_webhooks.cc).
  /// A request of an event with a webhook became final.
  void add_webhook(std::uint64_t number, const Record&, Timestamp at);
  /// It is redriven: what is pending is no longer so, and what was told is out of date.
  void supersede_webhook(std::uint64_t number);
  /// It is forgotten.
  void forget_webhooks(std::uint64_t number);
  void drop_webhook(std::uint64_t id);
  void apply(const WebhooksTried&);
  void apply(const WebhooksPutBack&);
  /// At most so many; answers how many.
  std::size_t append_expired_webhooks(Timestamp now, std::size_t max_items, Events& out) const;
  std::uint64_t newest_webhook(std::uint64_t number) const;  ///< its id, or 0
  bool webhook_pending(std::uint64_t number) const;
  std::string webhook_id(std::uint64_t id, const WebhookDelivery&) const;  ///< as others know it
  WebhookView view(std::uint64_t id, const WebhookDelivery&) const;
  std::optional<WebhookView> webhook_view(std::uint64_t number) const;
  void index_webhook(std::uint64_t id, const WebhookDelivery&);
  void unindex_webhook(std::uint64_t id, const WebhookDelivery&);
  /// Puts the event where it belongs in the indexes of receivers.
  void index_webhooks(std::uint32_t event);
  bool webhooks_indexed() const;  ///< all of it, for a recount

  /// Puts the event where it belongs in `ready`, `waiting` and `purgeable`.
  void index(std::uint32_t event);

  // The digest is a sum, so that a change costs two hashes, whatever else there is (machine_digest.cc).
  std::uint64_t hash(std::uint64_t number, const Record&) const;
  std::uint64_t hash(const EventState&) const;
  std::uint64_t hash_person(std::uint64_t number, const PersonKey&, std::string_view body) const;
  std::uint64_t hash(std::uint64_t number, const Notes&) const;
  std::uint64_t hash_globals() const;
  std::uint64_t hash(std::uint64_t id, const WebhookDelivery&) const;
  std::uint64_t hash_last_webhook() const;  ///< 0 when there never was one
  std::uint64_t hash_redrive() const;       ///< 0 when there never was one
  /// What hash_globals() grows by when the last number does by one.
  static std::uint64_t hash_next_number();
};

}  // namespace spillway::intake
