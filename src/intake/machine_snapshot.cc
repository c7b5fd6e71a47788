// save() and load(). Layout: blocks of `u32 size, bytes`; the entries in them follow each other without
// regard to the ends of blocks' contents (an entry never spans two). First the header, then the events by
// index, then the requests by number, then the redrive if there was one, then the webhooks, then the digest
// of it all and the seal. Links, counts of kept requests and indexes are made anew.

#include <fmt/core.h>

#include "base/blocks.h"
#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

// Read as well: 1, from before there were redrives; 2, from before events had kinds of work; 3, from before
// there were webhooks.
constexpr std::uint8_t kSnapshotVersion = 4;

constexpr unsigned kDiscarded = 0x80;  // beside the failure class

/// Over the times that are told and in no digest (Note::started_at): damage to them must show as well.
class Seal {
 public:
  void add(Timestamp t) {
    value_ = (value_ ^ static_cast<std::uint64_t>(t.us)) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 29;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 1;
};

void write_event(ByteWriter w, const EventState& e) {
  w.string(e.id);
  w.string(e.title);
  w.varint(e.capacity_total);
  w.i64(e.opens_at.us);
  w.i64(e.closes_at.us);
  w.u8(static_cast<std::uint8_t>(e.policy));
  for (const std::uint64_t n : e.retired) w.varint(n);
  w.u8(static_cast<std::uint8_t>(e.work));
  w.string(e.webhook.url);
  w.string(e.webhook.secret_name);
}

void write_request(ByteWriter w, const MachineState& s, std::uint64_t number, const Record& r, Seal& seal) {
  w.varint(number);
  w.varint(r.event);
  w.i64(r.queued_at_us);
  w.i64(r.started_at_us);
  w.i64(r.until_us);
  w.varint(r.receive_count());
  w.u8(static_cast<std::uint8_t>(r.status));
  w.u8(static_cast<std::uint8_t>(r.result));
  w.u8(static_cast<std::uint8_t>(r.where));
  w.u8(static_cast<std::uint8_t>(static_cast<unsigned>(r.failure) | (r.discarded ? kDiscarded : 0)));
  w.string(s.requests.user_id(number, r));
  w.string(s.requests.body(number, r));
  const Notes* notes = s.notes_of(number, r);
  w.u8(notes == nullptr ? 0 : 1);
  if (notes == nullptr) return;
  w.varint(notes->attempts.size());
  for (const Note& note : notes->attempts) {
    w.i64(note.at.us);
    w.u8(static_cast<std::uint8_t>(note.cause));
    w.string(note.reason);
    w.i64(note.started_at.us);
    seal.add(note.started_at);
  }
  w.string(notes->final_reason);
  w.varint(notes->attempts_dropped);
  w.varint(notes->receive_base);
  w.varint(notes->redrives);
  w.i64(notes->delivered_at.us);
  seal.add(notes->delivered_at);
  w.varint(notes->rounds.size());
  for (const Round& round : notes->rounds) {
    w.varint(round.redrive);
    w.i64(round.started_at.us);
    w.i64(round.dead_at.us);
    w.i64(round.redriven_at.us);
    w.string(round.reason);
  }
  w.u8(notes->discard ? 1 : 0);
  if (!notes->discard) return;
  w.i64(notes->discard->at.us);
  w.string(notes->discard->by);
  w.string(notes->discard->reason);
}

void write_redrive(ByteWriter w, const RedriveStatus& r) {
  w.varint(r.id);
  w.u8(static_cast<std::uint8_t>(r.state));
  w.u32(r.filter.event);
  w.u8(r.filter.named ? 1 : 0);
  w.varint(r.filter.numbers.size());
  for (const std::uint64_t number : r.filter.numbers) w.varint(number);
  w.u8(static_cast<std::uint8_t>(r.filter.failure));
  w.string(r.filter.reason);
  w.i64(r.filter.dead_before.us);
  w.u32(r.rate);
  w.u32(r.stop_after);
  for (const std::uint64_t n :
       {r.matching, r.until.second, r.looked_up_to.second, r.redriven, r.succeeded, r.rejected, r.failed}) {
    w.varint(n);
  }
  for (const std::int64_t t :
       {r.until.first, r.looked_up_to.first, r.paid_until.us, r.started_at.us, r.finished_at.us}) {
    w.i64(t);
  }
}

void write_webhook(ByteWriter w, std::uint64_t id, const WebhookDelivery& d) {
  w.varint(id);
  w.varint(d.number);
  w.u8(static_cast<std::uint8_t>(d.state));
  w.u8(static_cast<std::uint8_t>(d.status));
  w.u8(static_cast<std::uint8_t>(d.result));
  w.u8(d.superseded ? 1 : 0);
  w.varint(d.attempts);
  w.varint(d.attempts_old);
  w.varint(d.last_status);
  w.string(d.last_reason);
  w.i64(d.created_at.us);
  w.i64(d.since.us);
  w.i64(d.until.us);
}

/// Everything but the digest, which is compared at the end: what is checked here is what would break on the
/// way.
class Loader {
 public:
  Loader(MachineState& s, BlockReader& blocks) : s_(s), blocks_(blocks) {}

