// Requests by who made them: without an index of persons, which would cost every request some bytes for a
// question that only operators ask. The map that keeps people from taking part twice answers it, event by
// event.

#include <algorithm>

#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

bool matches(const MachineState& s, const SearchRequests& query, std::uint64_t number, const Record& r) {
  return (!query.status || *query.status == r.status) &&
         (query.user_id.empty() || s.requests.user_id(number, r) == query.user_id) &&
         (query.event_id.empty() || s.event_of(r).id == query.event_id);
}

/// Looks on, at what is older than `below`.
void look_on(const MachineState& s, const SearchRequests& query, std::uint64_t below,
             SearchProgress& progress) {
  const auto look = [&](std::uint32_t index) {
    const EventState& event = *s.events[index];
    if (event.first == 0 || event.first >= below) return;
    const std::uint64_t number = s.find_person(person_key(s.seed, index, query.user_id));
    if (number != 0 && number < below && matches(s, query, number, s.requests.at(number))) {
      progress.newest.push_back(number);
    }
  };
  if (!query.event_id.empty()) return look(s.event_index.find(std::string_view(query.event_id))->second);
  const auto end =
      static_cast<std::uint32_t>(std::min(s.events.size(), progress.next_event + limits::kMaxSearchScan));
  for (; progress.next_event < end; ++progress.next_event) look(progress.next_event);
  progress.more = end < s.events.size();
  std::sort(progress.newest.begin(), progress.newest.end(), std::greater<>());
  if (progress.newest.size() > query.limit) progress.newest.resize(query.limit + 1);
}

}  // namespace

Result<FoundRequests> Machine::find(const SearchRequests& query, SearchProgress& progress) const {
  const MachineState& s = *state_;
  const Error bad_cursor = invalid_argument("cursor is not one that this list has given");
  CHECK(!query.user_id.empty() || !query.request_id.empty() || !query.event_id.empty());
  if (!query.event_id.empty() && s.find_event(query.event_id) == nullptr) return not_found("no such event");
  CHECK(query.limit >= 1 && query.limit <= limits::kMaxPage);
  FoundRequests page;
  if (!query.request_id.empty()) {
    if (!query.cursor.empty()) return bad_cursor;
    std::uint64_t number = 0;
    const Record* r = s.find(query.request_id, &number);
    if (r != nullptr && matches(s, query, number, *r)) page.items.push_back(s.summary(number, *r));
    return page;
  }
  if (query.user_id.empty()) {
    auto listed = list(ListRequests{query.event_id, query.status, query.limit, query.cursor});
    if (!listed) return listed.error();
    return FoundRequests{std::move(listed->items), std::move(listed->next_cursor)};
  }
  std::uint64_t below = UINT64_MAX;
  if (!query.cursor.empty()) {
    const auto number = parse_number(query.cursor);
    if (!number || *number == 0 || *number > s.requests.last()) return bad_cursor;
    below = *number;
  }
  look_on(s, query, below, progress);
  if (progress.more) return page;
  const std::size_t count = std::min<std::size_t>(progress.newest.size(), query.limit);
  for (std::size_t i = 0; i < count; ++i) {
    // It may have changed, or been forgotten, since it was found.
    const std::uint64_t number = progress.newest[i];
    const Record* r = s.requests.find(number);
    if (r != nullptr && matches(s, query, number, *r)) page.items.push_back(s.summary(number, *r));
  }
  if (count < progress.newest.size()) {
    page.next_cursor.resize(8);
    write_number(progress.newest[count - 1], page.next_cursor.data());
  }
  return page;
}

}  // namespace spillway::intake
