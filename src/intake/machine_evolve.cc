// evolve(): what events do. Nothing here refuses: an event that does not fit is a broken journal or program.

#include <algorithm>
#include <utility>

#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

/// What a final request is.
struct Final {
  RequestStatus status;
  ResultCode result;
  FailureClass failure;
};
constexpr Final kSuccess{RequestStatus::kSucceeded, ResultCode::kSuccess, FailureClass::kNone};
constexpr Final kFull{RequestStatus::kRejected, ResultCode::kRejectedCapacity, FailureClass::kNonRetryable};
constexpr Final kTooLate{RequestStatus::kRejected, ResultCode::kRejectedClosed, FailureClass::kNonRetryable};
constexpr Final kRefused{RequestStatus::kRejected, ResultCode::kRejectedByWork, FailureClass::kNonRetryable};
constexpr Final kInvalid{RequestStatus::kFailedFinal, ResultCode::kFailedInvalidMessage,
                         FailureClass::kNonRetryable};
constexpr Final kDead{RequestStatus::kFailedFinal, ResultCode::kFailedRetriesExhausted,
                      FailureClass::kRetryable};

Final final_of(Ending ending) {
  switch (ending) {
    case Ending::kSucceeded:
      return kSuccess;
    case Ending::kRejectedCapacity:
      return kFull;
    case Ending::kRejectedClosed:
      return kTooLate;
    case Ending::kInvalid:
      return kInvalid;
    case Ending::kDeadLetter:
      return kDead;
    case Ending::kRejectedByWork:
      return kRefused;
    case Ending::kRetry:
    case Ending::kReturned:
      break;
  }
  CHECK(false);
}

class Evolver {
 public:
  explicit Evolver(MachineState& s) : s_(s) {}