  bool run() {
    ByteReader& header = blocks_.entry();
    version_ = header.u8();
    if (!knows_version()) return false;
    s_.seeded = flag(header);
    for (std::uint8_t& byte : s_.seed) byte = header.u8();
    s_.paused = flag(header);
    const std::uint64_t last = header.varint();
    const std::uint64_t events = header.varint();
    const std::uint64_t requests = header.varint();
    const bool has_redrive = version_ >= 2 && flag(header);
    if (version_ >= 4) s_.webhooks.last = header.varint();
    const std::uint64_t webhooks = version_ >= 4 ? header.varint() : 0;
    if (!ok() || last > kMaxRequestNumber || requests > last) return false;
    for (std::uint64_t i = 0; i < events; ++i) {
      if (!event(blocks_.entry())) return false;
    }
    for (std::uint64_t i = 0; i < requests; ++i) {
      if (!request(blocks_.entry(), last)) return false;
    }
    if (has_redrive && !redrive(blocks_.entry())) return false;
    for (std::uint64_t i = 0; i < webhooks; ++i) {
      if (!webhook(blocks_.entry())) return false;
    }
    s_.requests.set_last(last);
    for (std::uint32_t i = 0; i < s_.events.size(); ++i) s_.index(i);
    ByteReader& end = blocks_.entry();
    s_.digest = end.u64();
    if (version_ >= 2 && end.u64() != seal_.value()) return false;
    return blocks_.at_end();
  }

  std::uint8_t version() const { return version_; }
  bool knows_version() const { return version_ >= 1 && version_ <= kSnapshotVersion; }

 private:
  bool ok() const { return valid_ && blocks_.ok(); }
  bool flag(ByteReader& r) {
    const std::uint8_t value = r.u8();
    valid_ = valid_ && value <= 1;
    return value == 1;
  }

  bool event(ByteReader& r) {
    auto event = std::make_unique<EventState>();
    event->id = r.string();
    event->title = r.string();
    event->capacity_total = r.varint();
    event->opens_at = {r.i64()};
    event->closes_at = {r.i64()};
    const std::uint8_t policy = r.u8();
    event->policy = static_cast<Policy>(policy);
    for (std::uint64_t& n : event->retired) n = r.varint();
    const std::uint8_t work = version_ >= 3 ? r.u8() : 0;
    event->work = static_cast<WorkKind>(work);
    if (version_ >= 4) {
      event->webhook.url = r.string();
      event->webhook.secret_name = r.string();
    }
    if (!ok() || work >= kWorkKinds || policy != static_cast<std::uint8_t>(Policy::kFirstCome)) return false;
    if (!s_.event_index.emplace(event->id, static_cast<std::uint32_t>(s_.events.size())).second) return false;
    s_.events.push_back(std::move(event));
    return true;
  }

  bool request(ByteReader& r, std::uint64_t last) {
    const std::uint64_t number = r.varint();
    const std::uint64_t event_index = r.varint();
    const Timestamp queued_at{r.i64()}, started_at{r.i64()}, until{r.i64()};
    const std::uint64_t receive_count = r.varint();
    const std::uint8_t status = r.u8(), result = r.u8(), where = r.u8(), failure_and_flag = r.u8();
    const bool discarded = version_ >= 2 && (failure_and_flag & kDiscarded) != 0;
    const auto failure =
        static_cast<std::uint8_t>(discarded ? failure_and_flag & ~kDiscarded : failure_and_flag);
    const std::string_view user_id = r.string(), body = r.string();
    const bool has_notes = flag(r);
    if (!ok() || number <= s_.requests.last() || number > last || event_index >= s_.events.size() ||
        receive_count >= 1 << 24 || user_id.empty() || user_id.size() > UINT8_MAX ||
        body.size() > UINT16_MAX || !fits(status, result, where, failure)) {
      return false;
    }
    const auto event = static_cast<std::uint32_t>(event_index);
    const PersonKey person = person_key(s_.seed, event, user_id);
    if (s_.find_person(person) != 0) return false;
    s_.people.add(person, number);
    Record& record = s_.requests.add(number, user_id, body);
    record.queued_at_us = queued_at.us;
    record.started_at_us = started_at.us;
    record.until_us = until.us;
    record.event = event;
    record.status = static_cast<RequestStatus>(status);
    record.result = static_cast<ResultCode>(result);
    record.where = static_cast<Where>(where);
    record.failure = static_cast<FailureClass>(failure);
    record.has_notes = has_notes;
    record.discarded = discarded;
    record.set_receive_count(static_cast<std::uint32_t>(receive_count));
    put_in_line(number, record);
    return !has_notes || notes(r, s_.notes[number]);
  }

