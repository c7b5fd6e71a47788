#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "intake/machine.h"
#include "intake/service.h"
#include "intake/webhooks_out.h"
#include "journal/audit_trail.h"
#include "journal/engine.h"
#include "journal/machine_replica.h"

namespace spillway::intake {

/// The number of intake in the journal's records.
inline constexpr std::uint8_t kServiceNumber = 1;

using MachineReplica = journal::MachineReplica<Machine, MachineConfig, kServiceNumber, &decode>;

/// The port on machine and journal.
///
/// Operation: a call becomes a task for the state thread, which decides against the machine, appends the
/// events, applies them and keeps the reply until they are durable. Reads take the same way, so nobody is
/// shown what a crash could take back. A read that waits is parked here until the request changes; a receive
/// that finds nothing is parked until there is something, and served at the end of a batch, so that
/// deliveries are batched as well. Concurrency: the Service's calls on loops; the Resident's on the state
/// thread, which alone touches the machine.
class EmbeddedService final : public Service, public journal::Resident {
 public:
  /// `audit` may be null, else outlives this: administrative changes leave their record in the same turn.
  explicit EmbeddedService(MachineConfig config = {}, journal::AuditTrail* audit = nullptr)
      : state_(config), audit_(audit) {}

  /// After the engine has recovered and before it starts. `id_seed`: random, used when the journal is new.
  /// `start_held`: deliver nothing until set_paused(false); unlike a pause this is not remembered by the
  /// journal.
  void attach(journal::Engine& engine, const Seed& id_seed, bool start_held = false);
  /// Answers all reads that wait, now, and from now on at once: for a drain that must not wait for them.
  void end_waits(Reply<Ok>);

  void participate(Participate, Reply<Participation>) override;
  void get_request(GetRequest, Reply<RequestView>) override;
  void put_event(PutEvent, Reply<EventView>) override;
  void get_event(std::string event_id, Reply<EventView>) override;
  void list_events(ListEvents, Reply<EventPage>) override;
  void get_request_detail(std::string request_id, Reply<RequestDetail>) override;
  void list_requests(ListRequests, Reply<RequestPage>) override;
  void search_requests(SearchRequests, Reply<FoundRequests>) override;
  void queue_stats(Reply<QueueStats>) override;
  void set_paused(bool paused, Actor, Reply<QueueStats>) override;
  void list_dead_letters(ListDeadLetters, Reply<DeadLetterPage>) override;
  void get_dead_letter(std::string request_id, Reply<DeadLetterDetail>) override;
  void preview_redrive(DeadLetterFilter, Reply<RedrivePreview>) override;
  void redrive(Redrive, Reply<RedriveView>) override;
  void get_redrive(Reply<RedriveView>) override;
  void stop_redrive(Actor, Reply<RedriveView>) override;
  void discard_dead_letters(DiscardDeadLetters, Reply<DiscardResult>) override;
  void metrics(Reply<Metrics>) override;
  void list_webhooks(ListWebhooks, Reply<WebhookPage>) override;
  void redeliver_webhooks(RedeliverWebhooks, Reply<RedeliverResult>) override;
  void receive_webhooks(ReceiveWebhooks, Reply<std::vector<WebhookJob>>) override;
  void complete_webhooks(CompleteWebhooks, Reply<Ok>) override;
  void receive(Receive, Reply<std::vector<Delivery>>) override;
  void end_receives(std::uint64_t poller, Reply<Ok>) override;
  void complete(Complete, Reply<Acks>) override;
  void extend(Extend, Reply<Acks>) override;
  bool accepting() const override { return engine_->accepting(); }

  journal::Replica& replica() override { return state_; }
  void tick(journal::Turn&, bool may_write) override;
  void end_of_batch(journal::Turn&, bool may_write) override;
  void on_stop(journal::Turn&) override;

 private:
  template <class R, class Decide>
  class CallTask;
  class WaitTask;
  template <class End>
  class EndTask;
  class ReceiveTask;
  struct Search;
  class WebhookTask;

  QueueStats stats(Timestamp now) const;
  template <class R, class Decide>
  void call(bool mutates, Reply<R> reply, Decide decide);
  void stage(journal::Task* task);
  /// Appends and applies what was decided, counts it, and answers the reads that waited for it.
  void commit(journal::Turn&, const Events&);
  /// Keeps the counters of final states. Called after the event was applied.
  void count_finished(const Event&, Timestamp now);
  /// Others have their turn in between.
  void search_on(std::shared_ptr<Search>);
  void record_audit(journal::Turn&);
  void wake_waiting(journal::Turn&, std::uint64_t request_number);
  void serve_receivers(journal::Turn&);
  std::vector<WebhookJob> take_webhooks(Timestamp now, std::size_t max);
  void serve_webhooks(journal::Turn&);
  /// Answers the polls for webhooks that have waited until `until` or are those of `poller`.
  void expire_webhooks(journal::Turn&, Timestamp until, std::uint64_t poller);
  void count_tried(const WebhooksTried&);
  /// Answers what has waited until `until`.
  void expire_receives(journal::Turn&, Timestamp until);
  void expire_waits(journal::Turn&, Timestamp until);
  /// Once, before the first change: seeds a new machine, and takes back what the workers of before had in
  /// hand.
  void ensure_started(journal::Turn&);

  MachineReplica state_;
  journal::AuditTrail* audit_;
  journal::Engine* engine_ = nullptr;
  Seed id_seed_{};

  // State thread only.
  Events events_;
  std::string payload_;
  std::optional<AuditEntry> to_audit_;               ///< what the task that runs has changed
  std::multimap<std::uint64_t, WaitTask*> waiting_;  ///< by request number
  std::multimap<Timestamp, WaitTask*> waiting_by_deadline_;
  std::multimap<Timestamp, ReceiveTask*> receivers_;      ///< by deadline
  std::multimap<Timestamp, WebhookTask*> webhook_polls_;  ///< by deadline
  WebhooksOut webhooks_out_;
  WebhookCursor webhook_cursor_{};
  Timestamp served_at_{};
  bool something_new_ = true;  ///< since the receivers were served last
  bool started_ = false;
  bool held_ = false;
  bool waits_ended_ = false;
  Metrics metrics_;

  std::atomic<std::uint64_t> refused_early_{0};  ///< participations refused before the state thread saw them
};

}  // namespace spillway::intake
