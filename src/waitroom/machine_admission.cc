// What happens by the clock: deadlines, admission, absence, draws, forgetting.

#include <algorithm>

#include "waitroom/machine_state.h"

namespace spillway::waitroom {

void Machine::decide_expiries(Timestamp now, std::size_t max, Events& out) const {
  const MachineState& s = *state_;
  Expired expired{now, {}};
  Extended extended{now, {}};
  for (auto it = s.deadlines.begin(); it != s.deadlines.end() && it->first <= now.us && max > 0;
       ++it, --max) {
    const TicketRef ref = TicketRef::unpack(it->second);
    const Concert& c = *s.concerts[ref.concert];
    const Ticket& ticket = c.tickets.at(ref.number);
    if (ticket.status == TicketStatus::kReady) {
      expired.items.push_back({ref, Expiry::kNotActivated});
    } else if (const Timestamp end = s.end_of(c, ticket); end > now) {
      extended.items.push_back({ref, end});
    } else {
      expired.items.push_back({ref, Expiry::kIdle});
    }
  }
  if (!expired.items.empty()) out.emplace_back(std::move(expired));
  if (!extended.items.empty()) out.emplace_back(std::move(extended));
}

void Machine::decide_admissions(Timestamp now, std::size_t max, Events& out) {
  MachineState& s = *state_;
  std::size_t may_pass_over = limits::kMaxPassedOver;
  std::vector<std::uint32_t> looked_at;
  for (auto it = s.admissions.begin(); it != s.admissions.end() && it->first <= now.us && max > 0;) {
    const std::uint32_t index = (it++)->second;
    Concert& c = *s.concerts[index];
    if (c.draw == DrawState::kGathering) {
      out.emplace_back(Drawn{now, index, c.tickets.last()});
      continue;
    }
    looked_at.push_back(index);
    Admitted admitted{now, index, now + c.settings.ready_us, {}};
    const std::uint64_t most = std::min({c.room(), c.allowance(now), std::uint64_t{max}});
    std::uint32_t place = c.present.first();
    while (place != 0 && admitted.numbers.size() < most && may_pass_over > 0) {
      const std::uint32_t number = c.number_at(place);
      if (s.is_absent(c.tickets.at(number), now)) {
        c.present.erase(place);  // keeps the place, and is the first again when back
        --may_pass_over;
      } else {
        admitted.numbers.push_back(number);
      }
      place = c.present.next(place);
    }
    max -= admitted.numbers.size();
    if (!admitted.numbers.empty()) out.emplace_back(std::move(admitted));
    if (may_pass_over == 0) break;
  }
  for (const std::uint32_t index : looked_at) s.reindex(index);
}

void Machine::decide_looked_after(Timestamp now, std::size_t max, Events& out) {
  MachineState& s = *state_;
  const std::int64_t now_s = now.us / kSecond;
  s.wheel_at_s = std::max(s.wheel_at_s, now_s - MachineState::kWheelSlots + 1);
  Expired expired{now, {}};
  while (max > 0 && s.wheel_at_s <= now_s) {
    auto& slot = s.wheel[static_cast<std::size_t>(s.wheel_at_s % MachineState::kWheelSlots)];
    if (slot.empty()) {
      if (s.wheel_at_s == now_s) break;
      ++s.wheel_at_s;
      continue;
    }
    const TicketRef ref = TicketRef::unpack(slot.front());
    slot.pop_front();
    --max;
    Concert* c = s.concert_at(ref.concert);
    const Ticket* ticket = c == nullptr ? nullptr : c->tickets.find(ref.number);
    if (ticket == nullptr || ticket->status != TicketStatus::kWaiting) continue;
    if (Timestamp{ticket->entered_at_us} + limits::kQueueTokenLife <= now) {
      expired.items.push_back({ref, Expiry::kTooOld});
      continue;
    }
    const bool absent = s.is_absent(*ticket, now);
    if (absent && ticket->place != 0 && c->present.erase(ticket->place)) s.reindex(ref.concert);
    s.watch(ref, absent ? now + limits::kAbsentAfter : s.seen(*ticket) + limits::kAbsentAfter);
  }
  if (!expired.items.empty()) out.emplace_back(std::move(expired));
}

void Machine::decide_forget(Timestamp now, std::size_t max, Events& out) const {
  const MachineState& s = *state_;
  const std::int64_t before = (now - s.config.gone_kept_us).us;
  for (auto it = s.forgettable.begin(); it != s.forgettable.end() && max > 0; ++it, --max) {
    const auto& [since, concert, chunk] = *it;
    if (since > before) break;
    out.emplace_back(Forgotten{now, concert, {chunk}});
  }
  for (auto it = s.idle.begin(); it != s.idle.end() && max > 0 && it->first <= before; ++it, --max) {
    // The chunks before the last go by themselves, and first.
    if (s.concerts[it->second]->tickets.size() <= TicketStore::kChunkTickets) {
      out.emplace_back(Forgotten{now, it->second, {}});
    }
  }
}

void Machine::start(Timestamp now) { state_->seen_floor_us = now.us; }

void Machine::saw(TicketRef ref, Timestamp now) {
  MachineState& s = *state_;
  Concert* c = s.concert_at(ref.concert);
  Ticket* ticket = c == nullptr ? nullptr : c->tickets.find(ref.number);
  if (ticket == nullptr) return;
  ticket->seen_us = now.us;
  if (ticket->status == TicketStatus::kWaiting && ticket->place != 0 && c->present.insert(ticket->place)) {
    s.reindex(ref.concert);
  }
}

void Machine::advance_draws(std::size_t budget) {
  if (!state_->drawing.empty()) state_->advance_draw(*state_->drawing.begin(), budget);
}

// ---- Indexes ----------------------------------------------------------------------------------------------

void MachineState::watch(TicketRef ref, Timestamp due) {
  // Rounded up, and never the slot that is being worked on.
  const std::int64_t second = std::max((due.us + kSecond - 1) / kSecond, wheel_at_s + 1);
  wheel[static_cast<std::size_t>(second % kWheelSlots)].push_back(ref.packed());
}

std::int64_t MachineState::admission_key(const Concert& c) const {
  if (c.draw == DrawState::kGathering) return c.settings.opens_at.us;
  if (c.settings.mode == Mode::kPaused || c.drawing != nullptr || c.room() == 0 || c.present.count() == 0) {
    return kNever;
  }
  std::int64_t at = c.settings.mode == Mode::kOpen ? 0 : c.settings.opens_at.us;
  if (c.shaped()) at = std::max(at, (c.paid_until_ns + c.interval_ns() + 999) / 1000);
  return at;
}

void MachineState::reindex(std::uint32_t concert) {
  Concert& c = *concerts[concert];
  const std::int64_t key = admission_key(c);
  if (key == c.admit_key) return;
  if (c.admit_key != kNever) admissions.erase({c.admit_key, concert});
  if (key != kNever) admissions.insert({key, concert});
  c.admit_key = key;
}

void MachineState::index_idle(std::uint32_t concert, std::int64_t since_us) {
  Concert& c = *concerts[concert];
  const std::int64_t key = !c.configured && c.live() == 0 ? since_us : 0;
  if (c.idle_key != 0) idle.erase({c.idle_key, concert});
  if (key != 0) idle.insert({key, concert});
  c.idle_key = key;
}

// ---- Draws ------------------------------------------------------------------------------------------------

void MachineState::start_draw(std::uint32_t concert) {
  Concert& c = *concerts[concert];
  if (c.gathered == 0) return;
  c.drawn.reserve(c.gathered);
  c.drawing = std::make_unique<Draw>(c.seed, c.id, c.gathered);
  drawing.insert(concert);
}

void MachineState::advance_draw(std::uint32_t concert, std::size_t budget) {
  Concert& c = *concerts[concert];
  c.drawing->step(budget, [&](std::uint32_t number, std::uint32_t place) {
    CHECK(place == c.drawn.size() + 1);
    c.drawn.push_back(number);
    Ticket* ticket = c.tickets.find(number);
    if (ticket == nullptr || ticket->status != TicketStatus::kWaiting) return;  // went away meanwhile
    ticket->place = place;
    c.line.insert(place);
    c.present.insert(place);
  });
  if (!c.drawing->done()) return;
  c.drawing.reset();
  drawing.erase(concert);
  reindex(concert);
}

}  // namespace spillway::waitroom
