#include "model.h"

#include <algorithm>
#include <deque>

namespace spillway::intake::sim {

using S = RequestStatus;

Result<Participation> Model::participate(const Participate& c, Timestamp now) {
  const auto event = events_.find(c.event_id);
  if (event == events_.end()) return not_found("");
  const auto known = people_.find({c.event_id, c.user_id});
  if (known != people_.end()) return Participation{request_id(seed_, known->second), true};
  const PutEvent& times = event->second.as_put;
  if (times.opens_at && now < times.opens_at) return Error{ErrorCode::kEventNotOpen, ""};
  if (times.closes_at && !(now < times.closes_at)) return Error{ErrorCode::kEventClosed, ""};
  std::size_t body_bytes = c.body.size();
  if (!c.body.empty()) {
    for (const auto& [number, r] : requests_) body_bytes += r.body.size();
  }
  if (requests_.size() + 1 > rules_.max_requests || body_bytes > rules_.max_body_bytes) {
    return Error{ErrorCode::kOverloaded, ""};
  }
  Request r;
  r.event = c.event_id;
  r.user = c.user_id;
  r.body = c.body;
  r.queued_at = now;
  r.log = {{S::kReceived, now, ""}, {S::kQueued, now, ""}};
  ++last_;
  requests_[last_] = r;
  unfinished_.insert(last_);
  event->second.requests.insert(last_);
  people_[{c.event_id, c.user_id}] = last_;
  return Participation{request_id(seed_, last_), false};
}

std::uint64_t Model::kept_places(const Event& event) const {
  std::uint64_t kept = 0;
  for (const std::uint64_t number : event.requests) {
    if (requests_.at(number).status == S::kProcessing) ++kept;
  }
  return kept;
}

Result<EventView> Model::put_event(const PutEvent& c, Timestamp now) {
  if (c.closes_at && c.closes_at <= c.opens_at) return Error{ErrorCode::kInvalidArgument, ""};
  const bool created = !events_.contains(c.event_id);
  if (!created) {
    const Event& before = events_.at(c.event_id);
    if (before.forgotten > 0 && (!c.closes_at || now < c.closes_at))
      return Error{ErrorCode::kInvalidArgument, ""};
    if (c.capacity_total < before.taken + kept_places(before))
      return Error{ErrorCode::kCapacityBelowTaken, ""};
  }
  events_[c.event_id].as_put = c;
  if (c.work) events_[c.event_id].work = *c.work;
  if (c.webhook) events_[c.event_id].webhook = *c.webhook;
  EventView after = view(events_.at(c.event_id), now);
  after.created = created;
  return after;
}

std::vector<Delivery> Model::receive(const Receive& c, Timestamp now) {
  std::vector<Delivery> deliveries;
  if (paused_) return deliveries;
  // Those with a place go before those without, each by number: that is the order in which they were taken.
  struct Waiting {
    std::deque<std::uint64_t> with_place, without;
    std::uint64_t kept = 0;
  };
  std::map<std::string, Waiting> lines;
  for (const std::uint64_t number : unfinished_) {
    const Request& r = requests_.at(number);
    if (c.work && *c.work != events_.at(r.event).work) continue;
    if (r.phase == Phase::kVisible) lines[r.event].with_place.push_back(number);
    if (r.phase == Phase::kLine) lines[r.event].without.push_back(number);
  }
  for (auto& [id, line] : lines) line.kept = kept_places(events_.at(id));
  const auto is_late = [&](const Request& r) {
    const Timestamp closes_at = events_.at(r.event).as_put.closes_at;
    return closes_at && r.queued_at >= closes_at;
  };
  const auto next_of = [&](const std::string& id, const Waiting& line) -> std::uint64_t {
    if (!line.with_place.empty()) return line.with_place.front();
    if (line.without.empty()) return 0;
    const Event& event = events_.at(id);
    const bool full = event.taken + line.kept >= event.as_put.capacity_total;
    const bool blocked = full && line.kept > 0 && !is_late(requests_.at(line.without.front()));
    return blocked ? 0 : line.without.front();
  };
  std::size_t refused = 0;
  for (;;) {
    std::uint64_t number = 0;
    for (const auto& [id, line] : lines) {
      const std::uint64_t first = next_of(id, line);
      if (first != 0 && (number == 0 || first < number)) number = first;
    }
    if (number == 0) break;
    Request& r = requests_.at(number);
    const Event& event = events_.at(r.event);
    Waiting& line = lines.at(r.event);
    const bool had_place = r.phase == Phase::kVisible;
    const bool late = is_late(r);
    const bool has_place = had_place || event.taken + line.kept < event.as_put.capacity_total;
    if (late || !has_place ? refused == limits::kMaxFinishedPerReceive : deliveries.size() == c.max) break;
    (had_place ? line.with_place : line.without).pop_front();
    if (r.status == S::kQueued) {
      r.status = S::kProcessing;
      r.started_at = now;
      r.log.push_back({S::kProcessing, now, ""});
    }
    if (late || !has_place) {
      ++refused;
      if (had_place) --line.kept;
      const ResultCode code = late ? ResultCode::kRejectedClosed : ResultCode::kRejectedCapacity;
      finish(number, S::kRejected, code, FailureClass::kNonRetryable, now, std::string(name(code)));
      continue;
    }
    if (!had_place) ++line.kept;
    r.phase = Phase::kInFlight;
    r.until = now + c.visibility_us;
    ++r.receive_count;
    ++r.tries;
    r.attempts.push_back({r.receive_count, now, {}, AttemptOutcome::kRunning, ""});
    deliveries.push_back(
        {{request_id(seed_, number), r.receive_count}, r.event, r.user, r.body, r.queued_at});
  }
  return deliveries;
}

std::uint64_t Model::find(const Receipt& receipt) const {
  for (const auto& [number, r] : requests_) {
    // By the number in front: comparing whole ids of all would hash them all.
    char text[8];
    write_number(number, text);
    if (receipt.request_id.starts_with(std::string_view(text, 8))) {
      return receipt.request_id == request_id(seed_, number) ? number : 0;
    }
  }
  return 0;
}

bool Model::is_current(std::uint64_t number, const Receipt& receipt) const {
  const Request& r = requests_.at(number);
  return r.phase == Phase::kInFlight && r.receive_count == receipt.receive_count;
}

void Model::finish(std::uint64_t number, S status, ResultCode result, FailureClass failure, Timestamp now,
                   const std::string& reason) {
  Request& r = requests_.at(number);
  r.status = status;
  r.result = result;
  r.failure = failure;
  r.phase = Phase::kDone;
  r.finished_at = now;
  r.log.push_back({status, now, reason});
  unfinished_.erase(number);
  if (!events_.at(r.event).webhook.url.empty()) {
    Hook& hook = r.hooks.emplace_back();
    hook.status = status;
    hook.result = result;
    hook.created_at = hook.since = hook.until = now;
  }
  if (r.redriven_by == 0 || r.redriven_by != redrive_->id) return;
  ++(status == S::kSucceeded  ? redrive_->view.succeeded
     : status == S::kRejected ? redrive_->view.rejected
                              : redrive_->view.failed_again);
}

void Model::end_attempt(Request& r, Timestamp now, AttemptOutcome outcome, const std::string& reason) {
  r.attempts.back().ended_at = now;
  r.attempts.back().outcome = outcome;
  r.attempts.back().reason = reason;
}

void Model::try_failed(std::uint64_t number, Timestamp now, const std::string& reason) {
  Request& r = requests_.at(number);
  r.failure = FailureClass::kRetryable;
  r.log.push_back({S::kProcessing, now, reason});
}

Acks Model::complete(const Complete& c, Timestamp now) {
  Acks acks;
  for (const Outcome& o : c.outcomes) {
    const std::uint64_t number = find(o.receipt);
    if (number == 0 || !is_current(number, o.receipt)) {
      acks.acks.push_back(number == 0 ? Ack::kUnknown : Ack::kStale);
      continue;
    }
    acks.acks.push_back(Ack::kApplied);
    Request& r = requests_.at(number);
    const auto reason = [&](ResultCode code) {
      return o.reason.empty() ? std::string(name(code)) : o.reason;
    };
    if (o.result == WorkResult::kSucceed) {
      end_attempt(r, now, AttemptOutcome::kSucceeded, o.reason);
      ++events_.at(r.event).taken;
      finish(number, S::kSucceeded, ResultCode::kSuccess, FailureClass::kNone, now, o.reason);
    } else if (o.result == WorkResult::kReject) {
      end_attempt(r, now, AttemptOutcome::kRejected, o.reason);
      finish(number, S::kRejected, o.result_code, FailureClass::kNonRetryable, now, reason(o.result_code));
    } else if (o.result == WorkResult::kInvalid) {
      end_attempt(r, now, AttemptOutcome::kFailed, o.reason);
      finish(number, S::kFailedFinal, ResultCode::kFailedInvalidMessage, FailureClass::kNonRetryable, now,
             reason(ResultCode::kFailedInvalidMessage));
    } else if (o.result == WorkResult::kReturn) {
      const std::string why = o.reason.empty() ? "returned without a try" : o.reason;
      end_attempt(r, now, AttemptOutcome::kReturned, why);
      r.log.push_back({S::kProcessing, now, why});
      --r.tries;
      r.phase = Phase::kDelayed;
      r.until = now + o.retry_after_us;
    } else if (r.tries >= rules_.max_receive_count) {
      end_attempt(r, now, AttemptOutcome::kFailed, o.reason);
      r.last_reason = reason(ResultCode::kFailedRetriesExhausted);
      finish(number, S::kFailedFinal, ResultCode::kFailedRetriesExhausted, FailureClass::kRetryable, now,
             r.last_reason);
    } else {
      const std::string why = o.reason.empty() ? "to be tried again" : o.reason;
      end_attempt(r, now, AttemptOutcome::kFailed, why);
      try_failed(number, now, why);
      r.phase = Phase::kDelayed;
      r.until = now + o.retry_after_us;
    }
  }
  return acks;
}

Acks Model::extend(const Extend& c, Timestamp now) {
  Acks acks;
  for (const Receipt& receipt : c.receipts) {
    const std::uint64_t number = find(receipt);
    const bool current = number != 0 && is_current(number, receipt);
    if (current) requests_.at(number).until = now + c.visibility_us;
    acks.acks.push_back(number == 0 ? Ack::kUnknown : current ? Ack::kApplied : Ack::kStale);
  }
  return acks;
}

void Model::worker_gone(std::uint64_t number, Timestamp now, AttemptOutcome outcome,
                        const std::string& reason) {
  Request& r = requests_.at(number);
  end_attempt(r, now, outcome, reason);
  try_failed(number, now, reason);
  r.phase = Phase::kVisible;
  if (r.tries < rules_.max_receive_count) return;
  r.last_reason = reason;
  finish(number, S::kFailedFinal, ResultCode::kFailedRetriesExhausted, FailureClass::kRetryable, now,
         std::string(name(ResultCode::kFailedRetriesExhausted)));
}

bool Model::nothing_expires(Timestamp now) const {
  return std::none_of(unfinished_.begin(), unfinished_.end(), [&](std::uint64_t number) {
    const Request& r = requests_.at(number);
    return r.until <= now && (r.phase == Phase::kDelayed || r.phase == Phase::kInFlight);
  });
}

void Model::expire(Timestamp now) {
  const std::vector<std::uint64_t> all(unfinished_.begin(), unfinished_.end());
  for (const std::uint64_t number : all) {
    Request& r = requests_.at(number);
    if (r.until > now) continue;
    if (r.phase == Phase::kDelayed) r.phase = Phase::kVisible;
    if (r.phase == Phase::kInFlight) {
      worker_gone(number, now, AttemptOutcome::kTimedOut, "not completed in time");
    }
  }
}

void Model::due(Timestamp now) {
  // In rounds: what a redrive does next is decided before what expires in the same round is known.
  for (bool more = true; more;) {
    more = !nothing_expires(now);
    const RedriveStep step = next_of_redrive(now);
    const bool may_forget = !redrive_has_more();
    expire(now);
    if (may_forget) forget(now);
    more = expire_hooks(now) || more;
    more = apply(step, now) || more;
  }
}

void Model::restart(Timestamp now) {
  const std::vector<std::uint64_t> all(unfinished_.begin(), unfinished_.end());
  for (const std::uint64_t number : all) {
    if (requests_.at(number).phase != Phase::kInFlight) continue;
    worker_gone(number, now, AttemptOutcome::kWorkerStopped, "its worker stopped");
  }
}

void Model::forget(Timestamp now) {
  for (auto& [id, event] : events_) {
    const Timestamp closes_at = event.as_put.closes_at;
    if (!closes_at || closes_at + rules_.retention_us > now) continue;
    while (!event.requests.empty()) {
      const std::uint64_t number = *event.requests.begin();
      const Request& r = requests_.at(number);
      if (!is_final(r.status) || r.finished_at + rules_.retention_us > now) break;
      if (!r.hooks.empty() && r.hooks.back().state == WebhookState::kPending) break;
      people_.erase({r.event, r.user});
      requests_.erase(number);
      event.requests.erase(number);
      ++event.forgotten;
    }
  }
}

QueueStats Model::stats(Timestamp now) const {
  QueueStats stats;
  stats.paused = paused_;
  for (const auto& [number, r] : requests_) {
    if (r.phase == Phase::kInFlight) ++stats.in_flight;
    if (r.phase == Phase::kDelayed) ++stats.delayed;
    if (is_dead(r)) ++stats.dead_letters;
    if (r.phase != Phase::kLine && r.phase != Phase::kVisible) continue;
    ++stats.visible;
    stats.oldest_age_us = std::max(stats.oldest_age_us, now - r.queued_at);
  }
  return stats;
}

EventView Model::view(const Event& event, Timestamp now) const {
  const PutEvent& p = event.as_put;
  const bool closed = p.closes_at && p.closes_at <= now;
  const EventPhase phase = closed              ? EventPhase::kClosed
                           : p.opens_at <= now ? EventPhase::kOpen
                                               : EventPhase::kPending;
  return {p.event_id, p.title,     p.capacity_total, p.capacity_total - event.taken,
          p.opens_at, p.closes_at, p.policy,         false,
          phase,      event.work,  event.webhook};
}

RequestDetail Model::detail(std::uint64_t number) const {
  const Request& r = requests_.at(number);
  RequestDetail d;
  d.view = {
      request_id(seed_, number), r.event, r.status, r.result, {}, r.queued_at, r.started_at, r.finished_at};
  if (r.status == S::kQueued) {
    std::uint64_t ahead = 0;
    for (const std::uint64_t other : events_.at(r.event).requests) {
      if (other < number && requests_.at(other).status == S::kQueued) ++ahead;
    }
    d.view.position = ahead + 1;
  }
  d.user_id = r.user;
  d.body = r.body;
  d.receive_count = r.receive_count;
  d.failure_class = r.failure;
  d.attempts = r.attempts;
  d.redrives = r.redrives;
  if (!r.hooks.empty()) d.webhook = view(number, r.hooks.back());
  for (const Entry& entry : r.log) d.status_log.push_back({entry.status, entry.at, entry.reason});
  return d;
}

std::vector<RequestDetail> Model::list(const std::string& event, std::optional<S> status) const {
  std::vector<RequestDetail> items;
  for (const std::uint64_t number : events_.at(event).requests) {
    if (status && requests_.at(number).status != *status) continue;
    items.push_back(detail(number));
    items.back().body.clear();
    items.back().status_log.clear();
    items.back().attempts.clear();
    items.back().webhook.reset();
  }
  return items;
}

StatusCounts Model::counts(const std::string& event) const {
  StatusCounts counts;
  for (const std::uint64_t number : events_.at(event).requests) {
    switch (requests_.at(number).status) {
      case S::kReceived:
        ++counts.received;
        break;
      case S::kQueued:
        ++counts.queued;
        break;
      case S::kProcessing:
        ++counts.processing;
        break;
      case S::kSucceeded:
        ++counts.succeeded;
        break;
      case S::kRejected:
        ++counts.rejected;
        break;
      case S::kFailedFinal:
        ++counts.failed_final;
        break;
    }
  }
  return counts;
}

}  // namespace spillway::intake::sim
