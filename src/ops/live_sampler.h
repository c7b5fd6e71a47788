#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/unique_function.h"
#include "base/wait_loop.h"
#include "ops/live_series.h"

namespace spillway::ops {

/// Asks the engine how things stand: answers once, on the loop that asked, perhaps much later. Nothing: it
/// could not be told.
using LiveSource = std::function<void(UniqueFunction<void(std::optional<LiveSample>)>)>;

/// Asks once a second and makes a point of each answer.
///
/// Operation: an answer that is not there when the next second begins is not waited for: its point is
/// published without it, and nothing more is asked before it has come. Concurrency: none; everything on one
/// thread, on a Loop; LiveSampler gives it one.
class LiveSampling {
 public:
  LiveSampling(const Clock& clock, LiveSource source, std::function<HttpTotals()> http,
               std::function<void(std::string point)> publish)
      : clock_(clock), source_(std::move(source)), http_(std::move(http)), publish_(std::move(publish)) {}

  /// Once a second.
  void tick();
  /// Whether an answer is still to come.
  bool waiting() const { return waiting_; }

 private:
  void answered(std::uint64_t tick, std::optional<LiveSample>);

  const Clock& clock_;
  LiveSource source_;
  std::function<HttpTotals()> http_;
  std::function<void(std::string)> publish_;
  LiveSeries series_;
  std::uint64_t ticks_ = 0;
  bool waiting_ = false;
  // Of the tick whose point is not published yet.
  bool open_ = false;
  Timestamp at_;
  Micros steady_us_ = 0;
  HttpTotals http_then_;
};

/// What the sampling thread does. All on its thread.
struct LiveWork {
  std::function<void()> tick;     ///< once a second
  std::function<bool()> waiting;  ///< whether an answer to what a tick asked is still to come
  std::function<bool()> wanted;   ///< whether to call between() every limits::kLivePieceEvery
  std::function<void()> between;
};

/// The thread that samples.
class LiveSampler {
 public:
  /// `loop_index`: of its Loop.
  LiveSampler(const Clock& clock, LiveWork work, std::size_t loop_index)
      : clock_(clock), work_(std::move(work)), loop_(loop_index) {}
  ~LiveSampler() { stop(); }

  void start();
  /// Returns when nothing is asked any more: while the engine still answers. Idempotent.
  void stop();

 private:
  void run();

  const Clock& clock_;
  LiveWork work_;
  WaitLoop loop_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace spillway::ops
