#include <fmt/format.h>

#include <set>

#include "load/engine/journey.h"
#include "load/engine/run.h"
#include "load/verdict/threshold.h"

namespace spillway::load {
namespace {

/// That some journey of the plan can tell of each invariant: a soak of hours must not end with a wrong name.
Status check_invariants(const Plan& plan) {
  std::set<std::string_view> known;
  for (const Scenario& scenario : plan.scenarios) {
    const JourneyKind& kind = *find_journey(scenario.journey);
    known.insert(kind.invariants.begin(), kind.invariants.end());
  }
  for (const std::string& name : plan.invariants) {
    if (name != kAllInvariants && !known.contains(name))
      return invalid_argument(
          fmt::format("invariants: no journey of this plan knows \"{}\"; there are {}, {}", name,
                      kAllInvariants, fmt::join(known, ", ")));
  }
  return Ok{};
}

}  // namespace

Status check_plan(const Plan& plan) {
  std::vector<Metric> known;
  std::set<std::string_view> plan_wide;  // settings that some journey knows
  for (const Scenario& scenario : plan.scenarios) {
    const JourneyKind* kind = find_journey(scenario.journey);
    if (kind == nullptr) {
      std::string names;
      for (const JourneyKind& one : all_journeys())
        names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
      return invalid_argument(fmt::format("scenarios.{}.journey: there is no journey {}; there are {}",
                                          scenario.name, scenario.journey, names));
    }
    for (const auto& [name, help] : kind->settings) plan_wide.insert(name);
    Recorder recorder;
    const auto journey = kind->make({scenario, "", "", &recorder});
    if (Status good = journey->check_settings(); !good) return good;
    for (const Metric& metric : recorder.metrics()) known.push_back(metric);
    for (const std::string_view gauge : kind->gauges)
      known.push_back({std::string(gauge), MetricType::kGauge});
  }
  for (const Scenario& scenario : plan.scenarios) {
    if (Status good = check_settings(scenario, *find_journey(scenario.journey), plan.settings); !good)
      return good;
  }
  for (const auto& [key, value] : plan.settings) {
    if (!plan_wide.contains(key))
      return invalid_argument(fmt::format("settings.{}: no journey of this plan has such a setting", key));
  }
  if (Status good = check_invariants(plan); !good) return good;
  return check_thresholds(plan, known);
}

}  // namespace spillway::load
