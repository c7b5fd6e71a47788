// decide() for workers and for the clock.

#include <algorithm>

#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

/// An event's line as it will be while one receive takes from it.
struct Line {
  std::uint32_t index = 0;
  const EventState* event = nullptr;
  std::set<std::uint64_t>::const_iterator visible;
  std::set<std::uint64_t>::const_iterator redriven;
  std::uint64_t head = 0;
  std::uint64_t kept = 0;

  bool has_visible() const { return visible != event->visible.end(); }
  bool has_redriven() const { return redriven != event->redriven.end(); }
  std::uint64_t first_without_place() const { return has_redriven() ? *redriven : head; }
};

/// Goes through what can be done, oldest first over all lines, without looking at those that are blocked.
class Lines {
 public:
  Lines(const MachineState& s, std::optional<WorkKind> kind) : s_(s) {
    for (std::size_t k = 0; k < kWorkKinds; ++k) {
      const bool wanted = !kind || static_cast<std::size_t>(*kind) == k;
      unopened_[k] = {wanted ? s.ready[k].begin() : s.ready[k].end(), s.ready[k].end()};
    }
  }

  /// The next number, or 0. Then took() tells what became of it.
  std::uint64_t next() {
    Unopened& oldest = *std::min_element(
        unopened_.begin(), unopened_.end(),
        [](const auto& a, const auto& b) { return !a.done() && (b.done() || a.at->first < b.at->first); });
    if (!oldest.done() && (open_.empty() || oldest.at->first < open_.front().first)) {
      const std::uint32_t index = (oldest.at++)->second;
      const EventState& event = *s_.events[index];
      lines_.push_back(
          {index, &event, event.visible.begin(), event.redriven.begin(), event.head, event.kept()});
      put(lines_.size() - 1);
    }
    return open_.empty() ? 0 : open_.front().first;
  }
  Verdict verdict(const Record& r) const {
    const Line& line = front();
    if (MachineState::is_closed_for(*line.event, r)) return Verdict::kRejectedClosed;
    const bool has_place = line.has_visible() || line.event->taken() + line.kept < line.event->capacity_total;
    return has_place ? Verdict::kDelivered : Verdict::kRejectedCapacity;
  }
  const EventState& event() const { return *front().event; }
  void took(const Record& r, Verdict verdict) {
    const std::size_t at = open_.front().second;
    Line& line = lines_[at];
    if (line.has_visible()) {
      ++line.visible;
      if (verdict != Verdict::kDelivered) --line.kept;
    } else {
      if (line.has_redriven()) {
        ++line.redriven;
      } else {
        line.head = r.next();
      }
      if (verdict == Verdict::kDelivered) ++line.kept;
    }
    std::pop_heap(open_.begin(), open_.end(), std::greater<>());
    open_.pop_back();
    put(at);
  }

 private:
  const Line& front() const { return lines_[open_.front().second]; }
  void put(std::size_t at) {
    const Line& line = lines_[at];
    const std::uint64_t first = line.first_without_place();
    const bool first_is_closed =
        first != 0 && MachineState::is_closed_for(*line.event, s_.requests.at(first));
    const std::uint64_t number = next_in_line(line.has_visible() ? *line.visible : 0, first, first_is_closed,
                                              line.kept, line.event->taken(), line.event->capacity_total);
    if (number == 0) return;
    open_.emplace_back(number, at);
    std::push_heap(open_.begin(), open_.end(), std::greater<>());
  }

  struct Unopened {
    MachineState::Ready::const_iterator at, end;
    bool done() const { return at == end; }
  };

  const MachineState& s_;
  std::array<Unopened, kWorkKinds> unopened_;
  std::vector<Line> lines_;
  std::vector<std::pair<std::uint64_t, std::size_t>>
      open_;  // a heap: the oldest number in front, and its line
};

/// Tells a number that was named before in the same command; cheap while they come in ascending order.
class Once {
 public:
  bool is_first(std::uint64_t number) {
    if (named_.empty() && (ascending_.empty() || number > ascending_.back())) {
      ascending_.push_back(number);
      return true;
    }
    if (named_.empty()) named_.insert(ascending_.begin(), ascending_.end());
    return named_.insert(number).second;
  }

 private:
  std::vector<std::uint64_t> ascending_;
  std::set<std::uint64_t> named_;
};

std::string_view cut_reason(std::string_view reason) {
  if (reason.size() <= limits::kMaxReasonBytes) return reason;
  std::size_t size = limits::kMaxReasonBytes;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0) == 0x80)
    --size;  // not inside a character
  return reason.substr(0, size);
}

