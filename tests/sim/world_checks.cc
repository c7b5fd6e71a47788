// What World looks at after each step and, now and then, at everything.

#include <algorithm>

#include "text.h"
#include "world.h"

namespace spillway::intake::sim {
namespace {

int rank(RequestStatus s) { return is_final(s) ? 3 : s == RequestStatus::kProcessing ? 2 : 1; }

}  // namespace

void World::check_delivered(const std::vector<Delivery>& deliveries, const std::set<std::uint64_t>& first) {
  // By event: retries, which have their place already, by number, then the others by number.
  std::map<std::string, std::pair<bool, std::uint64_t>> before;
  std::map<std::string, std::uint64_t> newcomer;  ///< by event: the first that was never delivered before
  for (const Delivery& delivery : deliveries) {
    const std::string& id = delivery.receipt.request_id;
    const auto number = request_number(seed_, id);
    if (!number) fail("delivered a request that is none: " + id);
    const std::pair<bool, std::uint64_t> rank{first.contains(*number), *number};
    auto& last = before[delivery.event_id];
    if (rank <= last) fail("delivered out of order: " + id);
    last = rank;
    if (delivery.receipt.receive_count != 1) continue;
    newcomer.try_emplace(delivery.event_id, *number);
    std::uint64_t& begun = begun_[delivery.event_id];
    if (*number < begun) fail(fmt::format("order inversion: {} begun after {}", *number, begun));
    begun = *number;
  }
  // Who is back in line is served before whoever comes after him there.
  for (const auto& [event, number] : newcomer) {
    for (const std::uint64_t other : model_.events().at(event).requests) {
      if (other >= number) break;
      if (subject_.machine().summary_of(other).status == RequestStatus::kQueued) {
        fail(fmt::format("order inversion: {} begun while {} waits", number, other));
      }
    }
  }
}

void World::remember_begun() {
  begun_.clear();
  for (const auto& [number, r] : model_.requests()) {
    if (r.status != RequestStatus::kQueued) begun_[r.event] = number;
  }
}

void World::check_shown(std::uint64_t number) {
  const auto r = model_.requests().find(number);
  if (r == model_.requests().end()) return;  // changed and forgotten since
  const auto view = subject_.request(request_id(seed_, number), r->second.user);
  if (!view.ok()) fail(fmt::format("{} cannot be found by its owner", number));
  const auto before = shown_.find(number);
  std::uint64_t left_by = before == shown_.end() ? 0 : before->second.left_by;
  const std::uint64_t put_back = model_.events().at(r->second.event).put_back;
  const std::uint64_t position = view->position.value_or(0);
  if (before != shown_.end()) {
    const Shown& then = before->second;
    // A dead letter may come back once for each redrive, and for nothing else.
    const bool left = then.status == RequestStatus::kFailedFinal ? view->status != then.status
                                                                 : !is_final(then.status) &&  // died unseen
                                                                       rank(view->status) < rank(then.status);
    const bool redriven = left && redrives_ > left_by;
    if (redriven) left_by = redrives_;
    if (!redriven &&
        (rank(view->status) < rank(then.status) || (is_final(then.status) && view->status != then.status))) {
      fail(fmt::format("{} went from {} to {}", number, name(then.status), name(view->status)));
    }
    if (!redriven && position > then.position + (put_back - then.put_back))
      fail(fmt::format("{} went from place {} to {}", number, then.position, position));
  }
  const bool won = view->status == RequestStatus::kSucceeded;
  const bool was_seen = before != shown_.end() && before->second.status == view->status;
  if (won && !was_seen && subject_.machine().summary_of(number).redriven) ++tally_.redriven_winners;
  shown_[number] = {view->status, position, left_by, put_back};
  given_[{r->second.event, r->second.user}] = view->request_id;
  if (is_final(view->status) != (view->result_code != ResultCode::kNone)) {
    fail(fmt::format("{} is {} with result '{}'", number, name(view->status), name(view->result_code)));
  }
}

void World::check_everything() {
  sync();
  ++tally_.comparisons;
  const Machine& machine = subject_.machine();
  if (machine.digest() != machine.recompute_digest())
    fail("the digest that was kept is not that of the state");
  expect_same("stats", text(machine.queue_stats(now_)), text(model_.stats(now_)));
  expect_same("the redrive", text(subject_.redrive()), text(model_.redriving()));
  check_dead_letters({});
  check_webhooks();
  for (const auto& [number, r] : model_.requests()) {
    expect_same("detail", text(machine.request_detail(request_id(seed_, number))),
                text(model_.detail(number)));
    check_shown(number);
  }
  for (const auto& [id, event] : model_.events()) {
    expect_same("event", text(subject_.event(id, now_)), text(model_.view(event, now_)));
    if (!event.requests.empty()) check_event(event);
  }
  // What was forgotten is gone for those who ask, and from our notes.
  for (auto it = shown_.begin(); it != shown_.end();) {
    if (model_.requests().contains(it->first)) {
      ++it;
      continue;
    }
    if (machine.has(it->first)) fail(fmt::format("{} should be forgotten", it->first));
    ++tally_.forgotten;
    it = shown_.erase(it);
  }
  std::erase_if(given_, [&](const auto& entry) { return !machine.number_of(entry.second); });
  if (tally_.comparisons % 16 != 0) return;
  Machine copy;
  if (!load(copy, saved(machine)).ok() || copy.digest() != machine.digest())
    fail("a snapshot does not give it back");
}

void World::check_event(const Model::Event& event) {
  const std::string& id = event.as_put.event_id;
  check_pages(id, std::nullopt);
  // Exactly N, from what people see, not from what either side counts.
  std::uint64_t winners = event.forgotten == 0 ? 0 : event.taken;
  std::uint64_t last_winner = 0;
  std::uint64_t first_refused = 0;
  for (const std::uint64_t number : event.requests) {
    const RequestSummary r = subject_.machine().summary_of(number);
    if (r.status == RequestStatus::kSucceeded) {
      if (event.forgotten == 0) ++winners;
      last_winner = number;
    }
    // Who was redriven may find that those behind him have taken the last places meanwhile.
    if (r.result_code == ResultCode::kRejectedCapacity && !r.redriven && first_refused == 0)
      first_refused = number;
  }
  const std::uint64_t capacity = event.as_put.capacity_total;
  if (winners > capacity) fail(fmt::format("{}: {} winners for {} places", id, winners, capacity));
  const auto plan =
      std::find_if(events_.begin(), events_.end(), [&](const EventPlan& p) { return p.id == id; });
  if (plan == events_.end() || plan->capacity_changed || event.forgotten != 0 || first_refused == 0) return;
  if (winners != capacity) fail(fmt::format("{}: refused with {} of {} taken", id, winners, capacity));
  if (last_winner > first_refused)
    fail(fmt::format("{}: {} won after {} was refused", id, last_winner, first_refused));
}

void World::check_pages(const std::string& event, std::optional<RequestStatus> status) {
  ListRequests query{event, status, static_cast<std::uint32_t>(1 + random(100)), ""};
  const auto expected = model_.list(event, status);
  std::size_t at = 0;
  for (;;) {
    const auto page = subject_.machine().list(query);
    if (!page.ok()) fail("list: " + text(page.error()));
    expect_same("counts", text(page->counts), text(model_.counts(event)));
    for (const RequestDetail& item : page->items) {
      if (at >= expected.size()) fail("list: more than there are");
      expect_same("list", text(item), text(expected[at++]));
    }
    if (page->next_cursor.empty()) break;
    query.cursor = page->next_cursor;
  }
  if (at != expected.size()) fail(fmt::format("list: {} of {}", at, expected.size()));
}

void World::expect_same(const std::string& what, const std::string& machine, const std::string& model) {
  if (machine != model) fail(fmt::format("{}\n  machine: {}\n  model:   {}", what, machine, model));
}

void World::fail(const std::string& what) { throw Violation(what); }

}  // namespace spillway::intake::sim