  void operator()(const Seeded& e) {
    CHECK(!s_.seeded);
    s_.digest -= s_.hash_globals();
    s_.seed = e.seed;
    s_.seeded = true;
    s_.digest += s_.hash_globals();
  }
  void operator()(const Paused& e) {
    s_.digest -= s_.hash_globals();
    s_.paused = e.paused;
    s_.digest += s_.hash_globals();
  }
  void operator()(const EventPut& e) {
    CHECK(s_.seeded && e.event <= s_.events.size());
    const bool created = e.event == s_.events.size();
    if (created) {
      const bool is_new = s_.event_index.emplace(std::string(e.id), e.event).second;
      CHECK(is_new);
      s_.events.push_back(std::make_unique<EventState>());
      s_.events.back()->id = e.id;
    }
    EventState& event = *s_.events[e.event];
    CHECK(event.id == e.id && e.capacity_total >= event.taken() + event.kept());
    if (!created) s_.digest -= s_.hash(event);
    event.title = e.title;
    event.capacity_total = e.capacity_total;
    event.opens_at = e.opens_at;
    event.closes_at = e.closes_at;
    event.policy = e.policy;
    s_.digest += s_.hash(event);
    s_.index(e.event);
  }
  void operator()(const Accepted& e) {
    CHECK(s_.seeded && e.number == s_.requests.last() + 1 && e.event < s_.events.size());
    const PersonKey person = e.person == PersonKey{} ? person_key(s_.seed, e.event, e.user_id) : e.person;
    s_.people.add(person, e.number);
    EventState& event = *s_.events[e.event];
    Record& r = s_.requests.add(e.number, e.user_id, e.body);
    r.queued_at_us = e.at.us;
    r.event = e.event;
    r.ordinal = static_cast<std::uint32_t>(event.accepted() + 1);
    r.status = RequestStatus::kReceived;
    ++count_of(event.counts, RequestStatus::kReceived);
    move(event, r, RequestStatus::kQueued);
    if (event.last != 0) s_.requests.at(event.last).set_next(e.number);
    event.last = e.number;
    if (event.first == 0) event.first = e.number;
    s_.digest +=
        s_.hash(e.number, r) + s_.hash_person(e.number, person, e.body) + MachineState::hash_next_number();
    if (event.head == 0) {
      event.head = e.number;
      s_.index(e.event);
    }
  }
  void operator()(const Received& e) {
    for (const auto& item : e.items) {
      Change change(*this, item.number);
      if (item.verdict == Verdict::kDelivered) {
        deliver(change, e);
      } else {
        if (change.r.status == RequestStatus::kQueued) begin(change, e.at);
        finish(change, item.verdict == Verdict::kRejectedClosed ? kTooLate : kFull, e.at, {});
      }
    }
    index_touched();
  }
  void operator()(const Completed& e) {
    for (const auto& item : e.items) {
      Change change(*this, item.number);
      CHECK(change.r.where == Where::kInFlight);
      const bool returned = item.ending == Ending::kReturned;
      if (item.ending != Ending::kRetry && !returned) {
        finish(change, final_of(item.ending), e.at, item.reason);
        continue;
      }
      leave(change);
      enter(change, Where::kDelayed, item.due);
      add_attempt(change, e.at, returned ? Note::Cause::kReturned : Note::Cause::kRetry, item.reason);
      if (returned) {
        ++note(change).receive_base;
      } else {
        change.r.failure = FailureClass::kRetryable;
      }
    }
    index_touched();
  }
  void operator()(const Due& e) {
    for (const auto& item : e.items) {
      Change change(*this, item.number);
      CHECK(change.r.where == (item.kind == DueKind::kRetry ? Where::kDelayed : Where::kInFlight));
      const bool restarted = item.kind == DueKind::kRestartVisible || item.kind == DueKind::kRestartDead;
      if (item.kind != DueKind::kRetry) {
        change.r.failure = FailureClass::kRetryable;
        add_attempt(change, e.at, restarted ? Note::Cause::kRestart : Note::Cause::kExpired, {});
      }
      if (item.kind == DueKind::kExpiredDead || item.kind == DueKind::kRestartDead) {
        finish(change, kDead, e.at, {});
      } else {
        leave(change);
        enter(change, Where::kVisible, {});
      }
    }
    index_touched();
  }
  void operator()(const Extended& e) {
    for (const std::uint64_t number : e.numbers) {
      Change change(*this, number);
      CHECK(change.r.where == Where::kInFlight);
      leave(change);
      enter(change, Where::kInFlight, e.until);
    }
    index_touched();
  }
  void operator()(const Retired& e) {
    CHECK(e.event < s_.events.size());
    EventState& event = *s_.events[e.event];
    s_.digest -= s_.hash(event);
    for (std::uint64_t i = 0; i < e.count; ++i) forget_first(e.event, event);
    s_.digest += s_.hash(event);
    s_.index(e.event);
  }
  void operator()(const RedriveStarted& e) {
    CHECK(!s_.redrive || !s_.redrive->running());
    CHECK(e.event == DeadFilter::kAnyEvent || e.event < s_.events.size());
    s_.digest -= s_.hash_redrive();
    RedriveStatus& redrive = s_.redrive.emplace();
    redrive.id = e.id;
    redrive.filter = {e.event, e.named, e.numbers, e.failure, std::string(e.reason), e.dead_before};
    redrive.rate = e.rate;
    redrive.stop_after = e.stop_after;
    redrive.matching = e.matching;
    redrive.until = {e.until.us, e.until_number};
    redrive.paid_until = e.at;
    redrive.started_at = e.at;
    s_.digest += s_.hash_redrive();
  }
  void operator()(const Redriven& e) {
    CHECK(s_.redrive && s_.redrive->running());
    for (const std::uint64_t number : e.numbers) {
      Change change(*this, number);
      put_back(change, e.at);
    }
    s_.digest -= s_.hash_redrive();
    RedriveStatus& redrive = *s_.redrive;
    redrive.looked_up_to = {e.looked_up_to.us, e.looked_up_to_number};
    redrive.redriven += e.numbers.size();
    const auto paid = static_cast<Micros>(e.numbers.size()) * kSecond / redrive.rate;
    // What was not used within a second is lost: no burst after a time without progress.
    redrive.paid_until = std::max(redrive.paid_until, Timestamp{e.at.us - kSecond}) + paid;
    s_.digest += s_.hash_redrive();
    index_touched();
  }
  void operator()(const RedriveEnded& e) {
    CHECK(s_.redrive && s_.redrive->running());
    s_.digest -= s_.hash_redrive();
    s_.redrive->state = e.state;
    s_.redrive->finished_at = e.at;
    s_.digest += s_.hash_redrive();
  }
  void operator()(const WorkSet& e) {
    CHECK(e.event < s_.events.size());
    EventState& event = *s_.events[e.event];
    s_.digest -= s_.hash(event);
    // Out of the index of the one kind, into that of the other.
    if (event.ready_key != 0) s_.ready_of(event.work).erase({std::exchange(event.ready_key, 0), e.event});
    event.work = e.work;
    s_.digest += s_.hash(event);
    s_.index(e.event);
  }
  void operator()(const WebhookSet& e) {
    CHECK(e.event < s_.events.size());
    EventState& event = *s_.events[e.event];
    s_.digest -= s_.hash(event);
    event.webhook = {std::string(e.url), std::string(e.secret_name)};
    s_.digest += s_.hash(event);
    s_.index_webhooks(e.event);
  }
  void operator()(const WebhooksTried& e) { s_.apply(e); }
  void operator()(const WebhooksPutBack& e) { s_.apply(e); }
  void operator()(const Discarded& e) {
    for (const std::uint64_t number : e.numbers) {
      Change change(*this, number);
      leave_the_dead(change.number, change.r);
      change.r.discarded = true;
      note(change).discard = Discard{e.at, std::string(e.by), std::string(e.reason)};
    }
    index_touched();
  }

