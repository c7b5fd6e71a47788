// decide() for people and operators, and the reads.

#include "intake/machine.h"

#include <fmt/core.h>
#include <charconv>

#include <limits>

#include "base/rfc3339.h"
#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

constexpr int kRetryWhenFullSeconds = 30;

Error unknown_event() { return not_found("no such event"); }
Error too_often() { return {ErrorCode::kRateLimited, "too many requests of this account", 1}; }
Error unknown_request() { return not_found("no such request"); }
Error bad_cursor() { return invalid_argument("cursor is not one that this list has given"); }

/// As decide(Participate) has it.
EventPhase phase_at(Timestamp now, Timestamp opens_at, Timestamp closes_at) {
  if (now < opens_at) return EventPhase::kPending;
  return closes_at && now >= closes_at ? EventPhase::kClosed : EventPhase::kOpen;
}

bool same(const EventState& event, const PutEvent& command) {
  return event.title == command.title && event.capacity_total == command.capacity_total &&
         event.opens_at == command.opens_at && event.closes_at == command.closes_at &&
         event.policy == command.policy;
}

std::string_view reason_of(const Note& note) {
  if (!note.reason.empty()) return note.reason;
  switch (note.cause) {
    case Note::Cause::kRetry:
      return "to be tried again";
    case Note::Cause::kExpired:
      return "not completed in time";
    case Note::Cause::kRestart:
      return "its worker stopped";
    case Note::Cause::kLast:
      return {};  // as it was told while it was the last
    case Note::Cause::kReturned:
      return "returned without a try";
  }
  CHECK(false);
}

AttemptOutcome outcome_of(Note::Cause cause) {
  switch (cause) {
    case Note::Cause::kRetry:
    case Note::Cause::kLast:
      return AttemptOutcome::kFailed;
    case Note::Cause::kExpired:
      return AttemptOutcome::kTimedOut;
    case Note::Cause::kRestart:
      return AttemptOutcome::kWorkerStopped;
    case Note::Cause::kReturned:
      return AttemptOutcome::kReturned;
  }
  CHECK(false);
}

AttemptOutcome outcome_of(RequestStatus status) {
  return status == RequestStatus::kSucceeded     ? AttemptOutcome::kSucceeded
         : status == RequestStatus::kRejected    ? AttemptOutcome::kRejected
         : status == RequestStatus::kFailedFinal ? AttemptOutcome::kFailed
                                                 : AttemptOutcome::kRunning;
}

/// Where a page starts: after the number that the cursor names.
Result<std::uint64_t> start_of(const MachineState& s, const EventState& event, std::string_view cursor) {
  if (cursor.empty()) return event.first;
  const auto number = parse_number(cursor);
  if (!number || *number == 0 || *number > s.requests.last()) return bad_cursor();
  if (event.first == 0 || *number < event.first) return event.first;  // forgotten since
  const Record* r = s.requests.find(*number);
  if (r == nullptr || s.events[r->event].get() != &event) return bad_cursor();
  return r->next();
}

}  // namespace

