// The digest: a sum over all requests and participation events of a hash of each, so that keeping it costs
// two hashes a change. Everything logical is in it; what is derived (links, counts, indexes) is compared by
// recompute_digest().

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "intake/machine_state.h"

namespace spillway::intake {
namespace {

// Told apart, so that a request cannot stand for an event.
enum Domain : std::uint64_t {
  kRequest = 1,
  kEvent = 2,
  kPerson = 3,
  kNotes = 4,
  kGlobals = 5,
  kRedrive = 6,
  kWebhook = 7
};
constexpr std::uint64_t kPerNumber = 0x9e3779b97f4a7c15;

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}
template <std::size_t n>
std::uint64_t hash_words(const std::uint64_t (&words)[n], std::uint64_t seed) {
  return XXH3_64bits_withSeed(words, sizeof words, seed);
}

/// Goes along all requests and compares what is derived from them.
class Recount {
 public:
  explicit Recount(const MachineState& s) : s_(s), lines_(s.events.size()) {}

  void add(std::uint64_t number, const Record& r) {
    if (r.event >= lines_.size()) return fail();
    const EventState& event = *s_.events[r.event];
    Line& line = lines_[r.event];
    if (line.first == 0) line.first = number;
    if (line.last != 0 && s_.requests.at(line.last).next() != number) fail();
    line.last = number;
    ++count_of(line.counts, r.status);
    if (r.ordinal != total_of(event.retired) + total_of(line.counts)) fail();
    if (r.where == Where::kLine && line.head == 0) line.head = number;
    if (line.head != 0 && r.where != Where::kLine) fail();
    if (r.where == Where::kVisible && !event.visible.contains(number)) fail();
    if (r.where == Where::kRedriven && !event.redriven.contains(number)) fail();
    if (r.where == Where::kDelayed && !s_.delayed.contains({r.until_us, number})) fail();
    if (r.where == Where::kInFlight && !s_.leases.contains(r.until_us)) fail();
    ++where_[static_cast<std::size_t>(r.where)];
    if (MachineState::is_dead(r)) {
      ++dead_letters_;
      if (!s_.dead.contains({r.until_us, number})) fail();
    }
    if (s_.find_person(person_key(s_.seed, r.event, s_.requests.user_id(number, r))) != number) fail();
  }
  bool agrees() {
    std::size_t visible = 0;
    std::size_t redriven = 0;
    std::size_t requests = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const EventState& event = *s_.events[i];
      const Line& line = lines_[i];
      if (line.first != event.first || line.head != event.head || line.counts != event.counts) fail();
      if (line.last != event.last || (line.last != 0 && s_.requests.at(line.last).next() != 0)) fail();
      visible += event.visible.size();
      redriven += event.redriven.size();
      requests += total_of(line.counts);
    }
    std::size_t leased = 0;
    for (const auto& [deadline, lease] : s_.leases) leased += lease.live;
    const auto in = [&](Where where) { return where_[static_cast<std::size_t>(where)]; };
    return agrees_ && in(Where::kLine) + in(Where::kRedriven) == s_.queued &&
           in(Where::kRedriven) == redriven && s_.dead.size() == dead_letters_ &&
           in(Where::kVisible) == visible && visible == s_.visible_again && in(Where::kInFlight) == leased &&
           leased == s_.in_flight && in(Where::kDelayed) == s_.delayed.size() &&
           dead_letters_ == s_.dead_letters && requests == s_.requests.size() && requests == s_.people.size();
  }

 private:
  struct Line {
    std::uint64_t first = 0, last = 0, head = 0;
    Counts counts{};
  };
  void fail() { agrees_ = false; }

  const MachineState& s_;
  std::vector<Line> lines_;
  std::array<std::size_t, 8> where_{};
  std::uint64_t dead_letters_ = 0;
  bool agrees_ = true;
};

}  // namespace

std::uint64_t MachineState::hash(std::uint64_t number, const Record& r) const {
  const std::uint64_t words[] = {
      number,
      static_cast<std::uint64_t>(r.queued_at_us),
      static_cast<std::uint64_t>(r.started_at_us),
      static_cast<std::uint64_t>(r.until_us),
      std::uint64_t{r.event} << 32 | r.ordinal,
      std::uint64_t{r.receive_count()} << 32 | static_cast<std::uint64_t>(r.status) << 24 |
          static_cast<std::uint64_t>(r.result) << 16 | static_cast<std::uint64_t>(r.where) << 8 |
          static_cast<std::uint64_t>(r.discarded) << 7 | static_cast<std::uint64_t>(r.failure)};
  return hash_words(words, kRequest);
}

std::uint64_t MachineState::hash(const EventState& e) const {
  std::uint64_t words[12] = {hash_text(e.id, kEvent), hash_text(e.title, kEvent), e.capacity_total,
                             static_cast<std::uint64_t>(e.opens_at.us),
                             static_cast<std::uint64_t>(e.closes_at.us)};
  for (std::size_t i = 1; i < e.retired.size(); ++i) words[4 + i] = e.retired[i];
  words[11] = static_cast<std::uint64_t>(e.policy) | static_cast<std::uint64_t>(e.work) << 8;
  const std::uint64_t hash = hash_words(words, kEvent);
  if (e.webhook == Webhook{}) return hash;  // as it was before there were any
  const std::uint64_t more[] = {hash, hash_text(e.webhook.url, kEvent),
                                hash_text(e.webhook.secret_name, kEvent)};
  return hash_words(more, kEvent);
}

