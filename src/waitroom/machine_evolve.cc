// evolve(): applies what has happened.

#include <algorithm>

#include "waitroom/machine_state.h"

namespace spillway::waitroom {
namespace {

class Evolver {
 public:
  explicit Evolver(MachineState& s) : s_(s) {}

  void operator()(const Seeded& e) {
    CHECK(!s_.seeded);
    globals([&] {
      s_.seeded = true;
      s_.seed = e.seed;
    });
  }

  void operator()(const KeyTaken& e) {
    globals([&] { s_.signing_key = e.key; });
  }

  void operator()(const ConcertMade& e) {
    CHECK(s_.seeded && e.concert == s_.concerts.size());
    globals([&] {
      auto concert = std::make_unique<Concert>();
      concert->id = e.id;
      const bool is_new = s_.concert_index.emplace(concert->id, e.concert).second;
      CHECK(is_new);
      s_.concerts.push_back(std::move(concert));
    });
    s_.digest += MachineState::hash(e.concert, *s_.concerts[e.concert]);
    ++s_.unconfigured;
    s_.index_idle(e.concert, e.at.us);
  }

  void operator()(const ConcertPut& e) {
    changed(e.concert, [&](Concert& c) {
      if (!c.configured) --s_.unconfigured;
      c.configured = true;
      c.settings = e.settings;
      s_.index_idle(e.concert, e.at.us);
    });
  }

  void operator()(const LotterySet& e) {
    changed(e.concert, [&](Concert& c) {
      CHECK(c.draw != DrawState::kDrawn && c.waiting == 0 && (!c.has_seed || c.seed == e.seed));
      c.draw = e.gathering ? DrawState::kGathering : DrawState::kNone;
      c.seed = e.seed;
      c.has_seed = true;
    });
  }

  void operator()(const Drawn& e) {
    changed(e.concert, [&](Concert& c) {
      CHECK(c.draw == DrawState::kGathering && e.gathered == c.tickets.last());
      c.draw = DrawState::kDrawn;
      c.gathered = e.gathered;
      s_.start_draw(e.concert);
    });
  }

  void operator()(const Entered& e) {
    const TicketRef ref = e.ticket;
    Concert& c = concert(ref.concert);
    CHECK(ref.number == c.tickets.last() + 1);
    rehashed(ref.concert, [&] {
      Ticket& ticket = c.tickets.add(ref.number);
      ticket.person = e.person;
      ticket.entered_at_us = ticket.seen_us = e.at.us;
      ticket.status = TicketStatus::kWaiting;
      ticket.key = e.key;
      ++c.waiting;
      ++s_.waiting;
      ++s_.kept;
      s_.people.add(e.person, ref.packed());
      c.entered.add(e.at);
      const std::uint32_t chunk = TicketStore::chunk_of(ref.number);
      if (ref.number % TicketStore::kChunkTickets == 0 && c.tickets.all_gone(chunk - 1)) {
        s_.list_to_forget(ref.concert, chunk - 1, e.at.us);  // complete only now
      }
      if (e.until) {
        become(c, ref, ticket, TicketStatus::kReady, e.until);
        c.pay(e.at, 1);
        c.admitted.add(e.at);
        if (!c.first_admitted) c.first_admitted = e.at;
        ++c.waits[0];
      } else {
        if (c.draw != DrawState::kGathering) s_.put_in_line(c, ticket, ref.number);
        s_.watch(ref, e.at + limits::kAbsentAfter);
      }
      s_.digest += MachineState::hash(ref, ticket);
    });
    if (c.idle_key != 0) s_.index_idle(ref.concert, e.at.us);
  }

  void operator()(const Admitted& e) {
    Concert& c = concert(e.concert);
    // While a draw is worked on nobody is let in, but a replay has done nothing of it yet.
    while (c.drawing != nullptr) s_.advance_draw(e.concert, limits::kDrawPerTick);
    rehashed(e.concert, [&] {
      for (const std::uint32_t number : e.numbers) {
        change({e.concert, number}, TicketStatus::kReady, e.until);
        ++c.waits[wait_bucket(e.at - Timestamp{c.tickets.at(number).entered_at_us})];
      }
      c.pay(e.at, e.numbers.size());
      c.admitted.add(e.at, static_cast<std::uint32_t>(e.numbers.size()));
      if (!c.first_admitted) c.first_admitted = e.at;
    });
  }

  void operator()(const Activated& e) {
    const TicketRef ref = e.ticket;
    change(ref, TicketStatus::kActive, e.until);
    Ticket& ticket = concert(ref.concert).tickets.at(ref.number);
    s_.digest -= MachineState::hash(ref, ticket);
    ticket.place = static_cast<std::uint32_t>((e.at - Timestamp{ticket.entered_at_us}) / (kSecond / 100));
    s_.digest += MachineState::hash(ref, ticket);
    ticket.seen_us = std::max(ticket.seen_us, e.at.us);
  }

  void operator()(const Left& e) {
    change(e.ticket, TicketStatus::kLeft, e.at);
    went(e.ticket, e.at);
  }

  void operator()(const Expired& e) {
    for (const Expired::Item& item : e.items) {
      change(item.ticket, TicketStatus::kExpired, e.at, item.why);
      went(item.ticket, e.at);
    }
  }

  void operator()(const Extended& e) {
    for (const Extended::Item& item : e.items) {
      Ticket& ticket = concert(item.ticket.concert).tickets.at(item.ticket.number);
      CHECK(ticket.status == TicketStatus::kActive);
      s_.digest -= MachineState::hash(item.ticket, ticket);
      s_.deadlines.erase({ticket.until_us, item.ticket.packed()});
      ticket.until_us = item.until.us;
      s_.deadlines.insert({ticket.until_us, item.ticket.packed()});
      s_.digest += MachineState::hash(item.ticket, ticket);
    }
  }