bool is_last_try(const MachineState& s, std::uint64_t number, const Record& r) {
  return s.tries(number, r) >= s.config.max_receive_count;
}

Timestamp deadline(Timestamp now, Micros visibility_us) {
  return now + std::clamp<Micros>(visibility_us, 0, limits::kMaxVisibility);
}

Ending ending_of(ResultCode rejected) {
  switch (rejected) {
    case ResultCode::kRejectedCapacity:
      return Ending::kRejectedCapacity;
    case ResultCode::kRejectedClosed:
      return Ending::kRejectedClosed;
    default:
      CHECK(rejected == ResultCode::kRejectedByWork);
      return Ending::kRejectedByWork;
  }
}

Completed::Item item_of(const MachineState& s, std::uint64_t number, const Record& r, const Outcome& outcome,
                        Timestamp now) {
  Completed::Item item{number, Ending::kSucceeded, {}, cut_reason(outcome.reason)};
  const Timestamp retry_at = now + std::clamp<Micros>(outcome.retry_after_us, 0, limits::kMaxRetryDelay);
  switch (outcome.result) {
    case WorkResult::kSucceed:
      break;
    case WorkResult::kReject:
      item.ending = ending_of(outcome.result_code);
      break;
    case WorkResult::kInvalid:
      item.ending = Ending::kInvalid;
      break;
    case WorkResult::kRetry:
      item.ending = is_last_try(s, number, r) ? Ending::kDeadLetter : Ending::kRetry;
      if (item.ending == Ending::kRetry) {
        item.due = retry_at;
      }
      break;
    case WorkResult::kReturn:
      item.ending = Ending::kReturned;
      item.due = retry_at;
      break;
  }
  return item;
}

/// The live ones of a lease, for whom its deadline still is theirs.
void add_live(const MachineState& s, std::int64_t deadline_us, const Lease& lease,
              std::vector<std::uint64_t>& into) {
  for (const std::uint64_t number : lease.numbers) {
    const Record* r = s.requests.find(number);
    if (r != nullptr && r->where == Where::kInFlight && r->until_us == deadline_us) into.push_back(number);
  }
}

/// In order, and once each: one that was extended away and back is listed twice by its lease.
void sort_unique(std::vector<std::uint64_t>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

void append_due(std::vector<Due::Item>& items, Timestamp now, Events& out) {
  for (std::size_t from = 0; from < items.size(); from += limits::kMaxItemsPerRecord) {
    const std::size_t to = std::min(items.size(), from + limits::kMaxItemsPerRecord);
    out.push_back(Due{now,
                      {items.begin() + static_cast<std::ptrdiff_t>(from),
                       items.begin() + static_cast<std::ptrdiff_t>(to)}});
  }
}

void append_retired(const MachineState& s, Timestamp now, std::size_t budget, Events& out) {
  const auto is_over = [&](std::int64_t since_us) { return since_us + s.config.retention_us <= now.us; };
  for (const auto& [since_us, index] : s.purgeable) {
    if (budget == 0 || !is_over(since_us)) return;
    std::uint64_t count = 0;
    for (std::uint64_t number = s.events[index]->first; number != 0 && count < budget; ++count) {
      const Record& r = s.requests.at(number);
      if (!is_final(r.status) || !is_over(r.until_us) || s.webhook_pending(number)) break;
      number = r.next();
    }
    CHECK(count != 0);
    out.push_back(Retired{now, index, count});
    budget -= count;
  }
}

}  // namespace

std::vector<Delivery> Machine::decide(const Receive& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  std::vector<Delivery> deliveries;
  if (s.paused) return deliveries;
  Received event{now, deadline(now, command.visibility_us), {}};
  const std::size_t max = std::min<std::size_t>(command.max, limits::kMaxReceive);
  std::size_t finished = 0;
  Lines lines(s, command.work);
  while (const std::uint64_t number = lines.next()) {
    const Record& r = s.requests.at(number);
    const Verdict verdict = lines.verdict(r);
    // Stops at the first it has no room for: going on would serve somebody before somebody older.
    if (verdict == Verdict::kDelivered ? deliveries.size() >= max
                                       : finished >= limits::kMaxFinishedPerReceive)
      break;
    event.items.push_back({number, verdict});
    if (verdict == Verdict::kDelivered) {
      deliveries.push_back({{request_id(number), r.receive_count() + 1},
                            lines.event().id,
                            std::string(s.requests.user_id(number, r)),
                            std::string(s.requests.body(number, r)),
                            Timestamp{r.queued_at_us}});
    } else {
      ++finished;
    }
    lines.took(r, verdict);
  }
  if (!event.items.empty()) out.emplace_back(std::move(event));
  return deliveries;
}