 private:
  /// A request about to change: takes its part out of the digest and puts the new one in.
  struct Change {
    Change(Evolver& by, std::uint64_t n) : s(by.s_), number(n), r(s.requests.at(n)), event(s.event_of(r)) {
      s.digest -= s.hash(number, r);
      if (r.has_notes) s.digest -= s.hash(number, s.notes.at(number));
      if (!event.touched) {
        event.touched = true;
        by.touched_.push_back(r.event);
      }
    }
    ~Change() {
      s.digest += s.hash(number, r);
      if (r.has_notes) s.digest += s.hash(number, s.notes.at(number));
    }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

    MachineState& s;
    const std::uint64_t number;
    Record& r;
    EventState& event;
  };

  /// The one place where a status changes.
  void move(EventState& event, Record& r, RequestStatus to) {
    CHECK(may_become(r.status, to));
    --count_of(event.counts, r.status);
    ++count_of(event.counts, to);
    if (r.status == RequestStatus::kQueued) --s_.queued;
    if (to == RequestStatus::kQueued) ++s_.queued;
    r.status = to;
  }
  void begin(Change& c, Timestamp at) {
    move(c.event, c.r, RequestStatus::kProcessing);
    c.r.started_at_us = at.us;
  }
  void deliver(Change& c, const Received& e) {
    leave(c);
    if (c.r.status == RequestStatus::kQueued) begin(c, e.at);
    CHECK(c.event.taken() + c.event.kept() <= c.event.capacity_total);
    enter(c, Where::kInFlight, e.until);
    c.r.set_receive_count(c.r.receive_count() + 1);
    if (c.r.has_notes) note(c).delivered_at = e.at;
  }
  void finish(Change& c, const Final& final, Timestamp at, std::string_view reason) {
    leave(c);
    move(c.event, c.r, final.status);
    c.r.result = final.result;
    c.r.failure = final.failure;
    enter(c, Where::kDone, at);
    if (final.result == ResultCode::kFailedRetriesExhausted) {
      ++s_.dead_letters;
      s_.dead.insert({at.us, c.number});
    }
    if (c.r.has_notes) count_redriven(c, final.status);
    if (!reason.empty()) note(c).final_reason = reason;
    if (!c.event.webhook.url.empty()) s_.add_webhook(c.number, c.r, at);
  }
  /// Tells the redrive that put it back, if that is the newest, how it ended.
  void count_redriven(Change& c, RequestStatus status) {
    const Notes& notes = note(c);
    if (notes.rounds.empty() || !s_.redrive || notes.rounds.back().redrive != s_.redrive->id) return;
    s_.digest -= s_.hash_redrive();
    ++(status == RequestStatus::kSucceeded  ? s_.redrive->succeeded
       : status == RequestStatus::kRejected ? s_.redrive->rejected
                                            : s_.redrive->failed);
    s_.digest += s_.hash_redrive();
  }
  void leave_the_dead(std::uint64_t number, const Record& r) {
    CHECK(MachineState::is_dead(r) && s_.dead.erase({r.until_us, number}) == 1);
    --s_.dead_letters;
  }
  /// A dead letter is QUEUED again, with all its tries.
  void put_back(Change& c, Timestamp at) {
    leave_the_dead(c.number, c.r);
    s_.supersede_webhook(c.number);  // it will have another end to tell
    Notes& notes = note(c);
    const Timestamp dead_at{c.r.until_us};
    std::string reason = std::exchange(notes.final_reason, {});
    if (notes.attempts_noted() < c.r.receive_count()) add_attempt(c, dead_at, Note::Cause::kLast, reason);
    if (notes.rounds.size() == limits::kMaxRedrivesKept) notes.rounds.erase(notes.rounds.begin());
    notes.rounds.push_back({s_.redrive->id, {c.r.started_at_us}, dead_at, at, std::move(reason)});
    ++notes.redrives;
    notes.receive_base = c.r.receive_count();
    move(c.event, c.r, RequestStatus::kQueued);
    c.r.result = ResultCode::kNone;
    c.r.failure = FailureClass::kNone;
    c.r.started_at_us = 0;
    enter(c, Where::kRedriven, {});
  }
  void add_attempt(Change& c, Timestamp at, Note::Cause cause, std::string_view reason) {
    Notes& notes = note(c);
    if (notes.attempts.size() == limits::kMaxAttemptsKept) {
      notes.attempts.erase(notes.attempts.begin());
      ++notes.attempts_dropped;
    }
    const Timestamp started = notes.delivered_at ? notes.delivered_at : Timestamp{c.r.started_at_us};
    notes.attempts.push_back({at, cause, std::string(reason), started});
  }
  Notes& note(Change& c) {
    c.r.has_notes = true;
    return s_.notes[c.number];
  }

