#pragma once

// What the waiting room must do, in the plainest way: every question is answered by going along everybody.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "waitroom/commands.h"
#include "waitroom/lottery.h"

namespace spillway::waitroom::sim {

struct ModelTicket {
  std::string user;
  TicketStatus status = TicketStatus::kWaiting;
  Expiry expiry = Expiry::kNone;
  Timestamp entered, until, seen;
};

struct ModelConcert {
  std::string id;
  bool configured = false;
  Settings settings;
  DrawState draw = DrawState::kNone;
  DrawSeed seed{};
  bool has_seed = false;
  bool drawing = false;  ///< drawn, and nobody has been told a place yet
  std::uint32_t gathered = 0, last = 0;
  std::int64_t paid_ns = 0;
  Timestamp last_gone;
  std::map<std::uint32_t, ModelTicket> tickets;

  std::uint64_t count(TicketStatus s) const {
    return static_cast<std::uint64_t>(
        std::count_if(tickets.begin(), tickets.end(), [s](const auto& t) { return t.second.status == s; }));
  }
  std::uint64_t occupied() const { return count(TicketStatus::kReady) + count(TicketStatus::kActive); }
  bool opened(Timestamp now) const { return settings.mode == Mode::kOpen || now >= settings.opens_at; }
  bool shaped() const { return settings.admit_per_second != 0 && settings.mode != Mode::kOpen; }

  /// Everybody who waits, in the order in which they are let in. Without a place: nobody.
  std::vector<std::uint32_t> line() const {
    std::vector<std::uint32_t> numbers;
    if (draw == DrawState::kGathering || drawing) return numbers;
    for (const auto& [number, ticket] : tickets) {
      if (ticket.status == TicketStatus::kWaiting) numbers.push_back(number);
    }
    if (draw != DrawState::kDrawn) return numbers;
    const auto key = [this](std::uint32_t n) {
      return std::tuple(n > gathered, n > gathered ? 0 : lot_of(seed, id, n), n);
    };
    std::sort(numbers.begin(), numbers.end(), [&](auto a, auto b) { return key(a) < key(b); });
    return numbers;
  }
  Timestamp end_of(const ModelTicket& t) const {
    if (t.status != TicketStatus::kActive || !settings.idle_extends) return t.until;
    return std::max(t.until, t.seen + settings.active_us);
  }
};

class Model {
 public:
  std::map<std::uint32_t, ModelConcert> concerts;  ///< by index
  std::uint32_t next_concert = 0;

  ModelConcert* find(const std::string& id) {
    for (auto& [index, concert] : concerts) {
      if (concert.id == id) return &concert;
    }
    return nullptr;
  }
  std::uint32_t index_of(const std::string& id) {
    for (auto& [index, concert] : concerts) {
      if (concert.id == id) return index;
    }
    ModelConcert& made = concerts[next_concert];
    made.id = id;
    return next_concert++;
  }
  ModelTicket* find(TicketRef ref) {
    const auto concert = concerts.find(ref.concert);
    if (concert == concerts.end()) return nullptr;
    const auto ticket = concert->second.tickets.find(ref.number);
    return ticket == concert->second.tickets.end() ? nullptr : &ticket->second;
  }

  struct Entry {
    std::optional<ErrorCode> refused;
    TicketRef ref;
    bool again = false;
  };
  Entry enter(const std::string& id, const std::string& user, Timestamp now) {
    const std::uint32_t index = index_of(id);
    ModelConcert& c = concerts[index];
    for (auto& [number, ticket] : c.tickets) {
      if (ticket.user == user && !is_gone(ticket.status)) {
        ticket.seen = now;
        return {{}, {index, number}, true};
      }
    }
    if (c.settings.mode == Mode::kPaused) return {ErrorCode::kQueuePaused, {}, false};
    draw_if_due(c, now);
    ModelTicket& ticket = c.tickets[++c.last];
    ticket.user = user;
    ticket.entered = ticket.seen = now;
    return {{}, {index, c.last}, false};
  }

  /// Empty: done.
  std::optional<ErrorCode> activate(TicketRef ref, Timestamp now) {
    ModelConcert& c = concerts[ref.concert];
    ModelTicket& t = c.tickets[ref.number];
    t.seen = now;
    if (t.status == TicketStatus::kWaiting) return ErrorCode::kNotYourTurn;
    if (t.status == TicketStatus::kLeft) return ErrorCode::kTicketLeft;
    if (t.status == TicketStatus::kExpired) return ErrorCode::kTicketExpired;
    if (t.status == TicketStatus::kActive) return std::nullopt;
    if (t.until <= now) {
      go(c, t, TicketStatus::kExpired, Expiry::kNotActivated, now);
      return ErrorCode::kTicketExpired;
    }
    t.status = TicketStatus::kActive;
    t.until = now + c.settings.active_us;
    return std::nullopt;
  }
  void leave(TicketRef ref, Timestamp now) {
    ModelConcert& c = concerts[ref.concert];
    ModelTicket& t = c.tickets[ref.number];
    if (!is_gone(t.status)) go(c, t, TicketStatus::kLeft, Expiry::kNone, now);
  }

