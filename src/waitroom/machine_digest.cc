// The digest: a sum over all tickets and concerts of a hash of each, so that keeping it costs two hashes a
// change. Everything logical is in it; what is derived (lines, counts, indexes) is compared by
// recompute_digest().

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "waitroom/machine_state.h"

namespace spillway::waitroom {
namespace {

// Told apart, so that a ticket cannot stand for a concert.
enum Domain : std::uint64_t { kTicket = 1, kConcert = 2, kText = 3, kGlobals = 4 };

std::uint64_t hash_bytes(const void* bytes, std::size_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}
template <std::size_t n>
std::uint64_t hash_words(const std::uint64_t (&words)[n], std::uint64_t seed) {
  return hash_bytes(words, sizeof words, seed);
}

/// Goes along all tickets of a concert and compares what is derived from them.
bool agrees(const MachineState& s, std::uint32_t index, const Concert& c) {
  std::uint64_t waiting = 0, ready = 0, active = 0, in_line = 0;
  bool good = true;
  c.tickets.for_each([&](std::uint32_t number, const Ticket& t) {
    const TicketRef ref{index, number};
    good = good && (s.find_person(t.person) == ref.packed()) == !is_gone(t.status);
    if (t.status == TicketStatus::kWaiting) {
      ++waiting;
      const bool should = c.draw != DrawState::kGathering && (c.drawing == nullptr || number > c.gathered);
      if (should) good = good && t.place != 0;
      if (t.place == 0) return;
      ++in_line;
      good = good && c.line.contains(t.place) && c.number_at(t.place) == number;
      return;
    }
    if (is_gone(t.status)) return;
    ++(t.status == TicketStatus::kReady ? ready : active);
    good = good && s.deadlines.contains({t.until_us, ref.packed()});
  });
  return good && waiting == c.waiting && ready == c.ready && active == c.active &&
         in_line == c.line.count() && c.present.count() <= c.line.count() &&
         c.admit_key == s.admission_key(c);
}

}  // namespace

std::uint64_t MachineState::hash(TicketRef ref, const Ticket& t) {
  const std::uint64_t place =
      t.status == TicketStatus::kActive ? t.place : 0;  // of the WAITING it is derived
  const std::uint64_t words[] = {ref.packed(),
                                 t.person.low,
                                 t.person.high,
                                 static_cast<std::uint64_t>(t.entered_at_us),
                                 static_cast<std::uint64_t>(t.until_us),
                                 place << 32 | static_cast<std::uint64_t>(t.status) << 16 |
                                     static_cast<std::uint64_t>(t.expiry) << 8 | t.key};
  return hash_words(words, kTicket);
}

std::uint64_t MachineState::hash(std::uint32_t index, const Concert& c) {
  const Settings& set = c.settings;
  const std::uint64_t words[] = {
      index,
      hash_bytes(c.id.data(), c.id.size(), kText),
      hash_bytes(c.seed.data(), c.seed.size(), kText),
      set.max_active,
      static_cast<std::uint64_t>(set.ready_us),
      static_cast<std::uint64_t>(set.active_us),
      static_cast<std::uint64_t>(set.opens_at.us),
      static_cast<std::uint64_t>(c.paid_until_ns),
      std::uint64_t{set.admit_per_second} << 32 | c.gathered,
      std::uint64_t{c.tickets.last()} << 32 | static_cast<std::uint64_t>(set.mode) << 16 |
          static_cast<std::uint64_t>(c.draw) << 8 | static_cast<std::uint64_t>(set.idle_extends) << 2 |
          static_cast<std::uint64_t>(c.has_seed) << 1 | static_cast<std::uint64_t>(c.configured)};
  return hash_words(words, kConcert);
}

std::uint64_t MachineState::hash_globals() const {
  const std::uint64_t words[] = {seeded ? 1u : 0u, hash_bytes(seed.data(), seed.size(), kGlobals),
                                 signing_key, concerts.size()};
  return hash_words(words, kGlobals);
}

std::uint64_t Machine::digest() const { return state_->digest; }

std::uint64_t Machine::recompute_digest() const {
  const MachineState& s = *state_;
  std::uint64_t sum = s.hash_globals(), waiting = 0, occupied = 0;
  std::size_t kept = 0, unconfigured = 0, named = 0;
  bool good = true;
  for (std::uint32_t index = 0; index < s.concerts.size(); ++index) {
    if (s.concerts[index] == nullptr) continue;
    const Concert& c = *s.concerts[index];
    sum += MachineState::hash(index, c);
    c.tickets.for_each([&](std::uint32_t number, const Ticket& t) {
      sum += MachineState::hash({index, number}, t);
    });
    good = good && agrees(s, index, c) && s.find_concert(c.id) == &c;
    waiting += c.waiting;
    occupied += c.occupied();
    kept += c.tickets.size();
    unconfigured += c.configured ? 0 : 1;
    ++named;
  }
  good = good && waiting == s.waiting && occupied == s.occupied && occupied == s.deadlines.size() &&
         kept == s.kept && unconfigured == s.unconfigured && named == s.concert_index.size() &&
         s.people.size() == waiting + occupied;
  return good ? sum : ~sum;
}

}  // namespace spillway::waitroom