  static bool fits(std::uint8_t status, std::uint8_t result, std::uint8_t where, std::uint8_t failure) {
    if (status < 2 || status > 6 || result > 7 || where > 5 || failure > 2) return false;
    const auto s = static_cast<RequestStatus>(status);
    const auto w = static_cast<Where>(where);
    return (s == RequestStatus::kQueued) == (w == Where::kLine || w == Where::kRedriven) &&
           is_final(s) == (w == Where::kDone);
  }

  bool notes(ByteReader& r, Notes& notes) {
    const std::uint64_t attempts = r.varint();
    for (std::uint64_t i = 0; i < attempts && blocks_.ok(); ++i) {
      const Timestamp at{r.i64()};
      const std::uint8_t cause = r.u8();
      const std::string_view reason = r.string();
      const Timestamp started{version_ >= 2 ? r.i64() : 0};
      seal_.add(started);
      if (cause > 4) return false;
      notes.attempts.push_back({at, static_cast<Note::Cause>(cause), std::string(reason), started});
    }
    notes.final_reason = r.string();
    if (version_ < 2) return blocks_.ok();
    notes.attempts_dropped = static_cast<std::uint32_t>(r.varint());
    notes.receive_base = static_cast<std::uint32_t>(r.varint());
    notes.redrives = static_cast<std::uint32_t>(r.varint());
    notes.delivered_at = {r.i64()};
    seal_.add(notes.delivered_at);
    const std::uint64_t rounds = r.varint();
    for (std::uint64_t i = 0; i < rounds && blocks_.ok(); ++i) {
      Round& round = notes.rounds.emplace_back();
      round.redrive = r.varint();
      round.started_at = {r.i64()};
      round.dead_at = {r.i64()};
      round.redriven_at = {r.i64()};
      round.reason = r.string();
    }
    if (flag(r)) {
      const Timestamp at{r.i64()};
      const std::string_view by = r.string(), reason = r.string();
      notes.discard = Discard{at, std::string(by), std::string(reason)};
    }
    return ok();
  }

  bool redrive(ByteReader& r) {
    RedriveStatus& redrive = s_.redrive.emplace();
    redrive.id = r.varint();
    const std::uint8_t state = r.u8();
    redrive.filter.event = r.u32();
    redrive.filter.named = flag(r);
    const std::uint64_t named = r.varint();
    for (std::uint64_t i = 0; i < named && blocks_.ok(); ++i) redrive.filter.numbers.push_back(r.varint());
    const std::uint8_t failure = r.u8();
    redrive.filter.reason = r.string();
    redrive.filter.dead_before = {r.i64()};
    redrive.rate = r.u32();
    redrive.stop_after = r.u32();
    for (std::uint64_t* n : {&redrive.matching, &redrive.until.second, &redrive.looked_up_to.second,
                             &redrive.redriven, &redrive.succeeded, &redrive.rejected, &redrive.failed}) {
      *n = r.varint();
    }
    for (std::int64_t* t : {&redrive.until.first, &redrive.looked_up_to.first, &redrive.paid_until.us,
                            &redrive.started_at.us, &redrive.finished_at.us}) {
      *t = r.i64();
    }
    redrive.state = static_cast<RedriveState>(state);
    redrive.filter.failure = static_cast<FailureClass>(failure);
    return ok() && state >= 1 && state <= 4 && failure <= 2 && redrive.rate >= 1 &&
           (redrive.filter.event == DeadFilter::kAnyEvent || redrive.filter.event < s_.events.size());
  }

