#include "intake/embedded.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/json_writer.h"
#include "intake/embedded_call.h"

namespace spillway::intake {
namespace {

constexpr int kRetryAfterSeconds = 1;
constexpr std::uint64_t kNoPoller = std::numeric_limits<std::uint64_t>::max();
constexpr Timestamp kForever{std::numeric_limits<Micros>::max()};

std::string audit_json(const EventView& event) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("title", event.title).member("capacityTotal", event.capacity_total);
  if (event.opens_at) json.member("opensAt", event.opens_at);
  if (event.closes_at) json.member("closesAt", event.closes_at);
  if (event.work != WorkKind::kCapacity) json.member("work", name(event.work));
  if (!event.webhook.url.empty()) {
    json.key("webhook").open_object().member("url", event.webhook.url);
    if (!event.webhook.secret_name.empty()) json.member("secretName", event.webhook.secret_name);
    json.close_object();
  }
  json.close_object();
  return out;
}

std::string audit_json(bool paused) { return paused ? R"({"paused":true})" : R"({"paused":false})"; }

}  // namespace

// ---- Tasks ------------------------------------------------------------------------------------------------

/// A read that may be held until the request changes.
class EmbeddedService::WaitTask final : public journal::Task {
 public:
  WaitTask(EmbeddedService& service, GetRequest command, Reply<RequestView> reply)
      : service_(service), command_(std::move(command)), reply_(std::move(reply)) {}

  bool mutates() const override { return false; }
  void run(journal::Turn& turn) override {
    look();
    if (!worth_waiting()) return;
    if (service_.waiting_.size() >= limits::kMaxWaiting) {
      result_.emplace(
          Error{ErrorCode::kOverloaded, "too many requests are being waited for", kRetryAfterSeconds});
      return;
    }
    number_ = *service_.state_.machine.number_of(command_.request_id);
    by_number_ = service_.waiting_.emplace(number_, this);
    by_deadline_ = service_.waiting_by_deadline_.emplace(turn.now() + command_.wait_us, this);
    turn.park(*this);
  }
  /// The request may have changed: answers and leaves the maps if it has.
  bool wake(journal::Turn& turn) {
    look();
    if (worth_waiting()) return false;
    leave(turn);
    return true;
  }
  /// Answers with what is, changed or not.
  void expire(journal::Turn& turn) {
    look();
    leave(turn);
  }
  std::uint64_t number() const { return number_; }

  void finish() override {
    reply_(fate == journal::Fate::kDurable ? std::move(*result_)
                                           : Result<RequestView>(journal::refusal(fate)));
    delete this;
  }

 private:
  void look() { result_.emplace(service_.state_.machine.request(command_.request_id, command_.user_id)); }
  bool worth_waiting() {
    if (!*result_ || command_.wait_us <= 0 || service_.waits_ended_ || is_final((*result_)->status))
      return false;
    if (!command_.seen) command_.seen = (*result_)->status;
    return *command_.seen == (*result_)->status;
  }
  void leave(journal::Turn& turn) {
    service_.waiting_.erase(by_number_);
    service_.waiting_by_deadline_.erase(by_deadline_);
    turn.release(*this);
  }

  EmbeddedService& service_;
  GetRequest command_;
  Reply<RequestView> reply_;
  std::optional<Result<RequestView>> result_;
  std::uint64_t number_ = 0;
  std::multimap<std::uint64_t, WaitTask*>::iterator by_number_;
  std::multimap<Timestamp, WaitTask*>::iterator by_deadline_;
};

/// Lets go what is parked: `end(turn)` says which.
template <class End>
class EmbeddedService::EndTask final : public journal::Task {
 public:
  EndTask(Reply<Ok> reply, End end) : reply_(std::move(reply)), end_(std::move(end)) {}
  bool mutates() const override { return false; }
  void run(journal::Turn& turn) override { end_(turn); }
  void finish() override {
    reply_(fate == journal::Fate::kDurable ? Result<Ok>(Ok{}) : Result<Ok>(refusal(fate)));
    delete this;
  }

 private:
  Reply<Ok> reply_;
  End end_;
};

/// A worker's long poll.
class EmbeddedService::ReceiveTask final : public journal::Task {
 public:
  ReceiveTask(EmbeddedService& service, Receive command, Reply<std::vector<Delivery>> reply)
      : service_(service), command_(command), reply_(std::move(reply)) {}

