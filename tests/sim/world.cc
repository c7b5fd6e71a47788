#include "world.h"

#include <algorithm>

#include "text.h"

namespace spillway::intake::sim {
namespace {

constexpr Timestamp kStart{1'800'000'000 * kSecond};
constexpr Micros kVisibility = 30 * kSecond;
constexpr std::size_t kTraceLines = 40;
constexpr std::size_t kOpenEvents = 5;

Rules rules() {
  return {.max_receive_count = 4,
          .retention_us = 600 * kSecond,
          .max_requests = 600,
          .max_body_bytes = 900,
          .webhook_max_age_us = 400 * kSecond};
}
MachineConfig config(const Rules& r) {
  MachineConfig c;
  c.max_receive_count = r.max_receive_count;
  c.retention_us = r.retention_us;
  c.max_requests = r.max_requests;
  c.max_body_bytes = r.max_body_bytes;
  c.webhook_max_age_us = r.webhook_max_age_us;
  return c;
}
Seed id_seed(std::uint64_t seed) {
  Seed id{};
  for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<std::uint8_t>(seed >> 8 * i);
  return id;
}

}  // namespace

World::World(std::uint64_t seed, Plant& plant)
    : random_(seed),
      now_(kStart),
      seed_(id_seed(seed)),
      rules_(rules()),
      subject_(config(rules_), seed_, plant),
      model_(rules_, seed_),
      base_(model_) {}

void World::step() {
  ++tally_.steps;
  const std::uint64_t dice = random(1'000);
  if (events_.size() < kOpenEvents || dice < 3) {
    open_another();
  } else if (dice < 500) {
    people_join();
  } else if (dice < 600) {
    workers_receive();
  } else if (dice < 740) {
    workers_complete();
  } else if (dice < 760) {
    workers_extend();
  } else if (dice < 840) {
    clock_moves();
  } else if (dice < 890) {
    // In small pieces what a redrive does depends on what expires beside it: the model does whole rounds.
    const bool pieces = !model_.redrive_runs() || model_.nothing_expires(now_);
    due(pieces && one_in(3) ? 1 + random(5) : 10'000);
  } else if (dice < 920) {
    someone_asks();
  } else if (dice < 930) {
    operator_lists();
  } else if (dice < 945) {
    operator_puts_event();
  } else if (dice < 948) {
    set_paused(one_in(3));
  } else if (dice < 950) {
    backend_breaks();
  } else if (dice < 952) {
    operator_redrives();
  } else if (dice < 953) {
    one_in(3) ? operator_stops_redrive() : operator_discards();
  } else if (dice < 956) {
    operator_looks_at_dead_letters();
  } else if (dice < 966) {
    receivers_take();
  } else if (dice < 986) {
    receivers_answer();
  } else if (dice < 987) {
    operator_redelivers();
  } else if (dice < 996) {
    sync();
  } else if (dice < 998) {
    subject_.take_snapshot();
    ++tally_.snapshots;
    sync();
  } else {
    power_fails();
  }
  if (tally_.steps % 4'000 == 0) check_everything();
}

// ---- Steps ------------------------------------------------------------------------------------------------

std::string World::some_event() {
  if (one_in(50)) return "NO-SUCH";
  return events_[random(events_.size())].id;
}

void World::people_join() {
  if (one_in(60)) {
    const std::string id = some_event();
    const Participate command{id, "late comer", ""};
    const auto reply = subject_.decide(command, now_);
    note(fmt::format("{} joins {}: {}", command.user_id, id, text(reply)));
    expect_same("participate", text(reply), text(model_.participate(command, now_)));
    log([command, now = now_](Model& m) { (void)m.participate(command, now); });
    return;
  }
  const EventPlan& plan = events_[random(events_.size())];
  const Participate command{plan.id, fmt::format("user-{}", random(plan.people)),
                            one_in(8) ? R"({"seat":"A"})" : ""};
  const auto reply = subject_.decide(command, now_);
  note(fmt::format("{} joins {}: {}", command.user_id, plan.id, text(reply)));
  expect_same("participate", text(reply), text(model_.participate(command, now_)));
  log([command, now = now_](Model& m) { (void)m.participate(command, now); });
  if (!reply.ok()) {
    ++tally_.refused;
    if (reply.error().code == ErrorCode::kOverloaded) ++tally_.overloaded;
    return;
  }
  ++(reply->duplicate ? tally_.duplicates : tally_.accepted);
  // One person, one id, for as long as the event takes people.
  const auto given = given_.find({command.event_id, command.user_id});
  if (given != given_.end() && given->second != reply->request_id) {
    fail(fmt::format("{} of {} had {} and now has {}", command.user_id, command.event_id, given->second,
                     reply->request_id));
  }
}

void World::open_another() {
  EventPlan plan;
  plan.id = fmt::format("EVT-{}", next_event_++);
  plan.first_capacity = one_in(4) ? random(3) : random(120);
  plan.people = 1 + random(250);
  PutEvent command{plan.id, "event", plan.first_capacity, {}, {}};
  if (one_in(2)) command.work = WorkKind::kHttp;
  if (!one_in(3)) command.webhook = some_webhook();
  if (one_in(2)) command.opens_at = now_ + static_cast<Micros>(random(20 * kSecond));
  command.closes_at = std::max(now_, command.opens_at) + 1 + static_cast<Micros>(random(1'000 * kSecond));
  events_.push_back(plan);
  if (events_.size() > 2 * kOpenEvents) events_.erase(events_.begin());
  ++tally_.events;
  const auto reply = subject_.decide(command, now_);
  note(fmt::format("new event {}", text(reply)));
  expect_same("put_event", text(reply), text(model_.put_event(command, now_)));
  log([command, now = now_](Model& m) { (void)m.put_event(command, now); });
}

void World::operator_puts_event() {
  EventPlan& plan = events_[random(events_.size())];
  const auto before = model_.events().find(plan.id);
  if (before == model_.events().end()) return;  // lost in a crash before anybody had heard of it
  PutEvent command = before->second.as_put;
  command.work.reset();
  command.webhook.reset();
  switch (random(7)) {
    case 6:
      command.webhook = one_in(4) ? Webhook{} : some_webhook();
      break;
    case 5:
      command.work = one_in(2) ? WorkKind::kHttp : WorkKind::kCapacity;
      break;
    case 0:
      command.capacity_total += random(20);
      break;
    case 1:
      command.capacity_total -= std::min<std::uint64_t>(command.capacity_total, random(20));
      break;
    case 2:
      command.closes_at = now_ - static_cast<Micros>(random(20 * kSecond));
      break;
    case 3:
      command.closes_at = now_ + static_cast<Micros>(random(200 * kSecond));
      break;
    default:
      command.opens_at = now_ + static_cast<Micros>(random(30 * kSecond)) - 15 * kSecond;
      break;
  }
  const auto reply = subject_.decide(command, now_);
  note(fmt::format("put {}", text(reply)));
  expect_same("put_event", text(reply), text(model_.put_event(command, now_)));
  log([command, now = now_](Model& m) { (void)m.put_event(command, now); });
  if (reply.ok() && reply->capacity_total != plan.first_capacity) plan.capacity_changed = true;
}

void World::workers_receive() {
  due(10'000);
  Receive command{static_cast<std::uint32_t>(1 + random(one_in(4) ? 40 : 6)), 0, kVisibility};
  if (!calm_ && !one_in(3)) command.work = one_in(2) ? WorkKind::kHttp : WorkKind::kCapacity;
  std::set<std::uint64_t> first;
  for (const auto& [number, r] : model_.requests()) {
    if (r.status == RequestStatus::kQueued) first.insert(number);
  }
  const auto deliveries = subject_.decide(command, now_);
  note(fmt::format("receive {}: {}", command.max, text(deliveries)));
  expect_same("receive", text(deliveries), text(model_.receive(command, now_)));
  log([command, now = now_](Model& m) { m.receive(command, now); });
  check_delivered(deliveries, first);
  for (const Delivery& delivery : deliveries) {
    ++tally_.delivered;
    if (delivery.receipt.receive_count > 1) ++tally_.redelivered;
    held_.push_back({delivery, subject_.written()});
    // Workers lose some at once: they die, or the answer never reaches them.
    if (!calm_ && one_in(30)) held_.pop_back();
  }
}

Outcome World::some_outcome(const Delivery& delivery) {
  Outcome outcome{delivery.receipt, WorkResult::kSucceed, ResultCode::kNone, "", 0};
  if (calm_) return outcome;
  if (broken_ && !one_in(6)) {
    outcome.result = WorkResult::kRetry;
    outcome.retry_after_us = static_cast<Micros>(random(2 * kSecond));
    if (one_in(2)) outcome.reason = one_in(2) ? "bad gateway" : "no answer";
    return outcome;
  }
  switch (random(14)) {
    case 12:
      outcome.result = WorkResult::kReturn;
      outcome.retry_after_us = static_cast<Micros>(random(5 * kSecond));
      break;
    case 13:
      outcome.result = WorkResult::kReject;
      outcome.result_code = ResultCode::kRejectedByWork;
      break;
    case 0:
      outcome.result = WorkResult::kInvalid;
      break;
    case 1:
      outcome.result = WorkResult::kReject;
      outcome.result_code = ResultCode::kRejectedClosed;
      break;
    case 2:
    case 3:
      outcome.result = WorkResult::kRetry;
      outcome.retry_after_us = static_cast<Micros>(random(10 * kSecond));
      break;
    default:
      break;
  }
  if (one_in(3)) outcome.reason = fmt::format("reason {}", random(100));
  return outcome;
}

void World::workers_complete() {
  Complete command;
  std::vector<Held> kept;
  for (Held& held : held_) {
    const bool has_it = held.written <= subject_.durable();
    if (!has_it || !(calm_ || one_in(3))) {
      kept.push_back(std::move(held));
      continue;
    }
    command.outcomes.push_back(some_outcome(held.delivery));
    // Says it twice, or comes back with it much later, or makes something up.
    if (calm_) continue;
    if (one_in(10)) command.outcomes.push_back(some_outcome(held.delivery));
    if (one_in(10)) kept.push_back(held);
    if (one_in(200)) ++command.outcomes.back().receipt.receive_count;
    if (one_in(200)) command.outcomes.back().receipt.request_id.back() ^= 1;
  }
  held_ = std::move(kept);
  if (one_in(4)) std::shuffle(command.outcomes.begin(), command.outcomes.end(), random_);
  const Acks acks = subject_.decide(command, now_);
  note(fmt::format("complete {}: {}", command.outcomes.size(), text(acks)));
  expect_same("complete", text(acks), text(model_.complete(command, now_)));
  log([command, now = now_](Model& m) { m.complete(command, now); });
  for (const Ack ack : acks.acks) ++(ack == Ack::kApplied ? tally_.applied : tally_.stale);
}

void World::workers_extend() {
  Extend command;
  command.visibility_us = static_cast<Micros>(random(2 * kVisibility));
  for (const Held& held : held_) {
    if (held.written <= subject_.durable() && one_in(2)) command.receipts.push_back(held.delivery.receipt);
  }
  const Acks acks = subject_.decide(command, now_);
  note(fmt::format("extend {}: {}", command.receipts.size(), text(acks)));
  expect_same("extend", text(acks), text(model_.extend(command, now_)));
  log([command, now = now_](Model& m) { m.extend(command, now); });
}

void World::clock_moves() {
  const std::uint64_t dice = random(1'000);
  Micros by = static_cast<Micros>(random(2 * kSecond));
  if (dice < 40) by = static_cast<Micros>(random(2 * kVisibility));
  if (dice < 4) by = static_cast<Micros>(random(500 * kSecond));
  now_ = now_ + by;
  note(fmt::format("{} us pass", by));
}

void World::someone_asks() {
  sync();  // a read leaves when all that it saw is durable
  if (model_.last() == 0) return;
  const std::uint64_t number = 1 + random(model_.last());
  const auto known = model_.requests().find(number);
  const std::string id = request_id(seed_, number);
  if (known == model_.requests().end()) {
    expect_same("a forgotten request", text(subject_.request(id, "anyone")), "not_found");
    return;
  }
  expect_same("request", text(subject_.request(id, known->second.user)), text(model_.detail(number).view));
  expect_same("somebody else's request", text(subject_.request(id, known->second.user + "x")), "not_found");
  check_shown(number);
}

void World::operator_lists() {
  const std::string event = some_event();
  if (!model_.events().contains(event)) {
    expect_same("list", text(subject_.event(event, now_)), "not_found");
    return;
  }
  const bool filtered = one_in(2);
  check_pages(event, filtered ? std::optional(kAllStatuses[random(kAllStatuses.size())]) : std::nullopt);
  expect_same("stats", text(subject_.machine().queue_stats(now_)), text(model_.stats(now_)));
}

void World::set_paused(bool paused) {
  const QueueStats stats = subject_.set_paused(paused, now_);
  note(paused ? "pause" : "resume");
  model_.set_paused(paused);
  expect_same("pause", text(stats), text(model_.stats(now_)));
  log([paused](Model& m) { m.set_paused(paused); });
}

void World::due(std::size_t max_items) {
  subject_.due(now_, max_items);
  model_.due(now_);
  log([now = now_](Model& m) { m.due(now); });
}

void World::log(std::function<void(Model&)> command) {
  since_base_.emplace_back(subject_.written(), std::move(command));
}

void World::sync() {
  subject_.sync();
  for (const std::uint64_t number : subject_.take_changed()) check_shown(number);
  if (since_base_.size() > 2'000) {
    base_ = model_;
    since_base_.clear();
  }
}

void World::power_fails() {
  if (one_in(3)) sync();
  ++tally_.crashes;
  tally_.lost_events += subject_.written() - subject_.durable();
  note(fmt::format("power fails: {} of {} events durable", subject_.durable(), subject_.written()));
  const bool from_scratch = tally_.crashes % 100 == 0;
  const bool same = subject_.crash_and_recover(!from_scratch);
  model_ = base_;
  std::erase_if(since_base_, [&](const auto& entry) { return entry.first > subject_.durable(); });
  for (const auto& [written, command] : since_base_) command(model_);
  std::erase_if(held_, [&](const Held& held) { return held.written > subject_.durable(); });
  std::erase_if(held_hooks_, [&](const HeldHook& held) { return held.written > subject_.durable(); });
  std::erase_if(events_, [&](const EventPlan& plan) { return !model_.events().contains(plan.id); });
  remember_begun();
  redrives_ = model_.redrives();
  // First what people can see, so that a loss is told as what it is; then every bit.
  for (const auto& [person, id] : given_) {
    const auto number = request_number(seed_, id);
    const bool kept = number && model_.requests().contains(*number);
    if (kept && !subject_.machine().has(*number)) fail("lost: " + id);
  }
  if (!same) fail("what was recovered is not what was durable");
  subject_.restart(now_);
  model_.restart(now_);
  log([now = now_](Model& m) { m.restart(now); });
  check_everything();
}

void World::finish() {
  calm_ = true;
  note("faults stop");
  set_paused(false);
  for (int round = 0; !model_.all_final() || model_.redrive_runs() || model_.hooks_pending() != 0; ++round) {
    if (round > 10'000) fail("not everything comes to its end");
    now_ = now_ + kVisibility / 4;
    workers_receive();
    sync();
    workers_complete();
    receivers_take();
    sync();
    receivers_answer();
  }
  check_everything();
  for (const auto& [number, r] : model_.requests()) {
    if (!is_final(subject_.machine().summary_of(number).status)) fail(fmt::format("{} is not final", number));
  }
  for (const auto& [id, event] : model_.events()) tally_.winners += event.taken;
  tally_.dead_letters = model_.stats(now_).dead_letters;
  // And in the end all is forgotten.
  now_ = now_ + 1'000 * kSecond + 2 * rules_.retention_us;
  due(7);
  check_everything();
  if (!model_.requests().empty()) fail("something is never forgotten");
  const QueueStats stats = subject_.machine().queue_stats(now_);
  if (stats.visible + stats.in_flight + stats.delayed + stats.dead_letters != 0)
    fail("the queue is not empty");
}

// ---- Telling ----------------------------------------------------------------------------------------------

void World::note(std::string line) {
  trace_.push_back(fmt::format("{} +{:.3f}s {}", tally_.steps,
                               static_cast<double>(now_ - kStart) / static_cast<double>(kSecond),
                               std::move(line)));
  if (trace_.size() > 2 * kTraceLines) trace_.erase(trace_.begin(), trace_.begin() + kTraceLines);
}

std::string World::trace() const {
  std::string out;
  for (std::size_t i = trace_.size() > kTraceLines ? trace_.size() - kTraceLines : 0; i < trace_.size();
       ++i) {
    out += "  " + trace_[i].substr(0, 300) + "\n";
  }
  return out;
}

}  // namespace spillway::intake::sim
