#include "load/verdict/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "load/verdict/steadiness.h"
#include "load/verdict/threshold.h"

namespace spillway::load {
namespace {

constexpr double kMostDropped = 0.001;  // share of the iterations that were due
constexpr double kMostFailed = 0.1;     // share of the requests, in a plan that says nothing of failures
constexpr std::size_t kMostSpikesTold = 10;

bool missed(const ThresholdResult& t) { return !t.ok; }
bool warned(const ThresholdResult& t) { return t.ok && !t.warn.empty() && !t.warn_ok; }
/// Other than one that had nothing to look at, which is not ok either but proves no fault of the server's.
bool violated(const InvariantResult& i) { return !i.ok && (i.violations > 0 || i.looked_at > 0); }
bool unproven(const InvariantResult& i) { return !i.ok && !violated(i); }

/// Collects what speaks for each verdict, then takes the one that counts most.
class Judge {
 public:
  Judge(const Plan& plan, Results& results) : plan_(plan), results_(results) {
    requests_ = static_cast<std::uint64_t>(measured(metric::kHttpReqs).sum);
    for (const TimelinePoint& point : results.timeline) timeline_requests_ += point.requests;
  }

  void run() {
    look_at_invariants();
    look_at_generator();
    look_at_thresholds();
    look_at_empty_thresholds();
    look_at_failures();
    look_at_load();
    look_at_steadiness();
    look_at_faults();
    look_at_checks();
    decide();
  }

 private:
  Sink measured(std::string_view name) const { return results_.measured.select(name); }
  std::uint64_t samples_of(const Selector& selector) const {
    return results_.measured.select(selector.metric, selector.tags).samples;
  }
  bool stopped_by_a_threshold() const;
  bool no_requests() const { return requests_ == 0 && timeline_requests_ == 0; }
  void ground(std::string text) { results_.grounds.push_back(std::move(text)); }
  void todo(std::string text) { results_.action_items.push_back(std::move(text)); }

  void look_at_invariants();
  void look_at_generator();
  void look_at_thresholds();
  void look_at_empty_thresholds();
  void look_at_failures();
  void look_at_load();
  void look_at_steadiness();
  void look_at_faults();
  void look_at_checks();
  void decide();
  void tell_disturbances(const std::vector<Disturbance>& found, bool spikes);
  void tell_what_holds();

