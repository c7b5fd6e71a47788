#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace spillway::load {

// A plan: what is loaded how, and what must hold. A TOML file; docs/load-plans.md describes every key. Fields
// and defaults of scenarios and thresholds are k6's. All times are seconds.

enum class Executor : std::uint8_t {
  kSharedIterations,
  kPerVuIterations,
  kConstantVus,
  kRampingVus,
  kConstantArrivalRate,
  kRampingArrivalRate,
};
std::string_view name(Executor);  ///< "shared-iterations"

struct Stage {
  double duration_s = 0;
  double target = 0;  ///< virtual users, or iterations a timeUnit
};

/// What happens to an iteration that is due while all virtual users are busy.
enum class Late : std::uint8_t {
  kDrop,  ///< as k6: counted in dropped_iterations, never made
  kWait,  ///< made as soon as one is free, within gracefulStop; its response time counts from when it was due
};

/// What journeys are told, beside the target: key -> value, as text. Nothing in it is secret.
using Settings = std::map<std::string, std::string>;

struct Scenario {
  std::string name;
  std::string journey;
  Executor executor = Executor::kConstantVus;
  std::uint64_t vus = 1;
  std::uint64_t iterations = 1;  ///< all together (shared), or of each virtual user
  double max_duration_s = 600;   ///< of the two with iterations
  double duration_s = 0;         ///< of the two that are constant
  double start_time_s = 0;
  double graceful_stop_s = 30;
  double graceful_ramp_down_s = 30;  ///< ramping-vus
  std::uint64_t start_vus = 1;       ///< ramping-vus
  std::vector<Stage> stages;
  double rate = 0;        ///< constant-arrival-rate: iterations a time unit
  double start_rate = 0;  ///< ramping-arrival-rate
  double time_unit_s = 1;
  std::uint64_t pre_allocated_vus = 0;
  std::uint64_t max_vus = 0;  ///< 0 in the file: pre_allocated_vus
  Late late = Late::kDrop;
  std::map<std::string, std::string> tags;
  Settings settings;  ///< the plan's, and over them the scenario's own

  /// Without start and graceful stop: how long it makes load. With iterations: at most.
  double length_s() const;
  bool open_model() const {
    return executor == Executor::kConstantArrivalRate || executor == Executor::kRampingArrivalRate;
  }
  /// How many virtual users it may have at once.
  std::uint64_t most_vus() const;
  std::uint64_t vus_made_before() const { return open_model() ? pre_allocated_vus : most_vus(); }
};

struct Threshold {
  std::string metric;  ///< with its tags, as written: http_req_duration{name:enter}
  std::string expression;
  bool abort_on_fail = false;
  double delay_abort_eval_s = 0;
  std::string warn = {};  ///< a stricter expression; when it does not hold the verdict is WARN
};

struct Fault {
  std::string
      kind;  ///< kill, stop, restart: the server's process; latency, bandwidth, reset, down: the proxy
  double at_s = 0;
  double for_s = 0;
  /// latency_ms, jitter_ms, rate_kb_per_s, percent, timeout_ms: as the kind wants
  std::map<std::string, double> numbers;
  bool on_process() const { return kind == "kill" || kind == "stop" || kind == "restart"; }
};

/// find-the-knee: the plan is run again at a higher rate until its verdict turns.
struct Knee {
  double start = 0;     ///< iterations a second (open models), or virtual users
  double factor = 1.5;  ///< from one run to the next
  double most = 0;
  double step_s = 30;  ///< length of each run
};

inline constexpr std::string_view kAllInvariants = "all";

struct Plan {
  std::string name;  ///< of files: A-Z a-z 0-9 - _
  std::string title;
  std::string description;
  std::vector<std::string> base_urls;  ///< http or https; virtual user n uses number n mod count
  std::uint32_t source_addresses = 0;  ///< to 127/8 only: so many of 127.0.1.1, 127.0.1.2 ... are used in
                                       ///< turn; 0: as many as the virtual users need, one for 10,000
  double timeout_s = 60;               ///< of one request
  double settle_s = 60;  ///< after the load: how long the invariants wait for the server to finish
  std::map<std::string, std::string> settings;  ///< of all journeys
  std::vector<Scenario> scenarios;
  std::vector<Threshold> thresholds;
  std::vector<std::string> invariants;  ///< names; kAllInvariants (the default): all that the journeys know
  std::vector<Fault> faults;
  std::optional<Knee> knee;
  std::string text;  ///< the TOML it came from, after changes: what agents are sent

  /// From the start to the end of the last scenario, without graceful stops.
  double length_s() const;
  /// The virtual users of all scenarios that may be there at once.
  std::uint64_t most_vus() const;
  /// Those of them that are made before the start; an open model makes more when it needs them.
  std::uint64_t vus_made_before() const;
  /// Into how many slices it may be cut: one without a virtual user would leave arrivals and shared
  /// iterations undone.
  std::uint64_t most_slices() const;
};

/// "90s", "1m30s", "500ms", "1h", or a plain number of seconds; as k6 and Go write them.
Result<double> parse_duration(std::string_view);

/// What the command line changes, applied to the file's text in this order.
struct PlanChanges {
  std::vector<std::pair<std::string, std::string>> set;  ///< "scenarios.people.vus" -> "500"
  std::vector<std::string> base_urls;
  std::optional<std::uint64_t> vus;  ///< of every scenario; ramping: its peak; open models: maxVUs
  std::optional<double> duration_s;  ///< of every scenario: stages are scaled to it
  /// Stages, durations, start times, faults, the knee's step; not graceful stops.
  double scale_time = 1;
};

/// Errors: invalid_argument with the key that is wrong, or line and column where it is no TOML.
Result<Plan> parse_plan(std::string_view toml, const PlanChanges& = {});

/// The plans that are part of the program: name and text.
const std::vector<std::pair<std::string_view, std::string_view>>& shipped_plans();
/// A shipped plan by name, else a file. Errors: not_found.
Result<std::string> read_plan(const std::string& name_or_file);

}  // namespace spillway::load