  void operator()(const Forgotten& e) {
    Concert& c = concert(e.concert);
    const bool whole = e.chunks.empty();
    CHECK(!whole || (c.live() == 0 && !c.configured));
    for (const std::uint32_t chunk : e.chunks) forget_chunk(c, e.concert, chunk);
    if (!whole) return;
    for (std::uint32_t chunk = 0; chunk < c.tickets.chunks(); ++chunk) {
      if (c.tickets.has_chunk(chunk)) forget_chunk(c, e.concert, chunk);
    }
    s_.digest -= MachineState::hash(e.concert, c);
    if (c.admit_key != kNever) s_.admissions.erase({c.admit_key, e.concert});
    if (c.idle_key != 0) s_.idle.erase({c.idle_key, e.concert});
    s_.concert_index.erase(s_.concert_index.find(std::string_view(c.id)));
    s_.concerts[e.concert].reset();
    --s_.unconfigured;
  }

 private:
  Concert& concert(std::uint32_t index) {
    Concert* c = s_.concert_at(index);
    CHECK(c != nullptr);
    return *c;
  }

  template <class F>
  void globals(F&& change_it) {
    s_.digest -= s_.hash_globals();
    change_it();
    s_.digest += s_.hash_globals();
  }
  /// Changes a concert, perhaps with its tickets; what happens to those in the digest is up to `change_it`.
  template <class F>
  void rehashed(std::uint32_t index, F&& change_it) {
    s_.digest -= MachineState::hash(index, *s_.concerts[index]);
    change_it();
    s_.digest += MachineState::hash(index, *s_.concerts[index]);
    s_.reindex(index);
  }
  template <class F>
  void changed(std::uint32_t index, F&& change_it) {
    Concert& c = concert(index);
    rehashed(index, [&] { change_it(c); });
  }

  /// Everything that goes with a status, but for the digest. `until`: the deadline, or when it went.
  void become(Concert& c, TicketRef ref, Ticket& ticket, TicketStatus to, Timestamp until) {
    const TicketStatus from = ticket.status;
    CHECK(may_become(from, to));
    if (from == TicketStatus::kWaiting) {
      --c.waiting;
      --s_.waiting;
      if (ticket.place != 0) {
        c.line.erase(ticket.place);
        c.present.erase(ticket.place);
        ticket.place = 0;
      }
      pass_oldest(c, ref.number);
    } else {
      --(from == TicketStatus::kReady ? c.ready : c.active);
      --s_.occupied;
      s_.deadlines.erase({ticket.until_us, ref.packed()});
    }
    ticket.status = to;
    ticket.until_us = until.us;
    if (is_gone(to)) {
      if (from != TicketStatus::kWaiting) c.freed.add(until);
      return;
    }
    ++(to == TicketStatus::kReady ? c.ready : c.active);
    ++s_.occupied;
    s_.deadlines.insert({ticket.until_us, ref.packed()});
  }

  void change(TicketRef ref, TicketStatus to, Timestamp until, Expiry expiry = Expiry::kNone) {
    Concert& c = concert(ref.concert);
    Ticket& ticket = c.tickets.at(ref.number);
    s_.digest -= MachineState::hash(ref, ticket);
    ticket.expiry = expiry;
    become(c, ref, ticket, to, until);
    s_.digest += MachineState::hash(ref, ticket);
  }

  void went(TicketRef ref, Timestamp at) {
    Concert& c = *s_.concerts[ref.concert];
    const bool was_there = s_.people.remove(c.tickets.at(ref.number).person, ref.packed());
    CHECK(was_there);
    c.went.add(at);
    if (c.tickets.went(ref.number)) {
      s_.list_to_forget(ref.concert, TicketStore::chunk_of(ref.number), at.us);
    }
    if (c.live() == 0 && !c.configured) s_.index_idle(ref.concert, at.us);
    s_.reindex(ref.concert);
  }

  void forget_chunk(Concert& c, std::uint32_t index, std::uint32_t chunk) {
    CHECK(c.tickets.all_gone(chunk));
    std::size_t tickets = 0;
    c.tickets.for_each_of(chunk, [&](std::uint32_t number, const Ticket& ticket) {
      s_.digest -= MachineState::hash({index, number}, ticket);
      ++tickets;
    });
    s_.forgettable.erase({c.tickets.listed_us(chunk), index, chunk});
    c.tickets.forget(chunk);
    s_.kept -= tickets;
  }

  /// Only so far at a time: the next that goes, or whoever asks for the oldest, goes on from there.
  void pass_oldest(Concert& c, std::uint32_t leaving) {
    constexpr int kSteps = 256;
    for (int i = 0; i < kSteps && c.oldest <= c.tickets.last(); ++i, ++c.oldest) {
      const Ticket* t = c.tickets.find(c.oldest);
      if (t != nullptr && t->status == TicketStatus::kWaiting && c.oldest != leaving) return;
    }
  }

  MachineState& s_;
};

}  // namespace

void MachineState::list_to_forget(std::uint32_t concert, std::uint32_t chunk, std::int64_t since_us) {
  concerts[concert]->tickets.listed_us(chunk) = since_us;
  forgettable.insert({since_us, concert, chunk});
}

void MachineState::put_in_line(Concert& c, Ticket& ticket, std::uint32_t place) {
  ticket.place = place;
  c.line.insert(place);
  c.present.insert(place);
}

void Machine::evolve(const Event& event) { std::visit(Evolver(*state_), event); }

}  // namespace spillway::waitroom
