// The telling of final states: what is to be told, and what has been. A delivery comes to be with the event
// that makes its request final, so the one is durable when the other is.

#include "intake/machine_webhooks.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

constexpr std::string_view kTooOld = "could not be told in time";

}  // namespace

// ---- Indexes ----------------------------------------------------------------------------------------------

void MachineState::index_webhook(std::uint64_t id, const WebhookDelivery& d) {
  EventState& event = event_of(requests.at(d.number));
  if (d.pending()) {
    event.webhooks_due.insert({d.until.us, id});
    webhooks.pending.insert({d.since.us, id});
  } else {
    webhooks.ended.insert(id);
    if (d.may_be_put_back()) event.webhooks_given_up.insert(id);
  }
  webhooks.of.insert({d.number, id});
  index_webhooks(requests.at(d.number).event);
}

void MachineState::unindex_webhook(std::uint64_t id, const WebhookDelivery& d) {
  EventState& event = event_of(requests.at(d.number));
  if (d.pending()) {
    CHECK(event.webhooks_due.erase({d.until.us, id}) == 1 && webhooks.pending.erase({d.since.us, id}) == 1);
  } else {
    CHECK(webhooks.ended.erase(id) == 1);
    if (d.may_be_put_back()) CHECK(event.webhooks_given_up.erase(id) == 1);
  }
  CHECK(webhooks.of.erase({d.number, id}) == 1);
  index_webhooks(requests.at(d.number).event);
}

void MachineState::index_webhooks(std::uint32_t index) {
  EventState& event = *events[index];
  WebhookReceiver* before = event.webhook_receiver;
  const bool any = !event.webhooks_due.empty();
  const std::int64_t due = any ? event.webhooks_due.begin()->first : 0;
  const bool same = before != nullptr && any && before->url == event.webhook.url;
  if ((before == nullptr && !any) || (same && due == event.webhook_key)) return;
  // The receiver leaves the index by its first, and comes back with what is its first then.
  const auto take_out = [this](const WebhookReceiver& r) {
    if (!r.events.empty()) CHECK(webhooks.due.erase({r.events.begin()->first, r.id}) == 1);
  };
  const auto put_in = [this](WebhookReceiver& r) { webhooks.due[{r.events.begin()->first, r.id}] = &r; };
  if (before != nullptr) {
    take_out(*before);
    CHECK(before->events.erase({event.webhook_key, index}) == 1);
    event.webhook_receiver = nullptr;
    if (!before->events.empty()) put_in(*before);
    if (before->events.empty() && !same) CHECK(webhooks.receivers.erase(std::string(before->url)) == 1);
  }
  if (!any) return;
  const auto [place, is_new] = webhooks.receivers.try_emplace(event.webhook.url);
  WebhookReceiver& now = place->second;
  if (is_new) {
    now.id = ++webhooks.last_receiver;
    now.url = place->first;
  }
  take_out(now);
  now.events.insert({due, index});
  put_in(now);
  event.webhook_receiver = &now;
  event.webhook_key = due;
}

bool MachineState::webhooks_indexed() const {
  std::size_t pending = 0, given_up = 0, linked = 0;
  for (const auto& [id, d] : webhooks.all) {
    const Record* r = requests.find(d.number);
    if (r == nullptr || !webhooks.of.contains({d.number, id})) return false;
    const EventState& event = event_of(*r);
    if (d.pending()) {
      ++pending;
      if (!is_final(r->status) || d.status != r->status || !webhooks.pending.contains({d.since.us, id}) ||
          !event.webhooks_due.contains({d.until.us, id}))
        return false;
    } else if (!webhooks.ended.contains(id)) {
      return false;
    }
    if (d.may_be_put_back()) {
      ++given_up;
      if (!event.webhooks_given_up.contains(id)) return false;
    }
  }
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    const EventState& event = *events[i];
    pending -= event.webhooks_due.size();
    given_up -= event.webhooks_given_up.size();
    const WebhookReceiver* receiver = event.webhook_receiver;
    if (event.webhooks_due.empty() != (receiver == nullptr)) return false;
    if (receiver == nullptr) continue;
    ++linked;
    const std::int64_t first = event.webhooks_due.begin()->first;
    if (receiver->url != event.webhook.url || !receiver->events.contains({first, i})) return false;
    const auto due = webhooks.due.find({receiver->events.begin()->first, receiver->id});
    if (due == webhooks.due.end() || due->second != receiver) return false;
  }
  for (const auto& [url, receiver] : webhooks.receivers) linked -= receiver.events.size();
  return pending == 0 && given_up == 0 && linked == 0 && webhooks.due.size() == webhooks.receivers.size() &&
         webhooks.of.size() == webhooks.all.size() &&
         webhooks.pending.size() + webhooks.ended.size() == webhooks.all.size();
}

