#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "load/engine/worker.h"
#include "load/measure/results.h"

namespace spillway::load {

/// What all slices of a run measured in one second.
struct RunSecond {
  std::uint32_t second = 0;
  Measurements measured;
  std::uint64_t vus = 0, made_vus = 0;
  double cpu_s = 0, busiest_s = 0;
  Histogram lag;
  std::uint64_t socket_errors = 0;
};

/// Brings the seconds of all slices together. The slices' side is thread-safe; one thread takes.
class Collector {
 public:
  explicit Collector(std::size_t slices) : slices_(slices) {}

  void add(std::size_t slice, SliceSecond);
  void end(std::size_t slice, SliceEvidence);
  /// A slice that will say nothing more: an agent that was lost.
  void fail(std::size_t slice, std::string why);

  /// The next second, as soon as every slice that lives has finished it; nothing when `until_ns` (steady
  /// clock) came first, or when all slices have ended and everything was taken.
  std::optional<RunSecond> take(std::int64_t until_ns);
  bool all_ended() const;
  /// After all have ended.
  std::vector<SliceEvidence> evidence();
  std::vector<std::string> failures() const;

 private:
  struct SliceState {
    std::deque<SliceSecond> waiting;
    bool ended = false;
    std::string failure;
    SliceEvidence evidence;
  };
  /// The second that can be put together; nothing when a slice is behind.
  std::optional<std::uint32_t> next_complete() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SliceState> slices_;
};

/// The run so far, second by second.
class Timeline {
 public:
  /// Adds a second, and gives its point.
  const TimelinePoint& add(const RunSecond&, const std::map<std::string, double>& gauges);
  const std::vector<TimelinePoint>& points() const { return points_; }
  const Measurements& measured() const { return measured_; }
  Measurements take_measured() { return std::move(measured_); }
  std::vector<TimelinePoint> take_points() { return std::move(points_); }
  /// CPU, lag and errors of the generator in a run of that length; grounds are not filled in.
  SelfWatch self(double seconds) const;

 private:
  Measurements measured_;
  std::vector<TimelinePoint> points_;
  std::deque<Histogram> last_durations_;  // of the last ten seconds
  Histogram lag_;
  double cpu_s_ = 0;
  std::deque<double> last_busiest_;  // of the last ten seconds
  double worst_busiest_ = 0;         // of ten seconds, share of a core
  std::uint64_t socket_errors_ = 0;
};

}  // namespace spillway::load