  const Plan& plan_;
  Results& results_;
  std::uint64_t requests_ = 0, timeline_requests_ = 0;
  bool violated_ = false, unproven_ = false, bottleneck_ = false, not_applied_ = false, unsettled_ = false;
  std::size_t missed_ = 0, warned_ = 0;
  std::size_t load_missed_ =
      0;  ///< of those missed_: on dropped_iterations, which is the run's and not the server's
  bool core_missed_ = false, failing_ = false, stopped_by_a_person_ = false;
  bool excused_errors_ = false;  // by faults
};

void Judge::look_at_invariants() {
  for (const InvariantResult& one : results_.invariants) {
    if (violated(one)) {
      violated_ = true;
      ground(fmt::format("the invariant \"{}\" was violated: {}", one.name, one.detail));
      todo(fmt::format("Find out how \"{}\" could be violated; until then do not go on sale.", one.name));
    } else if (unproven(one)) {
      unproven_ = true;
      ground(fmt::format("the invariant \"{}\" had nothing to look at: {}", one.name, one.detail));
      todo(fmt::format("Repeat the run so that \"{}\" has something to be held against.", one.name));
    }
  }
}

void Judge::look_at_generator() {
  bottleneck_ = !results_.self.grounds.empty();
  for (const std::string& why : results_.self.grounds) ground("the generator was the bottleneck: " + why);
  if (bottleneck_)
    todo(
        "Repeat it on a faster machine or on several (--agents), or with less load; these figures are not "
        "the "
        "server's.");
  if (no_requests()) {
    ground("no request was made");
    todo("Look at the target's address and at the console log: no request was made.");
  }
}

void Judge::look_at_thresholds() {
  for (const ThresholdResult& one : results_.thresholds) {
    if (missed(one)) {
      ++missed_;
      core_missed_ |= one.core;
      const auto selector = parse_selector(one.metric);
      if (selector && selector->metric == metric::kDroppedIterations) ++load_missed_;
      const bool known =
          selector && (type_of_known_metric(selector->metric) || results_.measured.find(selector->metric));
      if (!known) {
        ground(fmt::format("{} missed {}: nothing of that name was measured", one.metric, one.expression));
        todo(fmt::format("Correct the name of the metric {} in the plan.", one.metric));
        continue;
      }
      ground(fmt::format("{} missed {}: it was {:.6g}{}", one.metric, one.expression, one.value,
                         one.core ? " (core)" : ""));
      todo(fmt::format("Find out why {} missed {}.", one.metric, one.expression));
    } else if (warned(one)) {
      ++warned_;
      ground(fmt::format("{} held {} and missed its warn bound {}: it was {:.6g}", one.metric, one.expression,
                         one.warn, one.value));
      todo(fmt::format("Watch {}: it is past its warn bound {}.", one.metric, one.warn));
    }
  }
}

/// What holds because nothing was measured. Of what matters most that is no pass: a slip in a tag's value
/// looks like this.
void Judge::look_at_empty_thresholds() {
  for (const ThresholdResult& one : results_.thresholds) {
    const auto selector = parse_selector(one.metric);
    if (!one.ok || !selector || no_requests() || samples_of(*selector) > 0 ||
        selector->metric == metric::kDroppedIterations)
      continue;
    if (one.core && !selector->tags.empty()) {
      unproven_ = true;
      ground(fmt::format("{}: {}: nothing was measured that this threshold is about", one.metric,
                         one.expression));
    }
    todo(fmt::format("See whether {} is what you mean: it holds {} without any samples.", one.metric,
                     one.expression));
  }
}

void Judge::look_at_failures() {
  const double share = measured(metric::kHttpReqFailed).rate();
  const auto about_failures = [&](const ThresholdResult& one) {
    const auto selector = parse_selector(one.metric);
    return selector && selector->metric == metric::kHttpReqFailed && samples_of(*selector) > 0;
  };
  failing_ = share > kMostFailed &&
             std::none_of(results_.thresholds.begin(), results_.thresholds.end(), about_failures);
  if (!failing_) return;
  ground(fmt::format("{:.2f}% of all requests failed, and no threshold of the plan is about failures",
                     100 * share));
  todo("Find out why so many requests failed, and give the plan a threshold on http_req_failed.");
}

bool Judge::stopped_by_a_threshold() const {
  return std::any_of(plan_.thresholds.begin(), plan_.thresholds.end(), [&](const Threshold& planned) {
    if (!planned.abort_on_fail) return false;
    const auto parsed = parse_threshold(planned);
    return parsed && std::any_of(results_.thresholds.begin(), results_.thresholds.end(),
                                 [&](const ThresholdResult& one) {
                                   return missed(one) && one.metric == parsed->metric &&
                                          one.expression == parsed->expression;
                                 });
  });
}

void Judge::look_at_load() {
  const double iterations = measured(metric::kIterations).sum;
  const double dropped = std::max(measured(metric::kDroppedIterations).sum,
                                  static_cast<double>(results_.self.dropped_iterations));
  if (dropped > kMostDropped * (iterations + dropped)) {
    not_applied_ = true;
    ground(fmt::format(
        "the load was not applied: {:.0f} of {:.0f} iterations that were due were dropped ({:.2f}%)", dropped,
        iterations + dropped, 100 * dropped / (iterations + dropped)));
    std::string names;
    for (const Scenario& scenario : plan_.scenarios) {
      if (scenario.open_model()) names += (names.empty() ? " of " : ", ") + scenario.name;
    }
    todo(fmt::format("Raise maxVUs{}, or find out why answers took so long that all virtual users were busy.",
                     names));
  }
  if (!results_.aborted) return;
  ground(fmt::format("the run was stopped before its end, after {:.0f} s", results_.duration_s));
  stopped_by_a_person_ = !stopped_by_a_threshold();
  if (stopped_by_a_person_) todo("Let it run to its end: a part of the plan is not the plan.");
}

void Judge::tell_disturbances(const std::vector<Disturbance>& found, bool spikes) {
  std::size_t counted = 0;
  for (const Disturbance& one : found) {
    if (!one.within) {
      ++counted;
      unsettled_ = true;
      if (!spikes) results_.errors_steady = false;
    } else if (!spikes) {
      excused_errors_ = true;
    }
    const std::size_t told = static_cast<std::size_t>(&one - found.data());
    if (told >= kMostSpikesTold) continue;
    const std::string what =
        spikes ? fmt::format("a spike: p95 of ten seconds {:.2f} ms", one.worst)
               : fmt::format("errors were not steady: {:.2f}% of ten seconds", 100 * one.worst);
    const std::string where = one.first_end_s < one.last_end_s
                                  ? fmt::format("from {:.0f} s to {:.0f} s", one.first_end_s, one.last_end_s)
                                  : fmt::format("at {:.0f} s", one.first_end_s);
    ground(fmt::format(
        "{} {}{}{}", what, where,
        spikes && one.generator_late ? ", and the generator was late then itself" : "",
        one.within ? fmt::format(", within the fault \"{}\", which does not count", one.within->name) : ""));
  }
  if (found.size() > kMostSpikesTold)
    ground(
        fmt::format("and {} more such {}", found.size() - kMostSpikesTold, spikes ? "spikes" : "stretches"));
  if (counted == 0) return;
  todo(spikes
           ? "Look at what the server did during the spikes: its log, its metrics, the charts of the report."
           : "Look at what failed when errors were not steady: the server's log, and the answers' status "
             "codes.");
}

void Judge::look_at_steadiness() {
  const Sink durations = measured(metric::kHttpReqDuration);
  const Sink failures = measured(metric::kHttpReqFailed);
  results_.errors_steady = true;
  results_.spikes_at_s.clear();
  if (durations.samples > 0 || durations.values) {
    const auto spikes = find_spikes(results_, durations.quantile(0.95));
    for (const Disturbance& one : spikes) results_.spikes_at_s.push_back(one.first_end_s);
    tell_disturbances(spikes, true);
  }
  tell_disturbances(find_unsteady_errors(results_, failures.rate()), false);
}

void Judge::look_at_faults() {
  for (const FaultResult& fault : results_.faults) {
    if (fault.recovery_s >= 0) continue;
    ground(fmt::format("no recovery within the run from the fault \"{}\"", fault.name));
    todo(fmt::format("Find out why the server did not recover from \"{}\", or let the run be longer.",
                     fault.name));
  }
}

void Judge::look_at_checks() {
  for (const CheckResult& check : results_.checks) {
    if (check.fails > 0)
      todo(fmt::format("Look at the {} answers of {} that failed the check \"{}\".", check.fails,
                       check.passes + check.fails, check.name));
  }
}

void Judge::tell_what_holds() {
  if (results_.thresholds.empty()) {
    ground("the plan has no thresholds");
  } else if (missed_ == 0) {
    ground(results_.thresholds.size() == 1
               ? "the threshold holds"
               : fmt::format("all {} thresholds hold", results_.thresholds.size()));
  }
  const bool any_unproven = std::any_of(results_.invariants.begin(), results_.invariants.end(), unproven);
  if (!results_.invariants.empty() && !violated_ && !any_unproven) {
    ground(results_.invariants.size() == 1
               ? "the invariant holds"
               : fmt::format("all {} invariants hold", results_.invariants.size()));
  }
  if (results_.errors_steady && !no_requests())
    ground(fmt::format("errors are steady{}: {:.2f}% of all requests",
                       excused_errors_ ? " apart from that" : "",
                       100 * measured(metric::kHttpReqFailed).rate()));
}

void Judge::decide() {
  if (violated_) {
    results_.verdict = Verdict::kFail;
  } else if (no_requests() || bottleneck_) {
    results_.verdict = Verdict::kInvalid;
  } else if (core_missed_ || failing_) {
    results_.verdict = Verdict::kFail;
  } else if (stopped_by_a_person_ || (missed_ == load_missed_ && (not_applied_ || unproven_))) {
    results_.verdict = Verdict::kInvalid;
  } else if (missed_ > 1) {
    results_.verdict = Verdict::kFail;
  } else {
    results_.verdict = missed_ + warned_ > 0 || unsettled_ ? Verdict::kWarn : Verdict::kPass;
  }
  // The grounds begin with what decided: for a pass that is what holds, else what was collected, of which the
  // heaviest came first.
  const auto against = static_cast<std::ptrdiff_t>(results_.grounds.size());
  tell_what_holds();
  if (results_.verdict == Verdict::kPass)
    std::rotate(results_.grounds.begin(), results_.grounds.begin() + against, results_.grounds.end());
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kWarn:
      return "WARN";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kInvalid:
      return "INVALID";
  }
  return "";
}

void judge(const Plan& plan, Results& results) {
  if (results.thresholds.empty())
    results.thresholds = evaluate_all(plan, results.measured, results.duration_s);
  results.grounds.clear();
  results.action_items.clear();
  Judge(plan, results).run();
}

int exit_code(const Results& results) {
  if (results.verdict == Verdict::kFail ||
      std::any_of(results.thresholds.begin(), results.thresholds.end(), missed))
    return kExitThresholdsFailed;
  if (results.aborted) return kExitAborted;
  return results.verdict == Verdict::kInvalid ? kExitInvalid : kExitPass;
}

}  // namespace spillway::load