// ---- Changes ----------------------------------------------------------------------------------------------

void MachineState::add_webhook(std::uint64_t number, const Record& r, Timestamp at) {
  digest -= hash_last_webhook();
  const std::uint64_t id = ++webhooks.last;
  digest += hash_last_webhook();
  WebhookDelivery& d = webhooks.all[id];
  d.number = number;
  d.status = r.status;
  d.result = r.result;
  d.created_at = d.since = d.until = at;
  digest += hash(id, d);
  index_webhook(id, d);
}

void MachineState::drop_webhook(std::uint64_t id) {
  const auto found = webhooks.all.find(id);
  CHECK(found != webhooks.all.end());
  digest -= hash(id, found->second);
  unindex_webhook(id, found->second);
  webhooks.all.erase(found);
}

void MachineState::supersede_webhook(std::uint64_t number) {
  const std::uint64_t id = newest_webhook(number);
  if (id == 0) return;
  WebhookDelivery& d = webhooks.all.at(id);
  if (d.pending()) return drop_webhook(id);
  digest -= hash(id, d);
  unindex_webhook(id, d);
  d.superseded = true;
  digest += hash(id, d);
  index_webhook(id, d);
}

void MachineState::forget_webhooks(std::uint64_t number) {
  while (const std::uint64_t id = newest_webhook(number)) drop_webhook(id);
}

void MachineState::apply(const WebhooksTried& e) {
  for (const auto& item : e.items) {
    const auto found = webhooks.all.find(item.id);
    CHECK(found != webhooks.all.end());
    WebhookDelivery& d = found->second;
    const bool tried = item.result != WebhookResult::kExpired;
    CHECK(d.pending() && item.attempt == d.attempts + (tried ? 1 : 0));
    digest -= hash(item.id, d);
    unindex_webhook(item.id, d);
    d.attempts = item.attempt;
    d.last_status = item.status;
    d.last_reason = item.reason;
    d.until = item.result == WebhookResult::kRetry ? item.due : e.at;
    if (item.result == WebhookResult::kDelivered) {
      d.state = WebhookState::kDelivered;
    } else if (item.result != WebhookResult::kRetry) {
      d.state = WebhookState::kGivenUp;
    }
    digest += hash(item.id, d);
    index_webhook(item.id, d);
    // What has still to be told is not forgotten; now it may be.
    const std::uint32_t event = requests.at(d.number).event;
    if (!d.pending() && events[event]->first == d.number) index(event);
  }
  while (webhooks.ended.size() > limits::kMaxWebhooksKept) drop_webhook(*webhooks.ended.begin());
}

void MachineState::apply(const WebhooksPutBack& e) {
  for (const std::uint64_t id : e.ids) {
    const auto found = webhooks.all.find(id);
    CHECK(found != webhooks.all.end() && found->second.may_be_put_back());
    WebhookDelivery& d = found->second;
    digest -= hash(id, d);
    unindex_webhook(id, d);
    d.state = WebhookState::kPending;
    d.attempts_old = d.attempts;
    d.since = d.until = e.at;
    digest += hash(id, d);
    index_webhook(id, d);
    const std::uint32_t event = requests.at(d.number).event;
    if (events[event]->first == d.number) index(event);
  }
}