  bool webhook(ByteReader& r) {
    const std::uint64_t id = r.varint();
    WebhookDelivery d;
    d.number = r.varint();
    const std::uint8_t state = r.u8(), status = r.u8(), result = r.u8();
    d.superseded = flag(r);
    const std::uint64_t attempts = r.varint(), old = r.varint(), last_status = r.varint();
    d.last_reason = r.string();
    d.created_at = {r.i64()};
    d.since = {r.i64()};
    d.until = {r.i64()};
    const std::uint64_t before = s_.webhooks.all.empty() ? 0 : s_.webhooks.all.rbegin()->first;
    if (!ok() || state < 1 || state > static_cast<std::uint8_t>(WebhookState::kGivenUp) || id <= before ||
        id > s_.webhooks.last || old > attempts || attempts > UINT32_MAX || last_status > UINT32_MAX ||
        status < 4 || status > 6 || result > 7 || s_.requests.find(d.number) == nullptr)
      return false;
    d.state = static_cast<WebhookState>(state);
    d.status = static_cast<RequestStatus>(status);
    d.result = static_cast<ResultCode>(result);
    d.attempts = static_cast<std::uint32_t>(attempts);
    d.attempts_old = static_cast<std::uint32_t>(old);
    d.last_status = static_cast<std::uint32_t>(last_status);
    s_.index_webhook(id, s_.webhooks.all.emplace(id, std::move(d)).first->second);
    return true;
  }

  void put_in_line(std::uint64_t number, Record& record) {
    EventState& event = *s_.events[record.event];
    record.ordinal = static_cast<std::uint32_t>(event.accepted() + 1);
    ++count_of(event.counts, record.status);
    if (event.last != 0) s_.requests.at(event.last).set_next(number);
    event.last = number;
    if (event.first == 0) event.first = number;
    if (MachineState::is_dead(record)) {
      ++s_.dead_letters;
      s_.dead.insert({record.until_us, number});
    }
    switch (record.where) {
      case Where::kLine:
        if (event.head == 0) event.head = number;
        ++s_.queued;
        return;
      case Where::kInFlight: {
        Lease& lease = s_.leases[record.until_us];
        lease.numbers.push_back(number);
        ++lease.live;
        ++s_.in_flight;
        return;
      }
      case Where::kDelayed:
        s_.delayed.insert({record.until_us, number});
        return;
      case Where::kVisible:
        event.visible.insert(number);
        ++s_.visible_again;
        return;
      case Where::kRedriven:
        event.redriven.insert(number);
        ++s_.queued;
        return;
      case Where::kDone:
        return;
    }
  }

  MachineState& s_;
  BlockReader& blocks_;
  bool valid_ = true;
  std::uint8_t version_ = 0;
  Seal seal_;
};

}  // namespace

void Machine::save(const std::function<void(std::string_view)>& write) const {
  const MachineState& s = *state_;
  BlockWriter blocks(write);
  Seal seal;
  ByteWriter header = blocks.entry();
  header.u8(kSnapshotVersion);
  header.u8(s.seeded ? 1 : 0);
  for (const std::uint8_t byte : s.seed) header.u8(byte);
  header.u8(s.paused ? 1 : 0);
  header.varint(s.requests.last());
  header.varint(s.events.size());
  header.varint(s.requests.size());
  header.u8(s.redrive ? 1 : 0);
  header.varint(s.webhooks.last);
  header.varint(s.webhooks.all.size());
  for (const auto& event : s.events) write_event(blocks.entry(), *event);
  s.requests.for_each(
      [&](std::uint64_t number, const Record& r) { write_request(blocks.entry(), s, number, r, seal); });
  if (s.redrive) write_redrive(blocks.entry(), *s.redrive);
  for (const auto& [id, delivery] : s.webhooks.all) write_webhook(blocks.entry(), id, delivery);
  ByteWriter end = blocks.entry();
  end.u64(s.digest);
  end.u64(seal.value());
  blocks.flush();
}

Status Machine::load(const std::function<bool(char*, std::size_t)>& read) {
  MachineState& s = *state_;
  CHECK(!s.seeded && s.events.empty() && s.requests.last() == 0);
  BlockReader blocks(read);
  Loader loader(s, blocks);
  if (!loader.run()) {
    if (blocks.ok() && !loader.knows_version()) {
      return Error{
          ErrorCode::kInternal,
          fmt::format("intake: snapshot version {} is not known to this program, which knows 1 to {}",
                      loader.version(), kSnapshotVersion)};
    }
    return Error{ErrorCode::kInternal, "intake: the snapshot cannot be read by this program"};
  }
  if (recompute_digest() != s.digest) {
    return Error{ErrorCode::kInternal, "intake: the snapshot is not what was saved: its digest differs"};
  }
  return Ok{};
}

}  // namespace spillway::intake
