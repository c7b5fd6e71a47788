#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "load/measure/metrics.h"

namespace spillway::load {

/// One second of a run, for charts and for whoever watches. Rates are a second's counts.
struct TimelinePoint {
  double at_s = 0;  ///< its end, from the start of the run
  std::uint64_t vus = 0, vus_max = 0;
  std::uint64_t requests = 0, failed = 0, iterations = 0, dropped = 0;
  /// Of http_req_duration and http_req_response_time, in ms; 0 without requests.
  struct Percentiles {
    double p50 = 0, p95 = 0, p99 = 0, max = 0;
  };
  Percentiles service, response;
  double p95_of_10s = 0;                ///< of http_req_duration in the ten seconds that end here, ms
  std::map<std::string, double> steps;  ///< p95 of http_req_duration by step ("name"), ms
  std::map<std::string, double>
      gauges;                ///< what journeys watch: "queue_active_size", and "server_cpu" in cores
  double generator_cpu = 0;  ///< cores
  double lag_p99_ms = 0;     ///< how late the generator started what was due and could start
};

struct ThresholdResult {
  std::string metric;      ///< with its tags: http_req_duration{name:enter}
  std::string expression;  ///< p(95)<200
  bool ok = true;
  double value = 0;       ///< what the left side was
  std::string warn = {};  ///< the stricter bound, where the plan gave one
  bool warn_ok = true;
  bool core = false;  ///< failures, checks, or a latency of requests: missing it is FAIL
};

struct CheckResult {
  std::string name;
  std::uint64_t passes = 0, fails = 0;
};

struct InvariantResult {
  std::string name;  ///< "exactly N winners"
  bool ok = true;
  std::uint64_t looked_at = 0;  ///< how many things were held against it: 0 proves nothing, and is not ok
  std::uint64_t violations = 0;
  std::string detail;  ///< one sentence with the figures, and an example of a violation
};

struct FaultResult {
  std::string name;    ///< "kill -9 the server", "latency 200 ms +- 50 ms"
  double from_s = 0;   ///< on the timeline
  double until_s = 0;  ///< when it was taken back; a kill: when the server was started again
  /// From `until_s` until the errors and the p95 of a second are again what they were before the fault, for
  /// three seconds; negative: not within the run.
  double recovery_s = -1;
  std::uint64_t failed_requests = 0;  ///< from the fault's beginning to the recovery
  std::string detail;
};

/// How the generator itself did. Whatever is worse than its bound makes a run INVALID.
struct SelfWatch {
  double cpu_cores = 0;       ///< used on average
  double busiest_thread = 0;  ///< share of a core, in its worst ten seconds
  double lag_p99_ms = 0, lag_max_ms = 0;
  std::uint64_t dropped_iterations = 0;
  std::uint64_t socket_errors = 0;   ///< our own: no more ports, files or memory
  std::uint64_t bytes_per_vu = 0;    ///< resident memory that came with the virtual users, over their number;
                                     ///< 0: they were too few to tell
  std::vector<std::string> grounds;  ///< why it was the bottleneck; empty: it was not
};

enum class Verdict : std::uint8_t { kPass, kWarn, kFail, kInvalid };
std::string_view name(Verdict);  ///< "PASS"

struct Results {
  std::string plan;                                              ///< its name
  std::string title;                                             ///< of the plan, one line
  std::string description;                                       ///< of the plan
  std::string command;                                           ///< that repeats it
  std::vector<std::pair<std::string, std::string>> environment;  ///< machine, target, settings
  Timestamp started_at;
  double duration_s = 0;
  Measurements measured;
  std::vector<TimelinePoint> timeline;
  std::vector<CheckResult> checks;
  std::vector<ThresholdResult> thresholds;
  std::vector<InvariantResult> invariants;
  std::vector<FaultResult> faults;
  SelfWatch self;
  bool aborted = false;  ///< by a threshold with abortOnFail, or by the person who watched
  bool errors_steady = true;
  std::vector<double> spikes_at_s;  ///< ten-second windows whose p95 is more than 3 times the run's
  Verdict verdict = Verdict::kInvalid;
  std::vector<std::string> grounds;  ///< of the verdict, one sentence each
  std::vector<std::string> action_items;
};

}  // namespace spillway::load