// ---- Decisions --------------------------------------------------------------------------------------------

void Machine::decide(const CompleteWebhooks& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  WebhooksTried event{now, {}};
  std::set<std::uint64_t> named;
  for (const WebhookOutcome& outcome : command.outcomes) {
    CHECK(outcome.result != WebhookResult::kExpired);
    const auto found = s.webhooks.all.find(outcome.id);
    if (found == s.webhooks.all.end() || !found->second.pending() ||
        outcome.attempt != found->second.attempts + 1 || !named.insert(outcome.id).second)
      continue;
    const Micros after = std::clamp<Micros>(outcome.retry_after_us, 0, limits::kMaxWebhookBackoff);
    event.items.push_back({outcome.id, outcome.result, outcome.attempt,
                           static_cast<std::uint32_t>(outcome.status),
                           std::string_view(outcome.reason).substr(0, limits::kMaxReasonBytes),
                           outcome.result == WebhookResult::kRetry ? now + after : Timestamp{}});
    if (event.items.size() == limits::kMaxReasonedPerRecord) {
      out.emplace_back(std::move(event));
      event = {now, {}};
    }
  }
  if (!event.items.empty()) out.emplace_back(std::move(event));
}

Result<RedeliverResult> Machine::decide(const RedeliverWebhooks& command, Timestamp now, Events& out) const {
  const EventState* event = state_->find_event(command.event_id);
  if (event == nullptr) return not_found("no such event");
  if (event->webhook.url.empty() && !event->webhooks_given_up.empty())
    return invalid_argument("eventId: the event has no webhook now; give it one first");
  RedeliverResult result;
  WebhooksPutBack step{now, {}};
  for (const std::uint64_t id : event->webhooks_given_up) {
    if (result.redelivered == limits::kMaxWebhookPutBack) break;
    ++result.redelivered;
    step.ids.push_back(id);
    if (step.ids.size() == limits::kMaxItemsPerRecord) out.emplace_back(std::exchange(step, {now, {}}));
  }
  if (!step.ids.empty()) out.emplace_back(std::move(step));
  result.left = event->webhooks_given_up.size() - result.redelivered;
  return result;
}

std::size_t MachineState::append_expired_webhooks(Timestamp now, std::size_t max_items, Events& out) const {
  WebhooksTried event{now, {}};
  std::size_t items = 0;
  for (const auto& [since_us, id] : webhooks.pending) {
    if (items == max_items || since_us + config.webhook_max_age_us > now.us) break;
    const WebhookDelivery& d = webhooks.all.at(id);
    event.items.push_back({id, WebhookResult::kExpired, d.attempts, d.last_status, kTooOld, {}});
    ++items;
    if (event.items.size() == limits::kMaxReasonedPerRecord)
      out.emplace_back(std::exchange(event, {now, {}}));
  }
  if (!event.items.empty()) out.emplace_back(std::move(event));
  return items;
}

// ---- Reads ------------------------------------------------------------------------------------------------

std::uint64_t MachineState::newest_webhook(std::uint64_t number) const {
  const auto after = webhooks.of.upper_bound({number, UINT64_MAX});
  if (after == webhooks.of.begin() || std::prev(after)->first != number) return 0;
  return std::prev(after)->second;
}

bool MachineState::webhook_pending(std::uint64_t number) const {
  const std::uint64_t id = newest_webhook(number);
  return id != 0 && webhooks.all.at(id).pending();
}

std::string MachineState::webhook_id(std::uint64_t id, const WebhookDelivery& d) const {
  return fmt::format("{}.{}", request_id(seed, d.number), id);
}

WebhookView MachineState::view(std::uint64_t id, const WebhookDelivery& d) const {
  const Record& r = requests.at(d.number);
  return {webhook_id(id, d),
          request_id(seed, d.number),
          event_of(r).id,
          std::string(requests.user_id(d.number, r)),
          d.status,
          d.result,
          d.state,
          d.attempts,
          static_cast<int>(d.last_status),
          d.last_reason,
          d.created_at,
          d.pending() ? d.until : Timestamp{},
          d.pending() ? Timestamp{} : d.until};
}

