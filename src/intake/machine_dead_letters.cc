// Dead letters: what is listed, redriven and discarded.

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

Error no_such_letter() { return not_found("no such dead letter"); }
Error no_redrive() { return not_found("there has been no redrive yet"); }

std::string write_cursor(const DeadKey& key) {
  return fmt::format("{:016x}{:010x}", static_cast<std::uint64_t>(key.first), key.second);
}
std::optional<DeadKey> parse_cursor(std::string_view text) {
  std::uint64_t time = 0, number = 0;
  const auto hex = [](std::string_view digits, std::uint64_t& into) {
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), into, 16);
    return failed == std::errc() && end == digits.data() + digits.size();
  };
  if (text.size() != 26 || !hex(text.substr(0, 16), time) || !hex(text.substr(16), number)) return {};
  return DeadKey{static_cast<std::int64_t>(time), number};
}

/// Calls visit(key, record) for the dead letters that are meant, oldest first, until it answers false. Those
/// that are named cost what they are, whatever else is dead.
template <class F>
void for_each_dead(const MachineState& s, const DeadFilter& filter, F&& visit) {
  if (filter.named) {
    std::vector<DeadKey> keys;
    for (const std::uint64_t number : filter.numbers) {
      const Record* r = s.requests.find(number);
      if (r != nullptr && MachineState::is_dead(*r)) keys.emplace_back(r->until_us, number);
    }
    std::sort(keys.begin(), keys.end());
    for (const DeadKey& key : keys) {
      const Record& r = s.requests.at(key.second);
      if (s.matches(filter, key.second, r) && !visit(key, r)) return;
    }
    return;
  }
  for (const DeadKey& key : s.dead) {
    const Record& r = s.requests.at(key.second);
    if (s.matches(filter, key.second, r) && !visit(key, r)) return;
  }
}

}  // namespace

Result<DeadFilter> MachineState::resolve(const DeadLetterFilter& from) const {
  DeadFilter filter;
  if (!from.event_id.empty()) {
    const auto found = event_index.find(std::string_view(from.event_id));
    if (found == event_index.end()) return not_found("no such event");
    filter.event = found->second;
  }
  filter.named = !from.request_ids.empty();
  for (const std::string& id : from.request_ids) {
    if (const auto number = request_number(seed, id)) filter.numbers.push_back(*number);
  }
  std::sort(filter.numbers.begin(), filter.numbers.end());
  filter.numbers.erase(std::unique(filter.numbers.begin(), filter.numbers.end()), filter.numbers.end());
  filter.failure = from.failure_class;
  filter.reason = from.reason;
  filter.dead_before = from.dead_before;
  return filter;
}

DeadLetterFilter MachineState::unresolve(const DeadFilter& from) const {
  DeadLetterFilter filter;
  if (from.event != DeadFilter::kAnyEvent) filter.event_id = events[from.event]->id;
  for (const std::uint64_t number : from.numbers) filter.request_ids.push_back(request_id(seed, number));
  filter.failure_class = from.failure;
  filter.reason = from.reason;
  filter.dead_before = from.dead_before;
  return filter;
}

bool MachineState::matches(const DeadFilter& filter, std::uint64_t number, const Record& r) const {
  if (filter.event != DeadFilter::kAnyEvent && filter.event != r.event) return false;
  if (filter.failure != FailureClass::kNone && filter.failure != r.failure) return false;
  if (filter.dead_before && r.until_us >= filter.dead_before.us) return false;
  if (filter.named && !std::binary_search(filter.numbers.begin(), filter.numbers.end(), number)) return false;
  return filter.reason.empty() || last_reason(number, r).find(filter.reason) != std::string_view::npos;
}

DeadLetter MachineState::dead_letter(std::uint64_t number, const Record& r) const {
  return {request_id(seed, number),
          event_of(r).id,
          std::string(requests.user_id(number, r)),
          {r.until_us},
          r.receive_count(),
          r.failure,
          r.result,
          std::string(last_reason(number, r)),
          redrives(number, r)};
}

RedriveView MachineState::view(const RedriveStatus& r) const {
  return {fmt::format("redrive-{}", r.id),
          r.state,
          r.matching,
          r.redriven,
          r.succeeded,
          r.rejected,
          r.failed,
          r.started_at,
          r.finished_at,
          unresolve(r.filter),
          r.rate,
          r.stop_after};
}

// ---- Decisions --------------------------------------------------------------------------------------------

Result<RedriveView> Machine::decide(const Redrive& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  CHECK(s.seeded && command.rate_per_second >= 1 && command.stop_after_failures >= 1);
  if (s.redrive && s.redrive->running()) {
    return Error{ErrorCode::kRedriveRunning, fmt::format("redrive-{} is running", s.redrive->id)};
  }
  auto filter = s.resolve(command.filter);
  if (!filter) return filter.error();
  RedriveStatus next;
  next.id = s.redrive ? s.redrive->id + 1 : 1;
  for_each_dead(s, *filter, [&next](const DeadKey&, const Record&) { return ++next.matching != 0; });
  if (!s.dead.empty()) next.until = *s.dead.rbegin();
  next.filter = std::move(*filter);
  next.rate = command.rate_per_second;
  next.stop_after = command.stop_after_failures;
  next.started_at = now;
  out.emplace_back(RedriveStarted{now, next.id, next.filter.event, next.filter.named, next.filter.numbers,
                                  next.filter.failure, command.filter.reason, next.filter.dead_before,
                                  next.rate, next.stop_after, next.matching, Timestamp{next.until.first},
                                  next.until.second});
  return s.view(next);
}

