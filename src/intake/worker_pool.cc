#include "intake/worker_pool.h"

#include <algorithm>

#include "base/log.h"
#include "base/thread.h"

namespace spillway::intake {
namespace {

constexpr Micros kPollAgain = 200 * kMillisecond;  ///< after the engine refused or failed
constexpr Micros kReportEvery = 1 * kSecond;
constexpr Micros kStopLook = 20 * kMillisecond;
constexpr Micros kRoomLook = 20 * kMillisecond;  ///< at least, when the work has no room

}  // namespace

WorkerPool::WorkerPool(Service& service, Work& work, const Clock& clock, std::size_t loop_index,
                       WorkerOptions options)
    : service_(service),
      work_(work),
      clock_(clock),
      options_(options),
      loop_(loop_index),
      pool_(options.workers),
      random_(options.random_seed) {}

WorkerPool::~WorkerPool() { stop(0); }

void WorkerPool::start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void WorkerPool::stop(Micros limit_us) {
  if (!thread_.joinable()) return;
  stop_by_ = std::max<Micros>(clock_.steady_us() + limit_us, 1);  // 0 means not stopping
  loop_.wake();
  thread_.join();
}

void WorkerPool::run() {
  name_this_thread("workers");
  yield_to_those_who_run();
  const Micros beat_every = options_.visibility_us / 3;
  Micros next_beat = clock_.steady_us() + beat_every;
  while (true) {
    const Micros now = clock_.steady_us();
    const Micros stop_by = stop_by_;
    if (stop_by != 0 && calls_ == 0 && (in_hand_.empty() || now >= stop_by)) break;
    if (now >= next_beat) next_beat = now + beat_every;

    Micros wake_at = std::min(next_beat, reported_at_ + kReportEvery);
    if (stop_by != 0) wake_at = std::min(wake_at, now + kStopLook);
    const WorkRoom room = work_.room(now);
    const Micros room_at = busy_ < room.deliveries ? now : std::max(room.look_again_at_us, now + kRoomLook);
    for (const Worker& worker : pool_) {
      if (!worker.busy()) wake_at = std::min(wake_at, std::max(worker.poll_again_at, room_at));
    }
    loop_.run_until([this, stop_by] { return stop_by_ != stop_by || (stop_by != 0 && calls_ == 0); },
                    std::max<Micros>(wake_at - now, 0),
                    [this, now, next_beat, beat_every, stop_by] {
                      poll_idle();
                      if (now + beat_every == next_beat) heartbeat();
                      if (stop_by != 0 && !ending_) end_polls([] {});
                    });
    report(false);
  }
  report(true);
}

void WorkerPool::poll_idle() {
  held_back_ = false;
  if (stop_by_ != 0) return;
  const Micros now = clock_.steady_us();
  const WorkRoom room = work_.room(now);
  for (std::size_t i = 0; i < pool_.size(); ++i) {
    if (pool_[i].busy() || now < pool_[i].poll_again_at) continue;
    if (busy_ >= room.deliveries) {
      held_back_ = true;
      break;
    }
    poll(i);
  }
  // Polls that wait would bring what there is no room for any more.
  if (room.deliveries == 0 && polling_ != 0 && !ending_) end_polls([this] { ending_ = false; });
}

void WorkerPool::poll(std::size_t worker) {
  pool_[worker].polling = true;
  ++polling_;
  ++busy_;
  const Receive command{.max = options_.batch,
                        .wait_us = options_.long_poll_us,
                        .visibility_us = options_.visibility_us,
                        .poller = loop_.index(),
                        .work = options_.work};
  ++calls_;
  service_.receive(command, [this, worker](Result<std::vector<Delivery>> deliveries) {
    --calls_;
    pool_[worker].polling = false;
    --polling_;
    --busy_;
    if (!deliveries) {
      pool_[worker].poll_again_at = clock_.steady_us() + kPollAgain;
      log::warn("worker cannot receive", {{"worker", worker}, {"error", deliveries.error().message}});
      return;
    }
    begin(worker, std::move(*deliveries));
  });
}

void WorkerPool::begin(std::size_t worker, std::vector<Delivery> deliveries) {
  if (!deliveries.empty()) {
    ++batches_;
    log::debug("batch started", {{"worker", worker}, {"requests", deliveries.size()}});
  }
  pool_[worker].in_hand = deliveries.size();
  if (!deliveries.empty()) ++busy_;
  beginning_ = true;
  for (const Delivery& delivery : deliveries) {
    const std::uint64_t key = next_key_++;
    in_hand_.emplace(key, InHand{worker, delivery.receipt});
    work_.perform(delivery, [this, key](WorkEnd ended) { end(key, std::move(ended)); });
  }
  beginning_ = false;
  send_outcomes();
  // The next poll is staged in the same round as the outcomes and runs after them.
  if (!pool_[worker].busy()) poll_next(worker);
}

void WorkerPool::poll_next(std::size_t worker) {
  if (stop_by_ != 0) return;
  const bool room = busy_ < work_.room(clock_.steady_us()).deliveries;
  if (room && !held_back_) return poll(worker);
  poll_idle();
}

void WorkerPool::end(std::uint64_t key, WorkEnd ended) {
  const auto it = in_hand_.find(key);
  CHECK(it != in_hand_.end());
  const InHand item = std::move(it->second);
  in_hand_.erase(it);
  Outcome outcome;
  outcome.receipt = item.receipt;
  outcome.result = ended.result;
  outcome.result_code = ended.result_code;
  outcome.reason = std::move(ended.reason);
  if (outcome.reason.size() > limits::kMaxReasonBytes) outcome.reason.resize(limits::kMaxReasonBytes);
  if (outcome.result == WorkResult::kRetry) outcome.retry_after_us = backoff_us(item.receipt.receive_count);
  outcomes_.push_back(std::move(outcome));
  Worker& worker = pool_[item.worker];
  --worker.in_hand;
  if (worker.in_hand == 0) --busy_;
  if (beginning_) return;
  send_outcomes();
  if (worker.in_hand == 0) {
    log::debug("batch finished", {{"worker", item.worker}});
    if (!worker.polling) poll_next(item.worker);
  }
}

void WorkerPool::send_outcomes() {
  if (outcomes_.empty()) return;
  finished_ += outcomes_.size();
  Complete command{std::move(outcomes_)};
  outcomes_.clear();
  ++calls_;
  service_.complete(std::move(command), [this](Result<Acks> acks) {
    --calls_;
    if (!acks) {
      // The deliveries end by their visibility and come again.
      log::warn("outcomes were not taken", {{"error", acks.error().message}});
      return;
    }
    const auto stale = std::count(acks->acks.begin(), acks->acks.end(), Ack::kStale);
    if (stale > 0) log::info("late outcomes were ignored", {{"requests", stale}});
  });
}

void WorkerPool::heartbeat() {
  if (in_hand_.empty()) return;
  Extend command{.receipts = {}, .visibility_us = options_.visibility_us};
  for (const auto& [key, item] : in_hand_) command.receipts.push_back(item.receipt);
  ++calls_;
  service_.extend(std::move(command), [this](Result<Acks> acks) {
    --calls_;
    if (!acks) log::warn("heartbeat was not taken", {{"error", acks.error().message}});
  });
}

void WorkerPool::end_polls(UniqueFunction<void()> done) {
  ending_ = true;
  ++calls_;
  service_.end_receives(loop_.index(), [this, done = std::move(done)](Result<Ok>) mutable {
    --calls_;
    done();
  });
}

void WorkerPool::report(bool now) {
  const Micros at = clock_.steady_us();
  if (!now && at - reported_at_ < kReportEvery) return;
  reported_at_ = at;
  if (batches_ == 0) return;
  log::info("workers", {{"batches", batches_}, {"finished", finished_}, {"inHand", in_hand_.size()}});
  batches_ = finished_ = 0;
}

Micros WorkerPool::backoff_us(std::uint32_t receive_count) {
  const Micros longest = std::min(options_.backoff_cap_us,
                                  options_.backoff_base_us << std::min<std::uint32_t>(receive_count - 1, 20));
  return std::uniform_int_distribution<Micros>(0, longest)(random_);
}

}  // namespace spillway::intake