std::optional<WebhookView> MachineState::webhook_view(std::uint64_t number) const {
  const std::uint64_t id = newest_webhook(number);
  if (id == 0) return std::nullopt;
  return view(id, webhooks.all.at(id));
}

std::uint64_t Machine::webhooks_pending() const { return state_->webhooks.pending.size(); }

bool Machine::has_due_webhooks(Timestamp now) const {
  const auto& due = state_->webhooks.due;
  return !due.empty() && due.begin()->first.first <= now.us;
}

std::vector<WebhookJob> Machine::due_webhooks(Timestamp now, std::size_t max, const WebhookRoom& room,
                                              WebhookCursor& cursor) const {
  const MachineState& s = *state_;
  const auto& due = s.webhooks.due;
  std::vector<WebhookJob> jobs;
  const auto take_from = [&](const WebhookReceiver& receiver) {
    std::size_t most = std::min(room.of_receiver(receiver.url), max - jobs.size());
    for (auto event = receiver.events.begin(); most != 0 && event != receiver.events.end(); ++event) {
      if (event->first > now.us) return;
      for (const auto& [due_us, id] : s.events[event->second]->webhooks_due) {
        if (due_us > now.us || most == 0) break;
        if (room.is_out(id)) continue;
        const WebhookDelivery& d = s.webhooks.all.at(id);
        const Record& r = s.requests.at(d.number);
        jobs.push_back({id, d.attempts + 1, d.attempts - d.attempts_old + 1, s.event_of(r).webhook,
                        s.webhook_id(id, d), std::string(s.requests.user_id(d.number, r)),
                        s.view(d.number, r)});
        --most;
      }
    }
  };
  // In turn from where it was left, once round.
  const auto is_due = [&](auto it) { return it != due.end() && it->first.first <= now.us; };
  const WebhookCursor start = cursor;
  bool wrapped = false;
  auto it = due.upper_bound(start);
  for (std::size_t looked_at = 0; jobs.size() < max && looked_at < limits::kMaxWebhookScan; ++looked_at) {
    if (!is_due(it)) {
      if (wrapped) break;
      wrapped = true;
      it = due.begin();
      if (!is_due(it)) break;
    }
    if (wrapped && it->first > start) break;
    take_from(*it->second);
    cursor = (it++)->first;
  }
  return jobs;
}

Result<WebhookPage> Machine::list(const ListWebhooks& query) const {
  const MachineState& s = *state_;
  const EventState* event = nullptr;
  if (!query.event_id.empty()) {
    event = s.find_event(query.event_id);
    if (event == nullptr) return not_found("no such event");
  }
  auto it = s.webhooks.all.end();
  if (!query.cursor.empty()) {
    std::uint64_t before = 0;
    const char* last = query.cursor.data() + query.cursor.size();
    const auto [end, failed] = std::from_chars(query.cursor.data(), last, before);
    if (failed != std::errc() || end != last)
      return invalid_argument("cursor is not one that this list has given");
    it = s.webhooks.all.lower_bound(before);
  }
  WebhookPage page;
  const std::size_t limit = std::min<std::size_t>(query.limit, limits::kMaxPage);
  for (std::size_t looked_at = 1; it != s.webhooks.all.begin(); ++looked_at) {
    const auto& [id, d] = *--it;
    const bool wanted = (!query.state || d.state == *query.state) &&
                        (event == nullptr || &s.event_of(s.requests.at(d.number)) == event);
    if (wanted) page.items.push_back(s.view(id, d));
    if (it != s.webhooks.all.begin() && (page.items.size() >= limit || looked_at >= limits::kMaxPageScan)) {
      page.next_cursor = std::to_string(id);
      break;
    }
  }
  return page;
}

}  // namespace spillway::intake