Result<RedriveView> Machine::decide_stop_redrive(Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  if (!s.redrive) return no_redrive();
  RedriveView view = s.view(*s.redrive);
  if (!s.redrive->running()) return view;
  out.emplace_back(RedriveEnded{now, RedriveState::kStopped});
  view.state = RedriveState::kStopped;
  view.finished_at = now;
  return view;
}

Result<DiscardResult> Machine::decide(const DiscardDeadLetters& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  const auto filter = s.resolve(command.filter);
  if (!filter) return filter.error();
  DiscardResult result;
  Discarded event{now, command.actor.id, command.reason, {}};
  for_each_dead(s, *filter, [&](const DeadKey& key, const Record&) {
    event.numbers.push_back(key.second);
    if (event.numbers.size() == limits::kMaxItemsPerRecord) {
      out.emplace_back(event);
      event.numbers.clear();
    }
    return ++result.discarded < limits::kMaxDiscard;
  });
  if (!event.numbers.empty()) out.emplace_back(std::move(event));
  return result;
}

void MachineState::append_redrive(Timestamp now, std::size_t max_items, Events& out) const {
  if (!redrive || !redrive->running()) return;
  const RedriveStatus& r = *redrive;
  if (r.failed >= r.stop_after) {
    out.emplace_back(RedriveEnded{now, RedriveState::kStoppedByFailures});
    return;
  }
  if (!redrive_has_more()) {
    if (r.outstanding() == 0) out.emplace_back(RedriveEnded{now, RedriveState::kDone});
    return;
  }
  const Micros unused = std::clamp<Micros>(now - r.paid_until, 0, kSecond);
  const auto allowed = static_cast<std::size_t>(unused * r.rate / kSecond);
  const std::size_t budget = std::min({allowed, max_items, limits::kMaxItemsPerRecord});
  if (budget == 0) return;
  Redriven event{now, {}, 0, {}};
  std::size_t looked_at = 0;
  for (auto it = dead.upper_bound(r.looked_up_to); it != dead.end() && *it <= r.until; ++it) {
    const auto [dead_at_us, number] = *it;
    const Record& record = requests.at(number);
    const Notes* told = notes_of(number, record);
    // What this one has put back already and failed again in the microsecond of the start.
    const bool mine = told != nullptr && !told->rounds.empty() && told->rounds.back().redrive == r.id;
    if (!mine && matches(r.filter, number, record)) event.numbers.push_back(number);
    event.looked_up_to = {dead_at_us};
    event.looked_up_to_number = number;
    if (event.numbers.size() == budget || ++looked_at == limits::kMaxRedriveScan) break;
  }
  out.emplace_back(std::move(event));
}

// ---- Reads ------------------------------------------------------------------------------------------------

Result<DeadLetterPage> Machine::list(const ListDeadLetters& query) const {
  const MachineState& s = *state_;
  const auto filter = s.resolve(query.filter);
  if (!filter) return filter.error();
  auto it = s.dead.begin();
  if (!query.cursor.empty()) {
    const auto after = parse_cursor(query.cursor);
    if (!after) return invalid_argument("cursor is not one that this list has given");
    it = s.dead.upper_bound(*after);
  }
  DeadLetterPage page;
  page.total = s.dead.size();
  const std::size_t limit = std::min<std::size_t>(query.limit, limits::kMaxPage);
  for (std::size_t looked_at = 1; it != s.dead.end(); ++looked_at) {
    const DeadKey key = *it++;
    const Record& r = s.requests.at(key.second);
    if (s.matches(*filter, key.second, r)) page.items.push_back(s.dead_letter(key.second, r));
    if (it != s.dead.end() && (page.items.size() >= limit || looked_at >= limits::kMaxPageScan)) {
      page.next_cursor = write_cursor(key);
      break;
    }
  }
  return page;
}

Result<DeadLetterDetail> Machine::dead_letter(std::string_view request_id) const {
  const MachineState& s = *state_;
  std::uint64_t number = 0;
  const Record* r = s.find(request_id, &number);
  if (r == nullptr || !MachineState::is_dead(*r)) return no_such_letter();
  return DeadLetterDetail{s.dead_letter(number, *r), s.attempts(number, *r),
                          std::string(s.requests.body(number, *r)), s.status_log(number, *r)};
}

Result<RedrivePreview> Machine::preview_redrive(const DeadLetterFilter& query) const {
  const MachineState& s = *state_;
  const auto filter = s.resolve(query);
  if (!filter) return filter.error();
  RedrivePreview preview;
  for_each_dead(s, *filter, [&](const DeadKey& key, const Record&) {
    if (preview.sample.size() < limits::kRedriveSample) preview.sample.push_back(request_id(key.second));
    return ++preview.matching != 0;
  });
  return preview;
}

Result<RedriveView> Machine::redrive() const {
  if (!state_->redrive) return no_redrive();
  return state_->view(*state_->redrive);
}

}  // namespace spillway::intake