  bool mutates() const override { return true; }
  void run(journal::Turn& turn) override {
    service_.ensure_started(turn);
    deliver(turn);
    if (!deliveries_.empty() || command_.wait_us <= 0) return;
    service_.receivers_.emplace(turn.now() + command_.wait_us, this);
    turn.park(*this);
  }
  /// True when there is something to give, or something was decided on the way.
  bool deliver(journal::Turn& turn) {
    Events& events = service_.events_;
    events.clear();
    service_.state_.machine.decide_due(turn.now(), limits::kMaxDuePerTick,
                                       events);  // a retry come due goes first
    service_.commit(turn, events);
    if (service_.held_) return false;
    events.clear();
    deliveries_ = service_.state_.machine.decide(command_, turn.now(), events);
    service_.commit(turn, events);
    return !events.empty();
  }
  bool has_deliveries() const { return !deliveries_.empty(); }
  std::uint64_t poller() const { return command_.poller; }
  /// 0: any; else one more than the kind of work that is asked for.
  std::size_t kind() const { return command_.work ? static_cast<std::size_t>(*command_.work) + 1 : 0; }

  void finish() override {
    using Reply = Result<std::vector<Delivery>>;
    reply_(fate == journal::Fate::kDurable ? Reply(std::move(deliveries_)) : Reply(refusal(fate)));
    delete this;
  }

 private:
  EmbeddedService& service_;
  Receive command_;
  Reply<std::vector<Delivery>> reply_;
  std::vector<Delivery> deliveries_;
};

// ---- Port -------------------------------------------------------------------------------------------------

void EmbeddedService::attach(journal::Engine& engine, const Seed& id_seed, bool start_held) {
  engine_ = &engine;
  id_seed_ = id_seed;
  held_ = start_held;
}

void EmbeddedService::end_waits(Reply<Ok> reply) {
  stage(new EndTask(std::move(reply), [this](journal::Turn& turn) {
    waits_ended_ = true;
    expire_waits(turn, kForever);
  }));
}

QueueStats EmbeddedService::stats(Timestamp now) const {
  QueueStats stats = state_.machine.queue_stats(now);
  stats.paused = stats.paused || held_;
  if (auto redrive = state_.machine.redrive(); redrive && redrive->state == RedriveState::kRunning) {
    stats.redrive = std::move(*redrive);
  }
  return stats;
}

void EmbeddedService::stage(journal::Task* task) {
  Loop* loop = Loop::current();
  CHECK(loop != nullptr);
  loop->stage(*engine_, task);
}

void EmbeddedService::participate(Participate command, Reply<Participation> reply) {
  if (!engine_->accepting()) {
    refused_early_.fetch_add(1, std::memory_order_relaxed);
    return reply(refusal(journal::Fate::kOverloaded));
  }
  struct Decide {
    Participate command;
    Metrics& counted;
    void prefetch(const Machine& machine) const { machine.prefetch(command); }
    Result<Participation> operator()(Machine& machine, Timestamp now, Events& events) const {
      auto result = machine.decide(command, now, events);
      ++(!result ? counted.refused : result->duplicate ? counted.duplicate : counted.accepted);
      return result;
    }
  };
  call<Participation>(true, std::move(reply), Decide{std::move(command), metrics_});
}

void EmbeddedService::get_request(GetRequest command, Reply<RequestView> reply) {
  command.wait_us = std::min(command.wait_us, limits::kMaxWait);
  stage(new WaitTask(*this, std::move(command), std::move(reply)));
}

void EmbeddedService::put_event(PutEvent command, Reply<EventView> reply) {
  call<EventView>(true, std::move(reply),
                  [this, command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
                    const Result<EventView> before = machine.event(command.event_id, now);
                    auto after = machine.decide(command, now, events);
                    if (after && !events.empty()) {
                      to_audit_ =
                          AuditEntry{command.actor, before ? "event.change" : "event.create",
                                     command.event_id, before ? audit_json(*before) : "", audit_json(*after)};
                    }
                    return after;
                  });
}

void EmbeddedService::get_event(std::string event_id, Reply<EventView> reply) {
  call<EventView>(false, std::move(reply),
                  [id = std::move(event_id)](Machine& machine, Timestamp now, Events&) {
                    return machine.event(id, now);
                  });
}

void EmbeddedService::list_events(ListEvents command, Reply<EventPage> reply) {
  call<EventPage>(false, std::move(reply),
                  [command = std::move(command)](Machine& machine, Timestamp now, Events&) {
                    return machine.list(command, now);
                  });
}

void EmbeddedService::get_request_detail(std::string request_id, Reply<RequestDetail> reply) {
  call<RequestDetail>(false, std::move(reply),
                      [id = std::move(request_id)](Machine& machine, Timestamp, Events&) {
                        return machine.request_detail(id);
                      });
}