std::uint64_t MachineState::hash(std::uint64_t id, const WebhookDelivery& d) const {
  const std::uint64_t words[] = {id,
                                 d.number,
                                 static_cast<std::uint64_t>(d.state) << 24 |
                                     static_cast<std::uint64_t>(d.status) << 16 |
                                     static_cast<std::uint64_t>(d.result) << 8 | (d.superseded ? 1U : 0U),
                                 std::uint64_t{d.attempts} << 32 | d.last_status,
                                 d.attempts_old,
                                 hash_text(d.last_reason, kWebhook),
                                 static_cast<std::uint64_t>(d.created_at.us),
                                 static_cast<std::uint64_t>(d.since.us),
                                 static_cast<std::uint64_t>(d.until.us)};
  return hash_words(words, kWebhook);
}

std::uint64_t MachineState::hash_last_webhook() const {
  const std::uint64_t words[] = {webhooks.last};
  return webhooks.last == 0 ? 0 : hash_words(words, kWebhook);
}

std::uint64_t MachineState::hash_person(std::uint64_t number, const PersonKey& key,
                                        std::string_view body) const {
  const std::uint64_t words[] = {number, key.low, key.high, body.empty() ? 0 : hash_text(body, kPerson)};
  return hash_words(words, kPerson);
}

std::uint64_t MachineState::hash(std::uint64_t number, const Notes& of) const {
  std::uint64_t sum = hash_text(of.final_reason, kNotes);
  for (const Note& note : of.attempts) {
    const std::uint64_t words[] = {sum, static_cast<std::uint64_t>(note.at.us),
                                   static_cast<std::uint64_t>(note.cause), hash_text(note.reason, kNotes)};
    sum = hash_words(words, kNotes);
  }
  // What only redriven and discarded requests have; for the others the digest is as it always was, which old
  // journals are compared with.
  for (const Round& round : of.rounds) {
    const std::uint64_t words[] = {sum,
                                   round.redrive,
                                   static_cast<std::uint64_t>(round.started_at.us),
                                   static_cast<std::uint64_t>(round.dead_at.us),
                                   static_cast<std::uint64_t>(round.redriven_at.us),
                                   hash_text(round.reason, kNotes)};
    sum = hash_words(words, kNotes);
  }
  if (of.redrives != 0 || of.receive_base != 0 || of.attempts_dropped != 0) {
    const std::uint64_t words[] = {sum, of.redrives, of.receive_base, of.attempts_dropped};
    sum = hash_words(words, kNotes);
  }
  if (of.discard) {
    const std::uint64_t words[] = {sum, static_cast<std::uint64_t>(of.discard->at.us),
                                   hash_text(of.discard->by, kNotes), hash_text(of.discard->reason, kNotes)};
    sum = hash_words(words, kNotes);
  }
  const std::uint64_t words[] = {number, sum};
  return hash_words(words, kNotes);
}

std::uint64_t MachineState::hash_redrive() const {
  if (!redrive) return 0;
  const RedriveStatus& r = *redrive;
  std::uint64_t named = r.filter.named ? 1 : 0;
  for (const std::uint64_t number : r.filter.numbers) {
    const std::uint64_t words[] = {named, number};
    named = hash_words(words, kRedrive);
  }
  const std::uint64_t words[] = {r.id,
                                 static_cast<std::uint64_t>(r.state),
                                 r.filter.event,
                                 named,
                                 static_cast<std::uint64_t>(r.filter.failure),
                                 hash_text(r.filter.reason, kRedrive),
                                 static_cast<std::uint64_t>(r.filter.dead_before.us),
                                 std::uint64_t{r.rate} << 32 | r.stop_after,
                                 r.matching,
                                 static_cast<std::uint64_t>(r.until.first),
                                 r.until.second,
                                 static_cast<std::uint64_t>(r.looked_up_to.first),
                                 r.looked_up_to.second,
                                 static_cast<std::uint64_t>(r.paid_until.us),
                                 r.redriven,
                                 r.succeeded,
                                 r.rejected,
                                 r.failed,
                                 static_cast<std::uint64_t>(r.started_at.us),
                                 static_cast<std::uint64_t>(r.finished_at.us)};
  return hash_words(words, kRedrive);
}

std::uint64_t MachineState::hash_globals() const {
  std::uint64_t words[4] = {0, 0, seeded ? 1u : 0u, paused ? 1u : 0u};
  static_assert(sizeof seed == 2 * sizeof words[0]);
  std::memcpy(words, seed.data(), sizeof seed);
  return hash_words(words, kGlobals) + requests.last() * kPerNumber;
}

std::uint64_t MachineState::hash_next_number() { return kPerNumber; }

std::uint64_t Machine::digest() const { return state_->digest; }

std::uint64_t Machine::recompute_digest() const {
  const MachineState& s = *state_;
  std::uint64_t sum = s.hash_globals() + s.hash_redrive() + s.hash_last_webhook();
  for (const auto& [id, delivery] : s.webhooks.all) sum += s.hash(id, delivery);
  for (const auto& event : s.events) sum += s.hash(*event);
  Recount recount(s);
  s.requests.for_each([&](std::uint64_t number, const Record& r) {
    recount.add(number, r);
    sum += s.hash(number, r);
    const PersonKey person = person_key(s.seed, r.event, s.requests.user_id(number, r));
    sum += s.hash_person(number, person, s.requests.body(number, r));
    if (const Notes* notes = s.notes_of(number, r)) sum += s.hash(number, *notes);
  });
  return recount.agrees() && s.webhooks_indexed() ? sum : ~sum;
}

}  // namespace spillway::intake
