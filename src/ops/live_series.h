#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace spillway::ops {

/// What the engine tells of itself at one moment: counters since the start, and how things stand.
struct LiveSample {
  std::uint64_t accepted = 0, duplicate = 0, refused = 0;
  std::uint64_t succeeded = 0, rejected = 0, failed = 0;
  std::uint64_t visible = 0, in_flight = 0, delayed = 0, dead_letters = 0;
  double oldest_age_seconds = 0;
  bool paused = false;
  std::vector<double> latency_bounds_seconds;  ///< upper bounds of the buckets, rising
  std::vector<std::uint64_t> latency_counts;   ///< one more: the last bucket is without bound. Not cumulative
};

/// Requests answered since the start, and those of them with a status of 500 or more.
struct HttpTotals {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
};

/// Whether two samples are far enough apart, and near enough, to speak of one second.
bool about_a_second(Micros from, Micros to);

/// Makes points, one a second, of counters that only grow.
///
/// A point's rates are what was counted between this sample and the one before. Where that was not about a
/// second (the engine did not answer in time, the machine slept) they are null: no rate is better than a
/// wrong one. Concurrency: none. Pure.
class LiveSeries {
 public:
  /// A point as JSON. `at` names the second; `steady_us` is when `sample` and `http` were taken. No sample:
  /// all that comes from the engine is null.
  std::string point(Timestamp at, Micros steady_us, const std::optional<LiveSample>& sample,
                    const HttpTotals& http, Micros http_steady_us);
  /// A sample that came too late for its point: only what follows is counted from it.
  void late(LiveSample sample, Micros steady_us);

 private:
  std::optional<LiveSample> last_;
  Micros last_us_ = 0;
  std::optional<HttpTotals> last_http_;
  Micros last_http_us_ = 0;
};

/// The value below which `share` (0 to 1) of what was counted lies, taking a bucket's values as evenly
/// spread; the last bucket answers its lower bound. Nothing when nothing was counted.
std::optional<double> quantile(const std::vector<double>& bounds, const std::vector<std::uint64_t>& counts,
                               double share);

}  // namespace spillway::ops