  /// False: refused.
  bool put(const PutConcert& command, Timestamp now) {
    const Settings& s = command.settings;
    ModelConcert* c = find(command.concert_id);
    const DrawState draw = c == nullptr ? DrawState::kNone : c->draw;
    const bool waiting = c != nullptr && c->count(TicketStatus::kWaiting) > 0;
    const bool stays = draw == DrawState::kGathering && (s.mode == Mode::kLottery || s.mode == Mode::kPaused);
    const bool begins = draw == DrawState::kNone && s.mode == Mode::kLottery;
    const bool ends = draw == DrawState::kGathering && !stays;
    if ((stays || begins) && s.opens_at <= now) return false;
    if ((begins || ends) && waiting) return false;
    c = &concerts[index_of(command.concert_id)];
    c->configured = true;
    c->settings = s;
    if (!begins && !ends) return true;
    if (!c->has_seed) c->seed = command.seed;
    c->has_seed = true;
    c->draw = begins ? DrawState::kGathering : DrawState::kNone;
    return true;
  }

  void admit(Timestamp now) {
    for (auto& [index, c] : concerts) {
      if (draw_if_due(c, now) || c.draw == DrawState::kGathering || c.drawing) continue;
      if (c.settings.mode == Mode::kPaused || !c.opened(now)) continue;
      std::uint64_t most = c.settings.max_active > c.occupied() ? c.settings.max_active - c.occupied() : 0;
      if (c.shaped()) {
        const std::int64_t interval = 1'000'000'000 / c.settings.admit_per_second;
        const std::int64_t saved = std::max<std::int64_t>(limits::kAdmitBurst * 1000, interval);
        const std::int64_t from = std::max(c.paid_ns, now.us * 1000 - saved);
        most = std::min<std::uint64_t>(
            most, static_cast<std::uint64_t>(std::max<std::int64_t>(now.us * 1000 - from, 0) / interval));
      }
      std::int64_t admitted = 0;
      for (const std::uint32_t number : c.line()) {
        ModelTicket& t = c.tickets[number];
        if (static_cast<std::uint64_t>(admitted) >= most) break;
        if (t.seen + limits::kAbsentAfter <= now) continue;
        t.status = TicketStatus::kReady;
        t.until = now + c.settings.ready_us;
        ++admitted;
      }
      if (!c.shaped() || admitted == 0) continue;
      const std::int64_t interval = 1'000'000'000 / c.settings.admit_per_second;
      const std::int64_t saved = std::max<std::int64_t>(limits::kAdmitBurst * 1000, interval);
      c.paid_ns = std::max(c.paid_ns, now.us * 1000 - saved) + admitted * interval;
    }
  }

  void expire(Timestamp now) {
    for (auto& [index, c] : concerts) {
      for (auto& [number, t] : c.tickets) {
        if (is_gone(t.status) || t.status == TicketStatus::kWaiting || t.until > now) continue;
        if (t.status == TicketStatus::kReady) {
          go(c, t, TicketStatus::kExpired, Expiry::kNotActivated, now);
        } else if (const Timestamp end = c.end_of(t); end > now) {
          t.until = end;
        } else {
          go(c, t, TicketStatus::kExpired, Expiry::kIdle, now);
        }
      }
    }
  }
  void drawn() {
    for (auto& [index, c] : concerts) c.drawing = false;
  }
  /// After a crash everybody counts as just seen.
  void restart(Timestamp now) {
    for (auto& [index, c] : concerts) {
      for (auto& [number, t] : c.tickets) t.seen = now;
    }
  }
  static void go(ModelConcert& c, ModelTicket& t, TicketStatus to, Expiry why, Timestamp now) {
    t.status = to;
    t.expiry = why;
    t.until = c.last_gone = now;
  }

 private:
  static bool draw_if_due(ModelConcert& c, Timestamp now) {
    if (c.draw != DrawState::kGathering || !c.opened(now)) return false;
    c.draw = DrawState::kDrawn;
    c.gathered = c.last;
    c.drawing = c.last > 0;
    return true;
  }
};

}  // namespace spillway::waitroom::sim
