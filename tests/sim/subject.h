#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "intake/machine.h"
#include "plants.h"

namespace spillway::intake::sim {

/// The machine with a journal that may lose what was not made durable, and with at most one planted bug
/// between it and whoever asks. Stands in for the engine: decides, writes, applies, crashes, recovers.
class Subject {
 public:
  Subject(MachineConfig config, const Seed& seed, Plant& plant);

  template <class Command>
  auto decide(Command command, Timestamp now) {
    plant_.command(command, now, *machine_);
    Events events;
    auto reply = machine_->decide(command, now, events);
    commit(events);
    spoil(reply);
    return reply;
  }
  QueueStats set_paused(bool paused, Timestamp now);
  /// All that is due, in steps of `max_items`.
  void due(Timestamp now, std::size_t max_items);
  void restart(Timestamp now);
  Result<RedriveView> stop_redrive(Timestamp now);

  void complete(CompleteWebhooks, Timestamp now);
  std::vector<WebhookJob> due_webhooks(Timestamp now) const;

  Result<RedriveView> redrive() const;
  Result<RequestView> request(const std::string& id, const std::string& user) const;
  Result<EventView> event(const std::string& id, Timestamp now) const;
  const Machine& machine() const { return *machine_; }

  /// How many events there are, and how many are durable.
  std::size_t written() const { return journal_.size(); }
  std::size_t durable() const { return durable_; }
  void sync();
  /// Requests that changed since this was asked last.
  std::vector<std::uint64_t> take_changed() { return std::exchange(changed_, {}); }

  void take_snapshot();
  /// The process ends; what was not durable is lost; another recovers. False when the state is not what it
  /// was.
  bool crash_and_recover(bool from_snapshot);

 private:
  void commit(Events&);
  std::unique_ptr<Machine> replay(std::vector<JournalRecord>, std::size_t from,
                                  const std::string& snapshot) const;

  template <class T>
  void spoil(Result<T>& result) {
    if constexpr (std::is_same_v<T, EventView> || std::is_same_v<T, RedriveView>) {
      if (result.ok()) plant_.reply(*result);
    }
  }
  void spoil(std::vector<Delivery>& deliveries) { plant_.reply(deliveries); }
  void spoil(Acks&) {}

  MachineConfig config_;
  Plant& plant_;
  std::unique_ptr<Machine> machine_;
  std::vector<JournalRecord> journal_;
  std::size_t durable_ = 0;
  std::uint64_t durable_digest_ = 0;
  std::string snapshot_;
  std::size_t snapshot_at_ = 0;
  std::vector<std::uint64_t> changed_;
};

/// Of any machine.
std::string saved(const Machine&);
Status load(Machine&, const std::string& snapshot);

}  // namespace spillway::intake::sim
