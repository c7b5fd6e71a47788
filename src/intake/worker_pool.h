#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/wait_loop.h"
#include "intake/service.h"
#include "intake/work.h"

namespace spillway::intake {

struct WorkerOptions {
  std::size_t workers = 1;
  std::optional<WorkKind> work = {};           ///< of which events; absent: of all
  std::uint32_t batch = limits::kWorkerBatch;  ///< deliveries of one receive
  Micros visibility_us = limits::kVisibility;  ///< heartbeats come three times as often
  Micros long_poll_us = limits::kLongPoll;
  Micros backoff_base_us = 1 * kSecond;  ///< first retry: between 0 and this; doubled each time ...
  Micros backoff_cap_us = 60 * kSecond;  ///< ... up to this (full jitter)
  std::uint64_t random_seed = 1;
};

/// Workers of the queue, engine-neutral: receive, perform, complete, all through the port.
///
/// Operation: every worker is a long poll and the batch it brought; outcomes go back together. Deliveries
/// that take long are kept by heartbeats; what fails is given back with a backoff. A lost answer needs
/// nothing: the delivery comes again, and the receive count keeps the older one from doing harm. Concurrency:
/// all workers share one thread of their own; start() and stop() from the owner's. Limitations: the work must
/// be asynchronous (see Work).
class WorkerPool {
 public:
  WorkerPool(Service&, Work&, const Clock&, std::size_t loop_index, WorkerOptions);
  ~WorkerPool();  ///< stops

  void start();
  /// Asks for no more, waits for the work in hand, at most `limit_us`; what is not done by then is delivered
  /// again later.
  void stop(Micros limit_us);
  std::size_t workers() const { return options_.workers; }

 private:
  struct InHand {
    std::size_t worker;
    Receipt receipt;
  };
  struct Worker {
    bool polling = false;
    std::size_t in_hand = 0;
    Micros poll_again_at = 0;  ///< steady; after an error
    bool busy() const { return polling || in_hand != 0; }
  };

  void run();
  /// Those who have nothing to do ask for work, as far as the work has room for them.
  void poll_idle();
  void poll(std::size_t worker);
  void poll_next(std::size_t worker);
  void begin(std::size_t worker, std::vector<Delivery> deliveries);
  void end(std::uint64_t key, WorkEnd);
  void send_outcomes();
  void heartbeat();
  void end_polls(UniqueFunction<void()> done);
  void report(bool now);
  Micros backoff_us(std::uint32_t receive_count);

  Service& service_;
  Work& work_;
  const Clock& clock_;
  WorkerOptions options_;
  WaitLoop loop_;
  std::thread thread_;
  std::atomic<Micros> stop_by_{0};  ///< steady; 0: not stopping

  // The pool's thread only.
  std::vector<Worker> pool_;
  std::map<std::uint64_t, InHand> in_hand_;
  std::uint64_t next_key_ = 1;
  std::vector<Outcome> outcomes_;
  bool beginning_ = false;
  std::mt19937_64 random_;
  std::uint64_t batches_ = 0, finished_ = 0;
  Micros reported_at_ = 0;
  std::size_t calls_ = 0;  ///< to the service, not yet answered: the loop must outlive them
  std::size_t busy_ = 0;   ///< workers that poll or have something in hand
  std::size_t polling_ = 0;
  bool ending_ = false;     ///< polls are being ended
  bool held_back_ = false;  ///< somebody idle did not poll, for lack of room
};

}  // namespace spillway::intake