Acks Machine::decide(const Complete& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  Acks acks;
  acks.acks.reserve(command.outcomes.size());
  Once once;
  Completed event{now, {}};
  event.items.reserve(std::min(command.outcomes.size(), limits::kMaxItemsPerRecord));
  std::size_t reasoned = 0;
  const auto flush = [&] {
    if (!event.items.empty()) out.emplace_back(std::move(event));
    event = Completed{now, {}};
    reasoned = 0;
  };
  for (const Outcome& outcome : command.outcomes) {
    std::uint64_t number = 0;
    const Record* r = s.find(outcome.receipt.request_id, &number);
    if (r == nullptr) {
      acks.acks.push_back(Ack::kUnknown);
      continue;
    }
    // Fencing: only the latest delivery may tell how it went. One whose time is up but that nobody else was
    // given still may: nothing has happened in between.
    const bool current = r->where == Where::kInFlight &&
                         r->receive_count() == outcome.receipt.receive_count && once.is_first(number);
    acks.acks.push_back(current ? Ack::kApplied : Ack::kStale);
    if (!current) continue;
    event.items.push_back(item_of(s, number, *r, outcome, now));
    if (!event.items.back().reason.empty()) ++reasoned;
    if (event.items.size() == limits::kMaxItemsPerRecord || reasoned == limits::kMaxReasonedPerRecord)
      flush();
  }
  flush();
  return acks;
}

Acks Machine::decide(const Extend& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  Acks acks;
  acks.acks.reserve(command.receipts.size());
  Once once;
  Extended event{now, deadline(now, command.visibility_us), {}};
  for (const Receipt& receipt : command.receipts) {
    std::uint64_t number = 0;
    const Record* r = s.find(receipt.request_id, &number);
    const bool current =
        r != nullptr && r->where == Where::kInFlight && r->receive_count() == receipt.receive_count;
    acks.acks.push_back(r == nullptr ? Ack::kUnknown : current ? Ack::kApplied : Ack::kStale);
    if (!current || r->until_us == event.until.us || !once.is_first(number)) continue;
    event.numbers.push_back(number);
    if (event.numbers.size() == limits::kMaxItemsPerRecord) {
      const Timestamp until = event.until;
      out.emplace_back(std::move(event));
      event = Extended{now, until, {}};
    }
  }
  if (!event.numbers.empty()) out.emplace_back(std::move(event));
  return acks;
}

void Machine::decide_due(Timestamp now, std::size_t max_items, Events& out) const {
  const MachineState& s = *state_;
  std::vector<std::uint64_t> expired;
  for (const auto& [deadline_us, lease] : s.leases) {
    if (deadline_us > now.us || expired.size() >= max_items) break;
    add_live(s, deadline_us, lease, expired);
  }
  sort_unique(expired);
  if (expired.size() > max_items) expired.resize(max_items);
  std::vector<Due::Item> items;
  for (const std::uint64_t number : expired) {
    const bool last_try = is_last_try(s, number, s.requests.at(number));
    items.push_back({number, last_try ? DueKind::kExpiredDead : DueKind::kExpiredVisible});
  }
  for (const auto& [due_us, number] : s.delayed) {
    if (due_us > now.us || items.size() >= max_items) break;
    items.push_back({number, DueKind::kRetry});
  }
  append_due(items, now, out);
  // What a redrive is still about is not forgotten under its hands.
  if (!s.redrive_has_more()) append_retired(s, now, max_items - items.size(), out);
  // Before what the redrive does, which takes back the telling of what it puts back.
  s.append_expired_webhooks(now, max_items - items.size(), out);
  s.append_redrive(now, max_items - items.size(), out);
}

void Machine::decide_restart(Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  std::vector<std::uint64_t> numbers;
  for (const auto& [deadline_us, lease] : s.leases) add_live(s, deadline_us, lease, numbers);
  sort_unique(numbers);
  std::vector<Due::Item> items;
  for (const std::uint64_t number : numbers) {
    const bool last_try = is_last_try(s, number, s.requests.at(number));
    items.push_back({number, last_try ? DueKind::kRestartDead : DueKind::kRestartVisible});
  }
  append_due(items, now, out);
}

}  // namespace spillway::intake
