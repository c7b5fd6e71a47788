#include "subject.h"

#include "base/check.h"

namespace spillway::intake::sim {

std::string saved(const Machine& machine) {
  std::string snapshot;
  machine.save([&](std::string_view bytes) { snapshot.append(bytes); });
  return snapshot;
}

Status load(Machine& machine, const std::string& snapshot) {
  std::size_t from = 0;
  return machine.load([&](char* into, std::size_t size) {
    if (size > snapshot.size() - from) return false;
    snapshot.copy(into, size, from);
    from += size;
    return true;
  });
}

Subject::Subject(MachineConfig config, const Seed& seed, Plant& plant) : config_(config), plant_(plant) {
  plant_.at_start(config_);
  machine_ = std::make_unique<Machine>(config_);
  Events events;
  machine_->decide_seed(seed, events);
  commit(events);
  sync();
  take_snapshot();
}

void Subject::commit(Events& events) {
  plant_.proposed(events, *machine_);
  for (const Event& event : events) {
    JournalRecord& record = journal_.emplace_back();
    record.type = type(event);
    encode(event, record.payload);
    machine_->evolve(event);
    for_each_changed(event, [&](std::uint64_t number) { changed_.push_back(number); });
  }
}

QueueStats Subject::set_paused(bool paused, Timestamp now) {
  Events events;
  const QueueStats stats = machine_->decide_paused(paused, now, events);
  commit(events);
  return stats;
}

void Subject::due(Timestamp now, std::size_t max_items) {
  // Bounded by hand, so that a bug that never gets done is seen by the comparison and not as a hang.
  for (int round = 0; round < 100'000; ++round) {
    Events events;
    machine_->decide_due(now, max_items, events);
    if (events.empty()) return;
    commit(events);
    if (events.empty()) return;
  }
}

void Subject::restart(Timestamp now) {
  Events events;
  machine_->decide_restart(now, events);
  commit(events);
}

Result<RequestView> Subject::request(const std::string& id, const std::string& user) const {
  auto view = machine_->request(id, user);
  if (view.ok()) plant_.reply(*view);
  return view;
}

Result<RedriveView> Subject::stop_redrive(Timestamp now) {
  Events events;
  auto view = machine_->decide_stop_redrive(now, events);
  commit(events);
  spoil(view);
  return view;
}

void Subject::complete(CompleteWebhooks command, Timestamp now) {
  Events events;
  machine_->decide(command, now, events);
  commit(events);
}

std::vector<WebhookJob> Subject::due_webhooks(Timestamp now) const {
  const WebhookRoom room{[](std::string_view) { return std::size_t{100'000}; },
                         [](std::uint64_t) { return false; }};
  WebhookCursor cursor{};
  return machine_->due_webhooks(now, 100'000, room, cursor);
}

Result<RedriveView> Subject::redrive() const {
  auto view = machine_->redrive();
  if (view.ok()) plant_.reply(*view);
  return view;
}

Result<EventView> Subject::event(const std::string& id, Timestamp now) const {
  auto view = machine_->event(id, now);
  if (view.ok()) plant_.reply(*view);
  return view;
}

void Subject::sync() {
  durable_ = journal_.size();
  durable_digest_ = machine_->digest();
}

void Subject::take_snapshot() {
  sync();
  snapshot_ = saved(*machine_);
  snapshot_at_ = durable_;
}

std::unique_ptr<Machine> Subject::replay(std::vector<JournalRecord> records, std::size_t from,
                                         const std::string& snapshot) const {
  auto machine = std::make_unique<Machine>(config_);
  if (from != 0) {
    const Status status = load(*machine, snapshot);
    CHECK(status.ok());
  }
  for (const JournalRecord& record : records) {
    const auto event = decode(record.type, kVersion, record.payload);
    CHECK(event.ok());
    machine->evolve(*event);
  }
  return machine;
}

bool Subject::crash_and_recover(bool from_snapshot) {
  const std::size_t from = from_snapshot ? snapshot_at_ : 0;
  journal_.resize(durable_);
  std::vector<JournalRecord> records(journal_.begin() + static_cast<std::ptrdiff_t>(from), journal_.end());
  plant_.recovered(records);
  machine_ = replay(std::move(records), from, snapshot_);
  changed_.clear();
  return machine_->digest() == durable_digest_;
}

}  // namespace spillway::intake::sim
