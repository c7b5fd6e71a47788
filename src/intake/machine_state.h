#pragma once

// Private to the machine (machine*.cc): what it remembers.

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "intake/machine.h"
#include "intake/people.h"
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

  std::uint64_t first = 0;          ///< its oldest kept request, or 0
  std::uint64_t last = 0;           ///< its newest kept, or 0
  std::uint64_t head = 0;           ///< its first not delivered, or 0
  Counts counts{};                  ///< of the kept ones
  Counts retired{};                 ///< of the forgotten ones
  std::set<std::uint64_t> visible;  ///< to be delivered again

  // Its keys in the indexes of the MachineState; 0 where it is not in one.
  std::uint64_t ready_key = 0;
  std::uint64_t waiting_key = 0;
  std::int64_t purge_key = 0;
  bool touched = false;  ///< by the event that is being applied, and not indexed again yet

  std::uint64_t taken() const {
    return count_of(counts, RequestStatus::kSucceeded) + count_of(retired, RequestStatus::kSucceeded);
  }
  /// Places held by work in progress: every request that is PROCESSING holds one.
  std::uint64_t kept() const { return count_of(counts, RequestStatus::kProcessing); }
  std::uint64_t accepted() const { return total_of(counts) + total_of(retired); }
  std::uint64_t queued() const { return count_of(counts, RequestStatus::kQueued); }
};

/// The first thing that could be done for an event now, or 0: a retry, or its head unless that is blocked,
/// that is unless the last places are held by work that may still give them back.
inline std::uint64_t next_in_line(std::uint64_t first_visible, std::uint64_t head, bool head_is_closed,
                                  std::uint64_t kept, std::uint64_t taken, std::uint64_t capacity_total) {
  if (first_visible != 0) return first_visible;
  return kept == 0 || taken + kept < capacity_total || head_is_closed ? head : 0;
}

/// An attempt that did not end a request.
struct Note {
  enum class Cause : std::uint8_t { kRetry = 0, kExpired = 1, kRestart = 2 };
  Timestamp at;
  Cause cause = Cause::kRetry;
  std::string reason;
};
/// What few requests have.
struct Notes {
  std::vector<Note> attempts;
  std::string final_reason;
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
  People people;
  std::vector<std::unique_ptr<EventState>> events;
  boost::unordered_flat_map<std::string, std::uint32_t, TextHash, std::equal_to<>> event_index;
  std::map<std::uint64_t, Notes> notes;

  std::uint64_t in_flight = 0;
  std::uint64_t visible_again = 0;
  std::uint64_t queued = 0;
  std::uint64_t dead_letters = 0;

  // Indexes: derived from the above, in no snapshot and no digest.
  std::map<std::int64_t, Lease> leases;                       ///< in flight, by deadline
  std::set<std::pair<std::int64_t, std::uint64_t>> delayed;   ///< (due, number)
  std::set<std::pair<std::uint64_t, std::uint32_t>> ready;    ///< (what could be done first, event)
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
  std::uint64_t place_of(const EventState& event, const Record& record) const {
    return record.ordinal - (event.accepted() - event.queued());
  }
  const Record* find(std::string_view id, std::uint64_t* number = nullptr) const {
    const auto found = request_number(seed, id);
    if (!found) return nullptr;
    if (number != nullptr) *number = *found;
    return requests.find(*found);
  }
  const Notes* notes_of(std::uint64_t number, const Record& record) const {
    return record.has_notes ? &notes.find(number)->second : nullptr;
  }

  EventView view(const EventState&) const;
  RequestView view(std::uint64_t number, const Record&) const;
  QueueStats stats(Timestamp now) const;
  /// Puts the event where it belongs in `ready`, `waiting` and `purgeable`.
  void index(std::uint32_t event);

  // The digest is a sum, so that a change costs two hashes, whatever else there is (machine_digest.cc).
  std::uint64_t hash(std::uint64_t number, const Record&) const;
  std::uint64_t hash(const EventState&) const;
  std::uint64_t hash_person(std::uint64_t number, const PersonKey&, std::string_view body) const;
  std::uint64_t hash(std::uint64_t number, const Notes&) const;
  std::uint64_t hash_globals() const;
  /// What hash_globals() grows by when the last number does by one.
  static std::uint64_t hash_next_number();
};

}  // namespace spillway::intake
