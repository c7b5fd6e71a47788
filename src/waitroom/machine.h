#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "waitroom/commands.h"
#include "waitroom/events.h"

namespace spillway::waitroom {

struct MachineState;

struct MachineConfig {
  std::size_t max_concerts = limits::kMaxConcerts;
  std::size_t max_unconfigured = limits::kMaxUnconfiguredConcerts;
  std::size_t max_tickets = limits::kMaxTickets;  ///< kept at once, the gone ones too
  Micros gone_kept_us = limits::kGoneKept;
};

/// The waiting room's state and its rules, in memory.
///
/// Operation: decide*() refuse or propose; what they propose is appended to `out` and holds when evolve() has
/// been called with each, in order, before the next decision. Recovery calls evolve() alone. Pure: no I/O, no
/// clock, nothing random; `now` must never go back from call to call. Who is there and who is absent is known
/// from polls (saw()): that is kept up in memory only, is in no event and no digest, and after a restart
/// everybody counts as just seen; so those of these calls that keep it up are not const. Costs: no call and
/// no tick goes along the people in a line; what one turn does is bounded by the arguments. Concurrency:
/// none; the live one belongs to the state thread. Limitations: all in memory, about 70 bytes a person.
class Machine {
 public:
  explicit Machine(MachineConfig = {});
  ~Machine();
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;

  // ---- Decisions ------------------------------------------------------------------------------------------

  /// In this order: the same ticket for whoever is in that line already; queue_paused; queue_full. A concert
  /// that nobody has named before is made, with the defaults. `out` then views into the command.
  Result<TicketRef> decide(const Enter&, Timestamp now, Events& out) const;
  Result<TicketRef> decide(Enter&&, Timestamp, Events&) const = delete;
  /// Fetches what deciding it, or looking at it, will read; changes nothing.
  void prefetch(const Enter&) const;
  void prefetch(TicketRef) const;
  /// not_found; ticket_left, ticket_expired; not_your_turn. Done already: no event.
  Status decide_activate(TicketRef, Timestamp now, Events& out) const;
  /// not_found. Whoever is gone already: no event.
  Status decide_leave(TicketRef, Timestamp now, Events& out) const;
  /// invalid_argument; overloaded. Without a change: no event. `out` then views into the command.
  Status decide(const PutConcert&, Timestamp now, Events& out) const;
  Status decide(PutConcert&&, Timestamp, Events&) const = delete;
  void decide_key(std::uint8_t key, Timestamp now, Events& out) const;
  /// READY and ACTIVE whose time is over, at most `max`. ACTIVE who were seen meanwhile are extended instead
  /// where that is so set.
  void decide_expiries(Timestamp now, std::size_t max, Events& out) const;
  /// Who is let in now, at most `max` people, and the draws that are due. Passes over whoever is absent.
  void decide_admissions(Timestamp now, std::size_t max, Events& out);
  /// Looks after at most `max` waiting people: passes over those who went away, ends what is too old.
  void decide_looked_after(Timestamp now, std::size_t max, Events& out);
  /// Tickets that have been gone for long enough, and concerts that are nothing but a name.
  void decide_forget(Timestamp now, std::size_t max, Events& out) const;
  /// The first event of a new journal. Nothing else may be decided before.
  void decide_seed(const Seed&, Events& out) const;
  bool seeded() const;

  /// Applies. An event that does not fit the state is a broken journal or program: CHECK.
  void evolve(const Event&);

  // ---- What is known in memory only ----------------------------------------------------------------------

  /// Everybody counts as seen at `now`: the process has just started.
  void start(Timestamp now);
  /// The ticket's owner has asked after it. Whoever that is: any ticket.
  void saw(TicketRef, Timestamp now);
  /// Goes on with the draws, by about `budget` lots. Until one is done nobody of it has a place.
  void advance_draws(std::size_t budget);
  bool drawing() const;

  // ---- Reads ----------------------------------------------------------------------------------------------

  /// not_found; ticket_left, ticket_expired.
  Result<TicketView> view(TicketRef, Timestamp now) const;
  /// Also of whoever is gone, as long as it is kept.
  Result<TicketDetail> detail(TicketRef, Timestamp now) const;
  /// not_found: nobody has named it, or nobody has set it up as one.
  Result<LotteryView> lottery(std::string_view concert_id) const;
  Result<ConcertView> concert(std::string_view concert_id, Timestamp now) const;
  /// invalid_argument: not a cursor of this list.
  Result<ConcertPage> concerts(const ListConcerts&, Timestamp now) const;
  std::uint8_t key() const;  ///< that signs new tokens; 0: none yet
  std::size_t tickets() const;
  struct Sizes {
    std::uint64_t waiting = 0, present = 0;  ///< present: of the waiting, those who are not absent
    std::uint64_t occupied = 0;              ///< READY and ACTIVE
    std::uint64_t max_active = 0;
    std::uint64_t admitted = 0;  ///< of some time, as in ConcertView
    bool paused = false;
    bool admitting = false;  ///< whoever waits is let in as there is room: open, not paused, drawn
  };
  /// Zero for a concert that is forgotten.
  Sizes sizes(std::uint32_t concert, Timestamp now) const;
  bool configured(std::uint32_t concert) const;
  std::uint64_t waiting() const;
  std::uint64_t occupied() const;
  /// Of a ticket that is kept: when it was activated, if it was. For metrics.
  Timestamp activated_at(TicketRef) const;
  TicketStatus status_of(TicketRef) const;
  Timestamp entered_at(TicketRef) const;
  std::string_view concert_id(std::uint32_t concert) const;

  // ---- Proof and snapshots --------------------------------------------------------------------------------

  /// A hash of the whole logical state, kept up with every change; equal states have equal digests however
  /// they were reached.
  std::uint64_t digest() const;
  /// The same from the state itself; also differs when a count or an index does not agree with the tickets.
  std::uint64_t recompute_digest() const;
  void save(const std::function<void(std::string_view)>& write) const;
  /// Into a machine that has seen no event. `read` fills exactly that many bytes or answers false. After an
  /// error the machine is of no use.
  Status load(const std::function<bool(char*, std::size_t)>& read);

 private:
  std::unique_ptr<MachineState> state_;
};

}  // namespace spillway::waitroom
