#pragma once

// Private to the machine (machine*.cc): what it remembers.

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/person_index.h"
#include "waitroom/lottery.h"
#include "waitroom/machine.h"
#include "waitroom/ordered_set.h"
#include "waitroom/rate_meter.h"
#include "waitroom/ticket_store.h"

namespace spillway::waitroom {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

inline std::size_t wait_bucket(Micros wait_us) {
  const double seconds = static_cast<double>(wait_us) / kSecond;
  return static_cast<std::size_t>(std::lower_bound(kWaitBounds.begin(), kWaitBounds.end(), seconds) -
                                  kWaitBounds.begin());
}

/// One concert and its line.
struct Concert {
  std::string id;
  bool configured = false;
  Settings settings;
  DrawState draw = DrawState::kNone;
  DrawSeed seed{};  ///< of its lottery, once there is one; the same for good
  bool has_seed = false;
  std::uint32_t gathered = 0;      ///< drawn: this many took part
  std::int64_t paid_until_ns = 0;  ///< what admitPerSecond allowed up to this time has been used
  TicketStore tickets;

  // Derived from the above, in no snapshot and no digest.
  std::uint64_t waiting = 0, ready = 0, active = 0;
  OrderedSet line;     ///< places of the WAITING
  OrderedSet present;  ///< those of them who are there, as far as is known
  std::unique_ptr<Draw> drawing;
  std::vector<std::uint32_t> drawn;  ///< numbers by place, from place 1 on
  std::uint32_t oldest = 1;          ///< nobody before this number is WAITING
  RateMeter entered, admitted, went;
  RateMeter freed;           ///< slots
  Timestamp first_admitted;  ///< in this process
  WaitCounts waits{};
  std::int64_t admit_key = kNever;  ///< its key in MachineState::admissions
  std::int64_t idle_key = 0;        ///< in MachineState::idle

  std::uint64_t occupied() const { return ready + active; }
  std::uint64_t live() const { return waiting + ready + active; }
  std::uint64_t room() const {
    return settings.max_active > occupied() ? settings.max_active - occupied() : 0;
  }
  bool opened(Timestamp now) const { return settings.mode == Mode::kOpen || now >= settings.opens_at; }
  bool shaped() const { return settings.admit_per_second != 0 && settings.mode != Mode::kOpen; }
  std::int64_t interval_ns() const { return 1'000'000'000 / std::int64_t{settings.admit_per_second}; }
  std::int64_t paid_from_ns(std::int64_t now_ns) const {
    return std::max(paid_until_ns, now_ns - std::max(limits::kAdmitBurst * 1000, interval_ns()));
  }
  /// How many may be let in now, as far as the rate is concerned.
  std::uint64_t allowance(Timestamp now) const {
    if (!shaped()) return std::numeric_limits<std::uint64_t>::max();
    const std::int64_t now_ns = now.us * 1000;
    const std::int64_t left = now_ns - paid_from_ns(now_ns);
    return left <= 0 ? 0 : static_cast<std::uint64_t>(left / interval_ns());
  }
  void pay(Timestamp at, std::size_t people) {
    if (shaped())
      paid_until_ns = paid_from_ns(at.us * 1000) + interval_ns() * static_cast<std::int64_t>(people);
  }
  std::uint32_t number_at(std::uint32_t place) const {
    return place <= drawn.size() ? drawn[place - 1] : place;
  }
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
  std::uint8_t signing_key = 0;
  std::vector<std::unique_ptr<Concert>> concerts;  ///< by index; null: forgotten
  boost::unordered_flat_map<std::string, std::uint32_t, TextHash, std::equal_to<>> concert_index;

  std::size_t kept = 0;  ///< tickets
  std::size_t unconfigured = 0;
  std::uint64_t waiting = 0, occupied = 0;

  // Indexes: derived.
  std::set<std::pair<std::int64_t, std::uint64_t>> deadlines;  ///< of READY and ACTIVE, with the ticket
  std::set<std::pair<std::int64_t, std::uint32_t>>
      admissions;                                         ///< concerts where somebody may be let in, when
  std::set<std::pair<std::int64_t, std::uint32_t>> idle;  ///< unconfigured concerts with nobody, since
  std::set<std::tuple<std::int64_t, std::uint32_t, std::uint32_t>> forgettable;  ///< since, concert, chunk
  std::set<std::uint32_t> drawing;

  // In memory only: every WAITING ticket is looked after once a minute. By the second, modulo kWheelSlots.
  static constexpr std::int64_t kWheelSlots = 64;
  std::array<std::deque<std::uint64_t>, kWheelSlots> wheel;
  std::int64_t wheel_at_s = 0;
  std::int64_t seen_floor_us = 0;

  std::uint64_t digest = 0;

  PersonIndex people;  ///< in which line who is: tickets that are not gone, packed

  /// The ticket that somebody has in a line, packed, unless it is gone; else 0.
  std::uint64_t find_person(const PersonKey& key) const {
    return people.find(key, [&](std::uint64_t packed) {
      const TicketRef ref = TicketRef::unpack(packed);
      return concerts[ref.concert]->tickets.at(ref.number).person == key;
    });
  }

  /// `to_look_at`: tickets that may be looked at for the oldest wait; what was is taken off.
  ConcertView view(const Concert&, Timestamp now, std::uint32_t& to_look_at) const;
  Concert* find_concert(std::string_view id) const {
    const auto found = concert_index.find(id);
    return found == concert_index.end() ? nullptr : concerts[found->second].get();
  }
  Concert* concert_at(std::uint32_t index) const {
    return index < concerts.size() ? concerts[index].get() : nullptr;
  }
  /// not_found; ticket_expired for one that is forgotten. Whatever its status.
  Result<const Ticket*> find(TicketRef) const;

  Timestamp seen(const Ticket& t) const { return {std::max(t.seen_us, seen_floor_us)}; }
  bool is_absent(const Ticket& t, Timestamp now) const { return seen(t) + limits::kAbsentAfter <= now; }
  /// When an ACTIVE one ends, with what was seen of its owner.
  Timestamp end_of(const Concert& c, const Ticket& t) const {
    if (!c.settings.idle_extends || t.status != TicketStatus::kActive) return {t.until_us};
    return std::max(Timestamp{t.until_us}, seen(t) + c.settings.active_us);
  }
  TicketView view(const Concert&, TicketRef, const Ticket&, Timestamp now) const;

  // Changes (machine_evolve.cc)
  void put_in_line(Concert&, Ticket&, std::uint32_t place);
  void list_to_forget(std::uint32_t concert, std::uint32_t chunk, std::int64_t since_us);
  void start_draw(std::uint32_t concert);
  void advance_draw(std::uint32_t concert, std::size_t budget);
  void watch(TicketRef, Timestamp due);
  void reindex(std::uint32_t concert);
  void index_idle(std::uint32_t concert, std::int64_t since_us);
  std::int64_t admission_key(const Concert&) const;

  // The digest is a sum, so that a change costs two hashes, whatever else there is (machine_digest.cc).
  static std::uint64_t hash(TicketRef, const Ticket&);
  static std::uint64_t hash(std::uint32_t index, const Concert&);
  std::uint64_t hash_globals() const;
};

}  // namespace spillway::waitroom