  void leave(Change& c) {
    switch (c.r.where) {
      case Where::kLine:
        CHECK(c.event.head == c.number);
        c.event.head = c.r.next();
        return;
      case Where::kInFlight: {
        const auto lease = s_.leases.find(c.r.until_us);
        CHECK(lease != s_.leases.end());
        if (--lease->second.live == 0) s_.leases.erase(lease);
        --s_.in_flight;
        return;
      }
      case Where::kDelayed:
        CHECK(s_.delayed.erase({c.r.until_us, c.number}) == 1);
        return;
      case Where::kVisible:
        CHECK(c.event.visible.erase(c.number) == 1);
        --s_.visible_again;
        return;
      case Where::kRedriven:
        CHECK(c.event.redriven.erase(c.number) == 1);
        return;
      case Where::kDone:
        break;
    }
    CHECK(false);
  }
  void enter(Change& c, Where where, Timestamp until) {
    c.r.where = where;
    c.r.until_us = until.us;
    switch (where) {
      case Where::kInFlight: {
        Lease& lease = s_.leases[until.us];
        lease.numbers.push_back(c.number);
        ++lease.live;
        ++s_.in_flight;
        return;
      }
      case Where::kDelayed:
        s_.delayed.insert({until.us, c.number});
        return;
      case Where::kVisible:
        c.event.visible.insert(c.number);
        ++s_.visible_again;
        return;
      case Where::kRedriven:
        c.event.redriven.insert(c.number);
        return;
      case Where::kLine:
      case Where::kDone:
        return;
    }
  }

  void forget_first(std::uint32_t index, EventState& event) {
    const std::uint64_t number = event.first;
    CHECK(number != 0);
    Record& r = s_.requests.at(number);
    CHECK(is_final(r.status));
    const PersonKey person = person_key(s_.seed, index, s_.requests.user_id(number, r));
    s_.digest -= s_.hash(number, r) + s_.hash_person(number, person, s_.requests.body(number, r));
    if (r.has_notes) {
      const auto notes = s_.notes.find(number);
      s_.digest -= s_.hash(number, notes->second);
      s_.notes.erase(notes);
    }
    if (MachineState::is_dead(r)) leave_the_dead(number, r);
    s_.forget_webhooks(number);
    --count_of(event.counts, r.status);
    ++count_of(event.retired, r.status);
    event.first = r.next();
    if (event.first == 0) event.last = 0;
    const bool was_there = s_.people.remove(person, number);
    CHECK(was_there);
    s_.requests.remove(number);
  }

  void index_touched() {
    for (const std::uint32_t event : touched_) {
      s_.events[event]->touched = false;
      s_.index(event);
    }
    touched_.clear();
  }

  MachineState& s_;
  std::vector<std::uint32_t> touched_;
};

template <class Key>
void replace_in(std::set<std::pair<Key, std::uint32_t>>& set, std::uint32_t event, Key& key, Key now) {
  if (key == now) return;
  if (key != Key{}) set.erase({key, event});
  if (now != Key{}) set.insert({now, event});
  key = now;
}

}  // namespace

void MachineState::index(std::uint32_t number) {
  EventState& e = *events[number];
  const std::uint64_t first_visible = e.visible.empty() ? 0 : *e.visible.begin();
  const std::uint64_t first = e.first_without_place();
  const bool first_is_closed = first != 0 && is_closed_for(e, requests.at(first));
  const std::uint64_t next =
      next_in_line(first_visible, first, first_is_closed, e.kept(), e.taken(), e.capacity_total);
  replace_in(ready_of(e.work), number, e.ready_key, next);
  // The oldest that waits: a retry is older than the line, but not always than one that was redriven.
  const bool retry_is_oldest = first_visible != 0 && (e.redriven.empty() || first_visible < first);
  replace_in(waiting, number, e.waiting_key, retry_is_oldest ? first_visible : first);
  Timestamp purge;
  if (e.first != 0 && e.closes_at) {
    const Record& oldest = requests.at(e.first);
    const bool told = e.webhooks_due.empty() || !webhook_pending(e.first);
    if (is_final(oldest.status) && told) purge = std::max(e.closes_at, Timestamp{oldest.until_us});
  }
  replace_in(purgeable, number, e.purge_key, purge.us);
}

void Machine::evolve(const Event& event) { std::visit(Evolver(*state_), event); }

}  // namespace spillway::intake