void EmbeddedService::list_requests(ListRequests command, Reply<RequestPage> reply) {
  call<RequestPage>(
      false, std::move(reply),
      [command = std::move(command)](Machine& machine, Timestamp, Events&) { return machine.list(command); });
}

struct EmbeddedService::Search {
  SearchRequests query;
  Reply<FoundRequests> reply;
  SearchProgress progress{};  ///< of whoever has it at the time: the state thread, or the loop that asks
};

void EmbeddedService::search_requests(SearchRequests command, Reply<FoundRequests> reply) {
  search_on(std::make_shared<Search>(Search{std::move(command), std::move(reply)}));
}

void EmbeddedService::search_on(std::shared_ptr<Search> search) {
  Search& s = *search;
  call<FoundRequests>(
      false,
      [this, search = std::move(search)](Result<FoundRequests> page) mutable {
        if (page && search->progress.more) return search_on(std::move(search));
        search->reply(std::move(page));
      },
      [&s](Machine& machine, Timestamp, Events&) { return machine.find(s.query, s.progress); });
}

void EmbeddedService::queue_stats(Reply<QueueStats> reply) {
  call<QueueStats>(false, std::move(reply),
                   [this](Machine&, Timestamp now, Events&) { return Result<QueueStats>(stats(now)); });
}

void EmbeddedService::set_paused(bool paused, Actor actor, Reply<QueueStats> reply) {
  call<QueueStats>(true, std::move(reply),
                   [this, paused, actor = std::move(actor)](Machine& machine, Timestamp now, Events& events) {
                     const bool was_held = std::exchange(held_, false);
                     something_new_ = true;
                     auto stats = machine.decide_paused(paused, now, events);
                     if (!events.empty() || (was_held && !paused)) {
                       to_audit_ = AuditEntry{actor, paused ? "queue.pause" : "queue.resume",
                                              "participations", audit_json(!paused), audit_json(paused)};
                     }
                     return Result<QueueStats>(std::move(stats));
                   });
}

void EmbeddedService::record_audit(journal::Turn& turn) {
  if (!to_audit_) return;
  if (audit_ != nullptr) audit_->record(turn, *to_audit_);
  to_audit_.reset();
}

void EmbeddedService::metrics(Reply<Metrics> reply) {
  call<Metrics>(false, std::move(reply), [this](Machine& machine, Timestamp now, Events&) {
    Metrics metrics = metrics_;
    metrics.refused += refused_early_.load(std::memory_order_relaxed);
    metrics.queue = stats(now);
    metrics.webhooks_pending = machine.webhooks_pending();
    const std::size_t events = std::min(machine.event_count(), limits::kMaxEventsInMetrics);
    for (std::size_t i = 0; i < events; ++i) {
      const Machine::EventCapacity event = machine.capacity_of(i);
      metrics.remaining.push_back({std::string(event.event_id), event.capacity_remaining});
    }
    return Result<Metrics>(std::move(metrics));
  });
}

void EmbeddedService::receive(Receive command, Reply<std::vector<Delivery>> reply) {
  command.wait_us = std::min(command.wait_us, limits::kLongPoll);
  stage(new ReceiveTask(*this, command, std::move(reply)));
}

void EmbeddedService::end_receives(std::uint64_t poller, Reply<Ok> reply) {
  stage(new EndTask(std::move(reply), [this, poller](journal::Turn& turn) {
    for (auto it = receivers_.begin(); it != receivers_.end();) {
      const auto here = it++;
      if (here->second->poller() == poller) turn.release(*receivers_.extract(here).mapped());
    }
    expire_webhooks(turn, {}, poller);
  }));
}

void EmbeddedService::complete(Complete command, Reply<Acks> reply) {
  call<Acks>(true, std::move(reply),
             [command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
               return Result<Acks>(machine.decide(command, now, events));
             });
}

void EmbeddedService::extend(Extend command, Reply<Acks> reply) {
  call<Acks>(true, std::move(reply),
             [command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
               return Result<Acks>(machine.decide(command, now, events));
             });
}

// ---- On the state thread ----------------------------------------------------------------------------------

void EmbeddedService::ensure_started(journal::Turn& turn) {
  if (started_) return;
  started_ = true;
  Events events;
  if (!state_.machine.seeded()) {
    state_.machine.decide_seed(id_seed_, events);
    commit(turn, events);
    events.clear();
  }
  state_.machine.decide_restart(turn.now(), events);
  commit(turn, events);
}