Machine::Machine(MachineConfig config) : state_(std::make_unique<MachineState>(config)) {
  CHECK(config.max_receive_count >= 1 && config.max_receive_count <= 1'000 && config.retention_us >= 0);
  state_->digest = state_->hash_globals();
}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

// ---- Decisions --------------------------------------------------------------------------------------------

void Machine::decide_seed(const Seed& id_seed, Events& out) const {
  CHECK(!state_->seeded);
  out.emplace_back(Seeded{id_seed});
}

bool Machine::seeded() const { return state_->seeded; }

void Machine::prefetch(const Participate& command) const {
  const MachineState& s = *state_;
  const auto found = s.event_index.find(std::string_view(command.event_id));
  if (found == s.event_index.end()) return;
  s.people.prefetch(person_key(s.seed, found->second, command.user_id));
}

Result<Participation> Machine::decide(const Participate& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  CHECK(s.seeded);
  const auto found = s.event_index.find(std::string_view(command.event_id));
  if (found == s.event_index.end()) return command.only_repeat ? too_often() : unknown_event();
  const std::uint32_t index = found->second;
  const EventState& event = *s.events[index];
  const PersonKey person = person_key(s.seed, index, command.user_id);
  if (const std::uint64_t number = s.find_person(person)) return Participation{request_id(number), true};
  if (command.only_repeat) return too_often();
  if (now < event.opens_at) {
    return Error{ErrorCode::kEventNotOpen, fmt::format("opens at {}", format_time(event.opens_at))};
  }
  if (event.closes_at && now >= event.closes_at) {
    return Error{ErrorCode::kEventClosed, fmt::format("closed at {}", format_time(event.closes_at))};
  }
  if (s.requests.size() >= s.config.max_requests || s.requests.last() >= kMaxRequestNumber ||
      event.accepted() >= UINT32_MAX) {
    return Error{ErrorCode::kOverloaded, "too many requests are kept", kRetryWhenFullSeconds};
  }
  if (s.requests.body_bytes() + command.body.size() > s.config.max_body_bytes) {
    return Error{ErrorCode::kOverloaded, "the bodies of the requests kept are too large together",
                 kRetryWhenFullSeconds};
  }
  const std::uint64_t number = s.requests.last() + 1;
  out.emplace_back(Accepted{now, number, index, command.user_id, command.body, person});
  return Participation{request_id(number), false};
}

Result<EventView> Machine::decide(const PutEvent& command, Timestamp now, Events& out) const {
  const MachineState& s = *state_;
  CHECK(s.seeded && command.policy == Policy::kFirstCome);
  if (command.closes_at && command.closes_at <= command.opens_at) {
    return invalid_argument("closesAt must be after opensAt");
  }
  const auto found = s.event_index.find(std::string_view(command.event_id));
  const bool created = found == s.event_index.end();
  const EventState* before = created ? nullptr : s.events[found->second].get();
  if (before != nullptr) {
    // Who took part is forgotten some time after the end: opening again would let the same people in twice.
    const bool open_again = !command.closes_at || command.closes_at > now;
    if (open_again && total_of(before->retired) != 0) {
      return invalid_argument(
          "closesAt cannot be moved any more: the first participants are forgotten already");
    }
    const std::uint64_t used = before->taken() + before->kept();
    if (command.capacity_total < used) {
      return Error{ErrorCode::kCapacityBelowTaken,
                   fmt::format("capacityTotal must be at least {}: so many places are taken", used)};
    }
  } else if (s.events.size() >= s.config.max_events) {
    return Error{ErrorCode::kOverloaded, "there are too many events", kRetryWhenFullSeconds};
  }
  const auto index = created ? static_cast<std::uint32_t>(s.events.size()) : found->second;
  const WorkKind work_before = created ? WorkKind::kCapacity : before->work;
  const WorkKind work = command.work.value_or(work_before);
  if (before == nullptr || !same(*before, command)) {
    out.emplace_back(EventPut{now, index, command.event_id, command.title, command.capacity_total,
                              command.opens_at, command.closes_at, command.policy});
  }
  if (work != work_before) out.emplace_back(WorkSet{now, index, work});
  static const Webhook kNone;
  const Webhook& webhook_before = created ? kNone : before->webhook;
  const Webhook& webhook = command.webhook ? *command.webhook : webhook_before;
  if (webhook != webhook_before) out.emplace_back(WebhookSet{now, index, webhook.url, webhook.secret_name});
  const std::uint64_t taken = created ? 0 : before->taken();
  return EventView{command.event_id,
                   command.title,
                   command.capacity_total,
                   command.capacity_total - taken,
                   command.opens_at,
                   command.closes_at,
                   command.policy,
                   created,
                   phase_at(now, command.opens_at, command.closes_at),
                   work,
                   webhook};
}

QueueStats Machine::decide_paused(bool paused, Timestamp now, Events& out) const {
  if (state_->paused != paused) out.emplace_back(Paused{now, paused});
  QueueStats stats = queue_stats(now);
  stats.paused = paused;
  return stats;
}

// ---- Reads ------------------------------------------------------------------------------------------------

EventView MachineState::view(const EventState& e, Timestamp now) const {
  return {e.id,
          e.title,
          e.capacity_total,
          e.capacity_total - e.taken(),
          e.opens_at,
          e.closes_at,
          e.policy,
          false,
          phase_at(now, e.opens_at, e.closes_at),
          e.work,
          e.webhook};
}

std::vector<StatusLogEntry> MachineState::status_log(std::uint64_t number, const Record& r) const {
  static const Notes kNone;
  const Notes& told = r.has_notes ? *notes_of(number, r) : kNone;
  std::vector<StatusLogEntry> log;
  auto attempt = told.attempts.begin();
  // The reasons of attempts that were not the last: the status stayed what it was.
  const auto add_attempts = [&](Timestamp until) {
    for (; attempt != told.attempts.end() && attempt->at <= until; ++attempt) {
      if (attempt->cause == Note::Cause::kLast) continue;
      log.push_back({RequestStatus::kProcessing, attempt->at, std::string(reason_of(*attempt))});
    }
  };
  log.push_back({RequestStatus::kReceived, {r.queued_at_us}, ""});
  log.push_back({RequestStatus::kQueued, {r.queued_at_us}, ""});
  for (const Round& round : told.rounds) {
    if (round.started_at) log.push_back({RequestStatus::kProcessing, round.started_at, ""});
    add_attempts(round.dead_at);
    log.push_back(
        {RequestStatus::kFailedFinal, round.dead_at,
         round.reason.empty() ? std::string(name(ResultCode::kFailedRetriesExhausted)) : round.reason});
    log.push_back({RequestStatus::kQueued, round.redriven_at, fmt::format("redrive-{}", round.redrive)});
  }
  if (r.started_at_us != 0) log.push_back({RequestStatus::kProcessing, {r.started_at_us}, ""});
  add_attempts({std::numeric_limits<Micros>::max()});
  if (is_final(r.status)) {
    std::string reason = told.final_reason;
    if (reason.empty() && r.result != ResultCode::kSuccess) reason = name(r.result);
    log.push_back({r.status, {r.until_us}, std::move(reason)});
  }
  if (told.discard) {
    log.push_back({r.status, told.discard->at,
                   fmt::format("discarded by {}: {}", told.discard->by, told.discard->reason)});
  }
  return log;
}

std::vector<Attempt> MachineState::attempts(std::uint64_t number, const Record& r) const {
  static const Notes kNone;
  const Notes& told = r.has_notes ? *notes_of(number, r) : kNone;
  std::vector<Attempt> all;
  std::uint64_t count = told.attempts_dropped;
  for (const Note& note : told.attempts) {
    all.push_back({++count, note.started_at, note.at, outcome_of(note.cause), std::string(reason_of(note))});
  }
  if (count == r.receive_count()) return all;
  // The last one is noted only when another follows it.
  const Timestamp started = told.delivered_at ? told.delivered_at : Timestamp{r.started_at_us};
  all.push_back({r.receive_count(),
                 started,
                 {is_final(r.status) ? r.until_us : 0},
                 outcome_of(r.status),
                 told.final_reason});
  return all;
}

std::string_view MachineState::last_reason(std::uint64_t number, const Record& r) const {
  const Notes* told = notes_of(number, r);
  if (told == nullptr) return name(r.result);
  if (!told->final_reason.empty()) return told->final_reason;
  // A try that nobody ended is noted, one that ended without a reason is not.
  const bool noted = !told->attempts.empty() && told->attempts_noted() == r.receive_count();
  return noted ? reason_of(told->attempts.back()) : name(r.result);
}

std::optional<std::uint64_t> MachineState::place_of(const EventState& event, std::uint64_t number,
                                                    const Record& r) const {
  if (r.where == Where::kLine) {
    // In line are the newest of all that were ever accepted; who was redriven is ahead of them all.
    const std::uint64_t in_line = event.queued() - event.redriven.size();
    return r.ordinal - (event.accepted() - in_line) + event.redriven.size();
  }
  std::uint64_t place = 1;
  for (const std::uint64_t each : event.redriven) {
    if (each == number) return place;
    if (++place > limits::kMaxRankScan) break;
  }
  return std::nullopt;
}

RequestDetail MachineState::detail(std::uint64_t number, const Record& r) const {
  return {view(number, r),
          std::string(requests.user_id(number, r)),
          std::string(requests.body(number, r)),
          r.receive_count(),
          r.failure,
          status_log(number, r),
          attempts(number, r),
          redrives(number, r),
          webhook_view(number)};
}

RequestDetail MachineState::summary(std::uint64_t number, const Record& r) const {
  RequestDetail told;
  told.view = view(number, r);
  told.user_id = requests.user_id(number, r);
  told.receive_count = r.receive_count();
  told.failure_class = r.failure;
  told.redrives = redrives(number, r);
  return told;
}

RequestView MachineState::view(std::uint64_t number, const Record& r) const {
  const EventState& event = event_of(r);
  RequestView view{intake::request_id(seed, number),
                   event.id,
                   r.status,
                   r.result,
                   {},
                   {r.queued_at_us},
                   {r.started_at_us},
                   {}};
  if (r.status == RequestStatus::kQueued) view.position = place_of(event, number, r);
  if (is_final(r.status)) view.finished_at = {r.until_us};
  return view;
}

Result<RequestView> Machine::request(std::string_view request_id, std::string_view user_id) const {
  std::uint64_t number = 0;
  const Record* r = state_->find(request_id, &number);
  if (r == nullptr || state_->requests.user_id(number, *r) != user_id) return unknown_request();
  return state_->view(number, *r);
}

Result<RequestDetail> Machine::request_detail(std::string_view request_id) const {
  const MachineState& s = *state_;
  std::uint64_t number = 0;
  const Record* r = s.find(request_id, &number);
  if (r == nullptr) return unknown_request();
  return s.detail(number, *r);
}

Result<EventView> Machine::event(std::string_view event_id, Timestamp now) const {
  const EventState* event = state_->find_event(event_id);
  if (event == nullptr) return unknown_event();
  return state_->view(*event, now);
}

Result<EventPage> Machine::list(const ListEvents& query, Timestamp now) const {
  const auto& events = state_->events;
  std::size_t at = 0;
  const auto [end, failed] =
      std::from_chars(query.cursor.data(), query.cursor.data() + query.cursor.size(), at);
  if (!query.cursor.empty() && (failed != std::errc() || end != query.cursor.data() + query.cursor.size() ||
                                at == 0 || at > events.size())) {
    return invalid_argument("cursor is not one that this list has given");
  }
  EventPage page;
  const std::size_t limit = std::min<std::size_t>(query.limit, limits::kMaxPage);
  for (; at < events.size() && page.items.size() < limit; ++at) {
    page.items.push_back(state_->view(*events[at], now));
  }
  if (at < events.size()) page.next_cursor = std::to_string(at);
  return page;
}

Result<RequestPage> Machine::list(const ListRequests& query) const {
  const MachineState& s = *state_;
  const EventState* event = s.find_event(query.event_id);
  if (event == nullptr) return unknown_event();
  const auto start = start_of(s, *event, query.cursor);
  if (!start) return start.error();
  RequestPage page;
  const auto kept = [&](RequestStatus status) { return count_of(event->counts, status); };
  page.counts = {kept(RequestStatus::kReceived),   kept(RequestStatus::kQueued),
                 kept(RequestStatus::kProcessing), kept(RequestStatus::kSucceeded),
                 kept(RequestStatus::kRejected),   kept(RequestStatus::kFailedFinal)};
  const std::size_t limit = std::min<std::size_t>(query.limit, limits::kMaxPage);
  std::uint64_t number = *start;
  for (std::size_t looked_at = 0; number != 0; ++looked_at) {
    const Record& r = s.requests.at(number);
    if (!query.status || *query.status == r.status) {
      page.items.push_back(s.summary(number, r));
    }
    if (r.next() != 0 && (page.items.size() >= limit || looked_at + 1 >= limits::kMaxPageScan)) {
      page.next_cursor.resize(8);
      write_number(number, page.next_cursor.data());
      break;
    }
    number = r.next();
  }
  return page;
}

QueueStats MachineState::stats(Timestamp now) const {
  QueueStats stats{queued + visible_again, in_flight, delayed.size(), 0, dead_letters, paused};
  if (!waiting.empty()) stats.oldest_age_us = now.us - requests.at(waiting.begin()->first).queued_at_us;
  return stats;
}

QueueStats Machine::queue_stats(Timestamp now) const { return state_->stats(now); }

bool Machine::has_due_work() const {
  return !state_->paused && !(state_->ready[0].empty() && state_->ready[1].empty());
}

bool Machine::has(std::uint64_t number) const { return state_->requests.find(number) != nullptr; }

RequestView Machine::view_of(std::uint64_t number) const {
  return state_->view(number, state_->requests.at(number));
}

RequestSummary Machine::summary_of(std::uint64_t number) const {
  const Record& r = state_->requests.at(number);
  return {r.status,
          r.result,
          r.receive_count(),
          {r.queued_at_us},
          {is_final(r.status) ? r.until_us : 0},
          state_->redrives(number, r) != 0};
}

std::string Machine::request_id(std::uint64_t number) const {
  return intake::request_id(state_->seed, number);
}

std::optional<std::uint64_t> Machine::number_of(std::string_view request_id) const {
  std::uint64_t number = 0;
  if (state_->find(request_id, &number) == nullptr) return std::nullopt;
  return number;
}

std::size_t Machine::event_count() const { return state_->events.size(); }

Machine::EventCapacity Machine::capacity_of(std::size_t index) const {
  CHECK(index < state_->events.size());
  const EventState& event = *state_->events[index];
  return {event.id, event.capacity_total - event.taken()};
}

}  // namespace spillway::intake
