#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "load/engine/scenario_run.h"
#include "load/measure/metrics.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// What one thread of one machine did in one second of the run.
struct SliceSecond {
  std::uint32_t second = 0;  ///< number of the second, from 0
  Measurements measured;
  std::uint64_t vus = 0, made_vus = 0;
  double cpu_s = 0;  ///< of the thread, in this second
  Histogram lag;
  std::uint64_t socket_errors = 0;

  std::string encode() const;
  static std::optional<SliceSecond> decode(std::string_view);
};

/// What a thread leaves at the end: the evidence of its journeys, by scenario.
using SliceEvidence = std::vector<std::string>;

struct WorkerSetup {
  const Plan& plan;
  std::string run_id;
  std::vector<Target> targets;
  std::shared_ptr<TlsSettings> tls;
  Slice slice;
  std::int64_t start_ns = 0;  ///< steady clock
  PointLog* points = nullptr;
};

/// A thread that makes its slice of the load. The callbacks run on it.
class Worker {
 public:
  using OnSecond = std::function<void(SliceSecond)>;
  using OnEnd = std::function<void(SliceEvidence)>;

  /// Errors: internal (no descriptors).
  static Result<std::unique_ptr<Worker>> start(WorkerSetup, OnSecond, OnEnd);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Ends the load: no new iterations, graceful stops from now on. From any thread.
  void stop() { stop_.store(true, std::memory_order_relaxed); }
  /// Ends it at once, whatever is under way; the callbacks are not called any more. From any thread.
  void abandon() { abandoned_.store(true, std::memory_order_relaxed); }
  void join();

 private:
  Worker(WorkerSetup, EventLoop, OnSecond, OnEnd);
  void run();
  void finish_second(std::int64_t now_ns);

  const WorkerSetup setup_;
  const OnSecond on_second_;
  const OnEnd on_end_;
  EventLoop loop_;
  Recorder recorder_;
  UserWorld world_;
  std::vector<std::unique_ptr<ScenarioRun>> scenarios_;
  std::uint32_t second_ = 0;
  std::int64_t cpu_ns_ = 0;
  std::atomic<bool> stop_ = false, abandoned_ = false;
  std::thread thread_;
};

}  // namespace spillway::load
