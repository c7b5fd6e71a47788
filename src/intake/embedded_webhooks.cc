// The port's calls about webhooks, on machine and journal.

#include "base/json_writer.h"
#include "intake/embedded_call.h"

namespace spillway::intake {

/// A poll for final states to tell.
class EmbeddedService::WebhookTask final : public journal::Task {
 public:
  WebhookTask(EmbeddedService& service, ReceiveWebhooks command, Reply<std::vector<WebhookJob>> reply)
      : service_(service), command_(command), reply_(std::move(reply)) {}

  bool mutates() const override { return false; }
  void run(journal::Turn& turn) override {
    if (take(turn.now()) || command_.wait_us <= 0) return;
    service_.webhook_polls_.emplace(turn.now() + command_.wait_us, this);
    turn.park(*this);
  }
  /// False: there is nothing.
  bool take(Timestamp now) {
    jobs_ = service_.take_webhooks(now, command_.max);
    return !jobs_.empty();
  }
  std::uint64_t poller() const { return command_.poller; }
  void finish() override {
    using Reply = Result<std::vector<WebhookJob>>;
    reply_(fate == journal::Fate::kDurable ? Reply(std::move(jobs_)) : Reply(journal::refusal(fate)));
    delete this;
  }

 private:
  EmbeddedService& service_;
  ReceiveWebhooks command_;
  Reply<std::vector<WebhookJob>> reply_;
  std::vector<WebhookJob> jobs_;
};

void EmbeddedService::list_webhooks(ListWebhooks command, Reply<WebhookPage> reply) {
  call<WebhookPage>(
      false, std::move(reply),
      [command = std::move(command)](Machine& machine, Timestamp, Events&) { return machine.list(command); });
}

void EmbeddedService::redeliver_webhooks(RedeliverWebhooks command, Reply<RedeliverResult> reply) {
  call<RedeliverResult>(
      true, std::move(reply),
      [this, command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
        auto result = machine.decide(command, now, events);
        if (result && !events.empty()) {
          std::string after;
          JsonWriter json(after);
          json.open_object().member("redelivered", result->redelivered).close_object();
          to_audit_ = AuditEntry{command.actor, "webhooks.redeliver", command.event_id, "", std::move(after)};
        }
        return result;
      });
}

void EmbeddedService::receive_webhooks(ReceiveWebhooks command, Reply<std::vector<WebhookJob>> reply) {
  command.wait_us = std::min(command.wait_us, limits::kLongPoll);
  stage(new WebhookTask(*this, command, std::move(reply)));
}

void EmbeddedService::complete_webhooks(CompleteWebhooks command, Reply<Ok> reply) {
  call<Ok>(true, std::move(reply),
           [this, command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
             for (const WebhookOutcome& outcome : command.outcomes) webhooks_out_.remove(outcome, now);
             machine.decide(command, now, events);
             something_new_ = true;  // there is room again
             return Result<Ok>(Ok{});
           });
}

// ---- On the state thread ----------------------------------------------------------------------------------

std::vector<WebhookJob> EmbeddedService::take_webhooks(Timestamp now, std::size_t max) {
  if (!state_.machine.has_due_webhooks(now) || webhooks_out_.size() >= limits::kWebhookConcurrency) return {};
  const WebhookRoom room{[this, now](std::string_view url) { return webhooks_out_.room(url, now); },
                         [this](std::uint64_t id) { return webhooks_out_.contains(id); }};
  auto jobs = state_.machine.due_webhooks(
      now, std::min(max, limits::kWebhookConcurrency - webhooks_out_.size()), room, webhook_cursor_);
  for (const WebhookJob& job : jobs) webhooks_out_.add(job, now);
  return jobs;
}

void EmbeddedService::serve_webhooks(journal::Turn& turn) {
  while (!webhook_polls_.empty()) {
    WebhookTask& task = *webhook_polls_.begin()->second;
    if (!task.take(turn.now())) return;
    webhook_polls_.erase(webhook_polls_.begin());
    turn.release(task);
  }
}

void EmbeddedService::expire_webhooks(journal::Turn& turn, Timestamp until, std::uint64_t poller) {
  for (auto it = webhook_polls_.begin(); it != webhook_polls_.end();) {
    const auto here = it++;
    if (here->first <= until || here->second->poller() == poller)
      turn.release(*webhook_polls_.extract(here).mapped());
  }
}

void EmbeddedService::count_tried(const WebhooksTried& tried) {
  for (const auto& item : tried.items) {
    switch (item.result) {
      case WebhookResult::kDelivered:
        ++metrics_.webhooks_delivered;
        break;
      case WebhookResult::kRetry:
        ++metrics_.webhooks_failed;
        break;
      case WebhookResult::kGiveUp:
        ++metrics_.webhooks_failed;
        ++metrics_.webhooks_given_up;
        break;
      case WebhookResult::kExpired:
        ++metrics_.webhooks_given_up;
        break;
    }
  }
}

}  // namespace spillway::intake
