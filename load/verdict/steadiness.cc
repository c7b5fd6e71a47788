#include "load/verdict/steadiness.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace spillway::load {
namespace {

constexpr double kWindowS = 10;
constexpr double kTimesTheRun = 3;
constexpr double kSpikeFloorMs = 5;  // above the run's: three times very little is nothing that anybody feels
constexpr double kLeastFailures = 0.01;  // share: fewer are never called unsteady
constexpr double kLateMs = 50;           // lag p99 of a second: what makes a whole run INVALID
constexpr double kClockSlackS = 0.5;     // a second's point may come that much beside the full second

/// After a fault's recovery for one window's length, because until then windows still hold seconds of the
/// fault. A fault without a recovery explains no more than that: what goes on after it was taken back is the
/// server's.
bool explains(const FaultResult& fault, double window_end_s) {
  const double end = fault.until_s + std::max(0.0, fault.recovery_s) + kWindowS + kClockSlackS;
  return window_end_s >= fault.from_s && window_end_s <= end;
}

/// Takes windows in the order of time.
class Merger {
 public:
  explicit Merger(const Results& results) : results_(results) {}

  void add(double window_end_s, double value) {
    const FaultResult* excuse = excuse_of(window_end_s);
    if (found_.empty() || found_.back().within != excuse ||
        window_end_s - found_.back().last_end_s > kWindowS + kClockSlackS)
      found_.push_back({window_end_s, window_end_s, value, excuse});
    found_.back().last_end_s = window_end_s;
    found_.back().worst = std::max(found_.back().worst, value);
  }
  std::vector<Disturbance> take() {
    for (Disturbance& one : found_) one.generator_late = was_late(one);
    return std::move(found_);
  }

 private:
  /// Of two faults at once the one that explained the window before, so that one stretch is not told as two.
  const FaultResult* excuse_of(double window_end_s) const {
    const FaultResult* before = found_.empty() ? nullptr : found_.back().within;
    if (before && explains(*before, window_end_s)) return before;
    const auto found = std::find_if(results_.faults.begin(), results_.faults.end(),
                                    [&](const FaultResult& fault) { return explains(fault, window_end_s); });
    return found == results_.faults.end() ? nullptr : &*found;
  }
  bool was_late(const Disturbance& one) const {
    return std::any_of(results_.timeline.begin(), results_.timeline.end(), [&](const TimelinePoint& second) {
      return second.lag_p99_ms > kLateMs && second.at_s > one.first_end_s - kWindowS + kClockSlackS &&
             second.at_s <= one.last_end_s;
    });
  }

  const Results& results_;
  std::vector<Disturbance> found_;
};

/// The first seconds of a run are no window yet.
bool is_full_window(const TimelinePoint& point) { return point.at_s >= kWindowS - kClockSlackS; }

}  // namespace

std::vector<Disturbance> find_spikes(const Results& results, double run_p95_ms) {
  Merger spikes(results);
  for (const TimelinePoint& point : results.timeline) {
    const double bound_ms = std::max(kTimesTheRun * run_p95_ms, run_p95_ms + kSpikeFloorMs);
    if (is_full_window(point) && point.p95_of_10s > bound_ms) spikes.add(point.at_s, point.p95_of_10s);
  }
  return spikes.take();
}

std::vector<Disturbance> find_unsteady_errors(const Results& results, double run_share) {
  Merger unsteady(results);
  std::uint64_t requests = 0, failed = 0;
  std::size_t oldest = 0;
  for (const TimelinePoint& point : results.timeline) {
    requests += point.requests;
    failed += point.failed;
    for (; results.timeline[oldest].at_s <= point.at_s - kWindowS + kClockSlackS / 2; ++oldest) {
      requests -= results.timeline[oldest].requests;
      failed -= results.timeline[oldest].failed;
    }
    if (requests == 0 || !is_full_window(point)) continue;
    const double share = static_cast<double>(failed) / static_cast<double>(requests);
    if (share > kLeastFailures && share > kTimesTheRun * run_share) unsteady.add(point.at_s, share);
  }
  return unsteady.take();
}

}  // namespace spillway::load
