// decide() for people and operators, and the reads.

#include "waitroom/machine.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "base/rfc3339.h"
#include "waitroom/machine_state.h"

namespace spillway::waitroom {
namespace {

constexpr int kRetryWhenFullSeconds = 30;
constexpr int kRetryWhenPausedSeconds = 10;
constexpr std::uint32_t kMaxOldestScan = 4'096;  // tickets looked at for the oldest wait

Error unknown_ticket() { return not_found("no such ticket"); }
Error unknown_concert() { return not_found("no such concert"); }

Error gone(const Ticket& ticket) {
  const std::string at = format_time({ticket.until_us});
  if (ticket.status == TicketStatus::kLeft) return {ErrorCode::kTicketLeft, "left at " + at};
  return {ErrorCode::kTicketExpired, fmt::format("{}: expired at {}", name(ticket.expiry), at)};
}

/// What a rate of late would promise right after an opening, when thousands go into empty slots at once,
/// cannot last: whoever finds no free slot waits until as many have left as stand before them.
std::optional<double> expected_wait_s(const Concert& c, std::uint64_t position, Timestamp now) {
  const double at_least =
      static_cast<double>(c.settings.max_active) * kSecond / static_cast<double>(c.settings.active_us);
  const double lately = c.freed.per_second(now, c.first_admitted);
  // Nobody stays longer than activeSeconds, unless being there is enough to stay.
  double turnover = c.settings.idle_extends && lately > 0 ? lately : std::max(lately, at_least);
  const std::uint64_t at_once = std::min(position, c.room());
  double wait_s = 0;
  if (c.shaped()) {
    const auto allowed = static_cast<double>(c.settings.admit_per_second);
    wait_s = static_cast<double>(at_once) / allowed;
    turnover = std::min(turnover, allowed);
  }
  if (position == at_once) return wait_s;
  if (turnover <= 0) return std::nullopt;
  return wait_s + static_cast<double>(position - at_once) / turnover;
}

}  // namespace

Machine::Machine(MachineConfig config) : state_(std::make_unique<MachineState>(config)) {
  state_->digest = state_->hash_globals();
}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

Result<const Ticket*> MachineState::find(TicketRef ref) const {
  if (ref.concert >= concerts.size() || ref.number == 0) return unknown_ticket();
  const Concert* c = concerts[ref.concert].get();
  if (c != nullptr && ref.number > c->tickets.last()) return unknown_ticket();
  const Ticket* ticket = c == nullptr ? nullptr : c->tickets.find(ref.number);
  if (ticket == nullptr) return Error{ErrorCode::kTicketExpired, "it ended some time ago"};
  return ticket;
}

// ---- Decisions --------------------------------------------------------------------------------------------

void Machine::decide_seed(const Seed& seed, Events& out) const {
  CHECK(!state_->seeded);
  out.emplace_back(Seeded{seed});
}

bool Machine::seeded() const { return state_->seeded; }

Result<TicketRef> Machine::decide(const Enter& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  CHECK(s.seeded);
  const auto found = s.concert_index.find(std::string_view(command.concert_id));
  const bool made = found == s.concert_index.end();
  const auto index = made ? static_cast<std::uint32_t>(s.concerts.size()) : found->second;
  const PersonKey person = person_key(s.seed, index, command.user_id);
  const auto full = [] {
    return Error{ErrorCode::kQueueFull, "too many people stand in line", kRetryWhenFullSeconds};
  };
  if (made) {
    if (s.unconfigured >= s.config.max_unconfigured || s.concerts.size() >= UINT32_MAX) {
      return Error{ErrorCode::kQueueFull, "too many concerts that nobody has configured",
                   kRetryWhenFullSeconds};
    }
    if (s.kept >= s.config.max_tickets) return full();
    out.emplace_back(ConcertMade{now, index, command.concert_id});
    out.emplace_back(Entered{now, {index, 1}, s.signing_key, person, now + Settings{}.ready_us});
    return TicketRef{index, 1};
  }
  const Concert& c = *s.concerts[index];
  if (const std::uint64_t known = s.find_person(person); known != 0) return TicketRef::unpack(known);
  if (c.settings.mode == Mode::kPaused) {
    return Error{ErrorCode::kQueuePaused, "this line is paused", kRetryWhenPausedSeconds};
  }
  if (s.kept >= s.config.max_tickets || c.tickets.last() >= limits::kMaxTicketNumber) return full();
  const bool to_draw = c.draw == DrawState::kGathering && c.opened(now);
  if (to_draw) out.emplace_back(Drawn{now, index, c.tickets.last()});
  const TicketRef ref{index, c.tickets.last() + 1};
  const bool at_once = c.draw != DrawState::kGathering && c.drawing == nullptr && c.opened(now) &&
                       c.room() > 0 && c.present.count() == 0 && c.allowance(now) > 0;
  out.emplace_back(
      Entered{now, ref, s.signing_key, person, at_once ? now + c.settings.ready_us : Timestamp{}});
  return ref;
}

void Machine::prefetch(const Enter& command) const {
  const MachineState& s = *state_;
  const auto found = s.concert_index.find(std::string_view(command.concert_id));
  if (found == s.concert_index.end()) return;
  s.people.prefetch(person_key(s.seed, found->second, command.user_id));
}

void Machine::prefetch(TicketRef ref) const {
  if (const Concert* c = state_->concert_at(ref.concert)) c->tickets.prefetch(ref.number);
}

Status Machine::decide_activate(TicketRef ref, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  const auto found = s.find(ref);
  if (!found) return found.error();
  const Ticket& ticket = **found;
  const Concert& c = *s.concerts[ref.concert];
  switch (ticket.status) {
    case TicketStatus::kWaiting:
      return Error{ErrorCode::kNotYourTurn, "it is not READY yet", 1};
    case TicketStatus::kReady:
      if (Timestamp{ticket.until_us} <= now) {
        out.emplace_back(Expired{now, {{ref, Expiry::kNotActivated}}});
        return Error{ErrorCode::kTicketExpired,
                     fmt::format("{}: expired at {}", name(Expiry::kNotActivated), format_time(now))};
      }
      out.emplace_back(Activated{now, ref, now + c.settings.active_us});
      return Ok{};
    case TicketStatus::kActive:
      return Ok{};
    default:
      return gone(ticket);
  }
}

Status Machine::decide_leave(TicketRef ref, Timestamp now, Events& out) const {
  const auto found = state_->find(ref);
  if (!found) {
    if (found.error().code == ErrorCode::kTicketExpired) return Ok{};  // forgotten
    return found.error();
  }
  if (!is_gone((*found)->status)) out.emplace_back(Left{now, ref});
  return Ok{};
}

Status Machine::decide(const PutConcert& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  CHECK(s.seeded);
  const Settings& wanted = command.settings;
  const auto found = s.concert_index.find(std::string_view(command.concert_id));
  const bool made = found == s.concert_index.end();
  const Concert* c = made ? nullptr : s.concerts[found->second].get();
  const DrawState draw = made ? DrawState::kNone : c->draw;
  const std::uint64_t waiting = made ? 0 : c->waiting;
  const bool lottery = wanted.mode == Mode::kLottery;
  const bool gathers = draw == DrawState::kGathering && (lottery || wanted.mode == Mode::kPaused);
  const bool begins = draw == DrawState::kNone && lottery;
  if ((gathers || begins) && wanted.opens_at <= now) {
    return invalid_argument("opensAt must be set, and in the future: the lottery is drawn then");
  }
  if (begins && waiting > 0) {
    return invalid_argument("mode cannot become lottery while people wait: they were told their places");
  }
  const bool ends = draw == DrawState::kGathering && !gathers;
  if (ends && waiting > 0) {
    return invalid_argument("mode must stay lottery or paused until the draw: people wait for it");
  }
  if (made && s.concert_index.size() >= s.config.max_concerts + s.config.max_unconfigured) {
    return Error{ErrorCode::kOverloaded, "there are too many concerts", kRetryWhenFullSeconds};
  }
  const auto index = made ? static_cast<std::uint32_t>(s.concerts.size()) : found->second;
  if (made) out.emplace_back(ConcertMade{now, index, command.concert_id});
  if (made || !c->configured || c->settings != wanted) out.emplace_back(ConcertPut{now, index, wanted});
  if (begins || ends) {
    const DrawSeed seed = !made && c->has_seed ? c->seed : command.seed;  // one for good: no second try
    out.emplace_back(LotterySet{now, index, begins, seed});
  }
  return Ok{};
}

void Machine::decide_key(std::uint8_t key, Timestamp now, Events& out) const {
  if (state_->signing_key != key) out.emplace_back(KeyTaken{now, key});
}

// ---- Reads ------------------------------------------------------------------------------------------------

TicketView MachineState::view(const Concert& c, TicketRef ref, const Ticket& t, Timestamp now) const {
  TicketView view;
  view.ref = ref;
  view.key = t.key;
  view.entered_at = {t.entered_at_us};
  view.status = t.status;
  view.expiry = t.expiry;
  view.total_waiting = c.waiting;
  view.at = now;
  if (t.status == TicketStatus::kWaiting) {
    if (t.place != 0 && c.drawing == nullptr) view.position = c.line.rank(t.place) + 1;
    if (!c.opened(now)) view.opens_at = c.settings.opens_at;
    view.paused = c.settings.mode == Mode::kPaused;
    if (view.position) view.expected_wait_s = expected_wait_s(c, *view.position, now);
  } else {
    view.until = end_of(c, t);
  }
  return view;
}

Result<TicketView> Machine::view(TicketRef ref, Timestamp now) const {
  const auto found = state_->find(ref);
  if (!found) return found.error();
  if (is_gone((*found)->status)) return gone(**found);
  return state_->view(*state_->concerts[ref.concert], ref, **found, now);
}

Result<TicketDetail> Machine::detail(TicketRef ref, Timestamp now) const {
  const auto found = state_->find(ref);
  if (!found) return found.error();
  const Concert& c = *state_->concerts[ref.concert];
  return TicketDetail{state_->view(c, ref, **found, now), c.id};
}

Result<LotteryView> Machine::lottery(std::string_view concert_id) const {
  const Concert* c = state_->find_concert(concert_id);
  if (c == nullptr || c->draw == DrawState::kNone) return not_found("no such lottery");
  LotteryView view;
  view.concert_id = c->id;
  view.state = c->draw;
  view.commitment = commitment_of(c->seed);
  view.opens_at = c->settings.opens_at;
  if (c->draw == DrawState::kDrawn) {
    view.seed = c->seed;
    view.gathered = c->gathered;
    view.order_ready = c->drawing == nullptr;
  }
  return view;
}

ConcertView MachineState::view(const Concert& c, Timestamp now, std::uint32_t& to_look_at) const {
  ConcertView view;
  view.concert_id = c.id;
  view.configured = c.configured;
  view.settings = c.settings;
  view.draw = c.draw;
  view.order_ready = c.draw == DrawState::kDrawn && c.drawing == nullptr;
  view.waiting = c.waiting;
  view.absent = c.line.count() - c.present.count();
  view.ready = c.ready;
  view.active = c.active;
  view.entered = c.tickets.last();
  view.entered_per_second = c.entered.per_second(now);
  view.admitted_per_second = c.admitted.per_second(now);
  view.gone_per_second = c.went.per_second(now);
  view.all_entered = c.entered.total();
  view.all_admitted = c.admitted.total();
  view.all_gone = c.went.total();
  view.waits = c.waits;
  std::uint32_t number = c.oldest;
  for (; c.waiting > 0 && to_look_at > 0 && number <= c.tickets.last(); --to_look_at, ++number) {
    const Ticket* t = c.tickets.find(number);
    if (t == nullptr || t->status != TicketStatus::kWaiting) continue;
    view.oldest_wait_us = now - Timestamp{t->entered_at_us};
    break;
  }
  return view;
}

Result<ConcertView> Machine::concert(std::string_view concert_id, Timestamp now) const {
  const Concert* c = state_->find_concert(concert_id);
  if (c == nullptr) return unknown_concert();
  std::uint32_t to_look_at = kMaxOldestScan;
  return state_->view(*c, now, to_look_at);
}

Result<ConcertPage> Machine::concerts(const ListConcerts& query, Timestamp now) const {
  const auto& all = state_->concerts;
  std::size_t below = all.size();  // concerts are never taken out of the vector, so a place in it is a cursor
  const char* const text_end = query.cursor.data() + query.cursor.size();
  const auto [end, failed] = std::from_chars(query.cursor.data(), text_end, below);
  if (!query.cursor.empty() &&
      (failed != std::errc() || end != text_end || below == 0 || below > all.size())) {
    return invalid_argument("cursor is not one that this list has given");
  }
  ConcertPage page;
  const std::size_t limit = std::min<std::size_t>(query.limit, limits::kMaxPage);
  std::uint32_t to_look_at = kMaxOldestScan;
  for (std::size_t looked_at = 0; below > 0 && page.items.size() < limit && looked_at < limits::kMaxPageScan;
       ++looked_at) {
    if (const Concert* c = all[--below].get()) page.items.push_back(state_->view(*c, now, to_look_at));
  }
  if (below > 0) page.next_cursor = std::to_string(below);
  return page;
}

std::uint8_t Machine::key() const { return state_->signing_key; }
std::size_t Machine::tickets() const { return state_->kept; }
std::uint64_t Machine::waiting() const { return state_->waiting; }
std::uint64_t Machine::occupied() const { return state_->occupied; }
bool Machine::drawing() const { return !state_->drawing.empty(); }

Machine::Sizes Machine::sizes(std::uint32_t concert, Timestamp now) const {
  const Concert* c = state_->concert_at(concert);
  if (c == nullptr) return {};
  Sizes sizes;
  sizes.waiting = c->waiting;
  sizes.present = c->present.count();
  sizes.occupied = c->occupied();
  sizes.max_active = c->settings.max_active;
  sizes.admitted = c->admitted.total();
  sizes.paused = c->settings.mode == Mode::kPaused;
  sizes.admitting =
      !sizes.paused && c->opened(now) && c->draw != DrawState::kGathering && c->drawing == nullptr;
  return sizes;
}

bool Machine::configured(std::uint32_t concert) const {
  const Concert* c = state_->concert_at(concert);
  return c != nullptr && c->configured;
}

Timestamp Machine::activated_at(TicketRef ref) const {
  const Ticket& t = state_->concerts[ref.concert]->tickets.at(ref.number);
  return t.status == TicketStatus::kActive ? Timestamp{t.entered_at_us + t.place * (kSecond / 100)}
                                           : Timestamp{};
}

TicketStatus Machine::status_of(TicketRef ref) const {
  return state_->concerts[ref.concert]->tickets.at(ref.number).status;
}

Timestamp Machine::entered_at(TicketRef ref) const {
  return {state_->concerts[ref.concert]->tickets.at(ref.number).entered_at_us};
}

std::string_view Machine::concert_id(std::uint32_t concert) const {
  const Concert* c = state_->concert_at(concert);
  return c == nullptr ? std::string_view() : std::string_view(c->id);
}

}  // namespace spillway::waitroom