void EmbeddedService::commit(journal::Turn& turn, const Events& events) {
  if (events.empty()) return;
  for (const Event& event : events) {
    payload_.clear();
    encode(event, payload_);
    turn.append({kServiceNumber, type(event), kVersion}, payload_);
    state_.machine.evolve(event);
    count_finished(event, turn.now());
    if (!waiting_.empty()) {
      for_each_changed(event, [this, &turn](std::uint64_t number) { wake_waiting(turn, number); });
    }
  }
  something_new_ = true;
}

void EmbeddedService::count_finished(const Event& event, Timestamp now) {
  if (std::holds_alternative<Accepted>(event)) return;  // the most frequent by far, and never final
  if (const auto* ended = std::get_if<RedriveEnded>(&event)) {
    if (ended->state == RedriveState::kStoppedByFailures) ++metrics_.redrives_stopped_by_failures;
  }
  if (const auto* redriven = std::get_if<Redriven>(&event)) metrics_.redriven += redriven->numbers.size();
  if (const auto* discarded = std::get_if<Discarded>(&event)) metrics_.discarded += discarded->numbers.size();
  if (const auto* tried = std::get_if<WebhooksTried>(&event)) count_tried(*tried);
  for_each_changed(event, [this, now](std::uint64_t number) {
    if (!state_.machine.has(number)) return;  // forgotten by this event, finished long ago
    const RequestSummary request = state_.machine.summary_of(number);
    if (!is_final(request.status)) return;
    auto same =
        std::find_if(metrics_.finished.begin(), metrics_.finished.end(), [&request](const auto& finished) {
          return finished.status == request.status && finished.result_code == request.result_code;
        });
    if (same == metrics_.finished.end()) {
      same = metrics_.finished.insert(same, {request.status, request.result_code, 0});
    }
    ++same->count;
    if (request.redriven) return;  // waited for an administrator
    const double seconds = static_cast<double>(now - request.queued_at) / kSecond;
    const auto bound =
        std::lower_bound(Metrics::kLatencyBounds.begin(), Metrics::kLatencyBounds.end(), seconds);
    ++metrics_.latency_counts[static_cast<std::size_t>(bound - Metrics::kLatencyBounds.begin())];
    metrics_.latency_sum_seconds += seconds;
  });
}

void EmbeddedService::wake_waiting(journal::Turn& turn, std::uint64_t request_number) {
  auto [it, end] = waiting_.equal_range(request_number);
  while (it != end) (it++)->second->wake(turn);
}

void EmbeddedService::serve_receivers(journal::Turn& turn) {
  served_at_ = turn.now();
  // Polls for different kinds of work do not wait for one another; those for one kind are served in turn
  // until there is nothing for one of them.
  std::array<bool, kWorkKinds + 1> nothing{};
  bool again = false;
  for (auto it = receivers_.begin(); it != receivers_.end();) {
    const auto here = it++;
    ReceiveTask& task = *here->second;
    if (nothing[task.kind()]) continue;
    const bool decided = task.deliver(turn);
    // Refusals without a delivery: the rest of them at the next chance, so that one turn stays short.
    again = again || (decided && !task.has_deliveries());
    if (!task.has_deliveries()) {
      nothing[task.kind()] = true;
      continue;
    }
    receivers_.erase(here);
    turn.release(task);
  }
  something_new_ = again;
}

void EmbeddedService::end_of_batch(journal::Turn& turn, bool may_write) {
  if (!something_new_ || turn.now() - served_at_ < limits::kReceivePacing) return;
  serve_webhooks(turn);
  if (may_write) serve_receivers(turn);
}

void EmbeddedService::tick(journal::Turn& turn, bool may_write) {
  if (may_write) {
    ensure_started(turn);
    events_.clear();
    state_.machine.decide_due(turn.now(), limits::kMaxDuePerTick, events_);
    commit(turn, events_);
    serve_receivers(turn);
  }
  serve_webhooks(turn);
  expire_webhooks(turn, turn.now(), kNoPoller);
  expire_receives(turn, turn.now());
  expire_waits(turn, turn.now());
}

void EmbeddedService::on_stop(journal::Turn& turn) {
  expire_webhooks(turn, kForever, kNoPoller);
  expire_receives(turn, kForever);
  expire_waits(turn, kForever);
}

void EmbeddedService::expire_receives(journal::Turn& turn, Timestamp until) {
  while (!receivers_.empty() && receivers_.begin()->first <= until) {
    turn.release(*receivers_.extract(receivers_.begin()).mapped());
  }
}

void EmbeddedService::expire_waits(journal::Turn& turn, Timestamp until) {
  while (!waiting_by_deadline_.empty() && waiting_by_deadline_.begin()->first <= until) {
    waiting_by_deadline_.begin()->second->expire(turn);
  }
}

}  // namespace spillway::intake
