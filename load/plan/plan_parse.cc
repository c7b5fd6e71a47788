#include "load/plan/plan_parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "load/plan/plan_limits.h"
#include "load/plan/table_reader.h"
#include "load/wire/target.h"

namespace spillway::load {
namespace {

constexpr Range kFaultNumber{0, limits::kMaxFaultNumber};
constexpr Range kPercent{0, 100, true};

struct FaultKind {
  std::string_view name;
  std::vector<std::pair<std::string_view, Range>> numbers;
  std::string_view needed;  // the number without which it does nothing
};

const std::vector<FaultKind>& fault_kinds() {
  static const std::vector<FaultKind> kinds = {
      {"kill", {}, ""},
      {"stop", {}, ""},
      {"restart", {}, ""},
      {"latency", {{"latency_ms", kFaultNumber}, {"jitter_ms", kFaultNumber}}, "latency_ms"},
      {"bandwidth", {{"rate_kb_per_s", {0, limits::kMaxFaultNumber, true}}}, "rate_kb_per_s"},
      {"reset", {{"percent", kPercent}, {"timeout_ms", kFaultNumber}}, ""},
      {"down", {}, ""},
  };
  return kinds;
}

/// A string, or an array of them.
void read_strings(TableReader& reader, std::string_view key, std::size_t most,
                  std::vector<std::string>& into) {
  const TomlValue* value = reader.any(key);
  if (value == nullptr) return;
  TomlArray one{*value};
  const TomlArray& all = value->as<TomlArray>() ? *value->as<TomlArray>() : one;
  if (all.size() > most)
    return reader.refuse(key, fmt::format("has {} entries, at most {}", all.size(), most));
  into.clear();
  for (const TomlValue& element : all) {
    const auto* text = element.as<std::string>();
    if (text == nullptr)
      return reader.refuse(key,
                           fmt::format("must be a string or an array of strings, not {}", kind_of(element)));
    into.push_back(*text);
  }
}

void read_target(TableReader& reader, Plan& plan) {
  read_strings(reader.required(), "base_url", limits::kMaxBaseUrls, plan.base_urls);
  if (plan.base_urls.empty()) reader.refuse("base_url", "must name a server");
  for (const std::string& url : plan.base_urls)
    if (auto target = parse_target(url); !target) reader.refuse("base_url", target.error().message);
  plan.source_addresses = static_cast<std::uint32_t>(
      reader.whole("source_addresses", 0, {0, static_cast<double>(limits::kMaxSourceAddresses)}));
  plan.timeout_s = reader.seconds("timeout", plan.timeout_s, {0, limits::kMaxTimeoutSeconds, true});
  plan.settle_s = reader.seconds("settle", plan.settle_s, {0, limits::kMaxPlanSeconds});
}

void read_scenarios(TableReader& reader, Plan& plan) {
  const TomlTable* scenarios = reader.required().table("scenarios");
  if (scenarios == nullptr) return;
  if (scenarios->empty()) reader.refuse("scenarios", "must have at least one scenario");
  if (scenarios->size() > limits::kMaxScenarios)
    return reader.refuse(
        "scenarios", fmt::format("has {} scenarios, at most {}", scenarios->size(), limits::kMaxScenarios));
  for (const TomlEntry& entry : *scenarios) {
    const std::string path = "scenarios." + entry.key;
    const auto* table = entry.value.as<TomlTable>();
    if (table == nullptr)
      return reader.refuse(path, fmt::format("must be a table, not {}", kind_of(entry.value)));
    Result<Scenario> scenario = build_scenario(entry.key, *table, path);
    if (!scenario) return reader.refuse(scenario.error());
    scenario->settings.insert(plan.settings.begin(), plan.settings.end());  // its own are there already
    plan.scenarios.push_back(std::move(*scenario));
  }
  if (plan.most_vus() > limits::kMaxVus)
    reader.refuse("scenarios",
                  fmt::format("{} virtual users at once, at most {}", plan.most_vus(), limits::kMaxVus));
}

Result<Threshold> build_threshold(const std::string& metric, const TomlValue& value,
                                  const std::string& path) {
  Threshold threshold;
  threshold.metric = metric;
  if (const auto* expression = value.as<std::string>()) {
    threshold.expression = *expression;
    if (threshold.expression.empty() || threshold.expression.size() > limits::kMaxExpressionBytes)
      return invalid_argument(
          fmt::format("{}: an expression has 1 to {} bytes", path, limits::kMaxExpressionBytes));
    return threshold;
  }
  const auto* table = value.as<TomlTable>();
  if (table == nullptr)
    return invalid_argument(
        fmt::format("{}: must be \"p(95)<200\" or a table with threshold, not {}", path, kind_of(value)));
  TableReader reader(*table, path, "a threshold");
  threshold.expression = reader.required().text("threshold", "", limits::kMaxExpressionBytes);
  threshold.abort_on_fail = reader.flag("abortOnFail", false);
  threshold.delay_abort_eval_s = reader.seconds("delayAbortEval", 0, {0, limits::kMaxPlanSeconds});
  threshold.warn = reader.text("warn", "", limits::kMaxExpressionBytes);
  if (Status status = reader.finish(); !status) return status.error();
  return threshold;
}

void read_thresholds(TableReader& reader, Plan& plan) {
  const TomlTable* metrics = reader.table("thresholds");
  if (metrics == nullptr) return;
  for (const TomlEntry& entry : *metrics) {
    const std::string path = fmt::format("thresholds.\"{}\"", entry.key);
    if (entry.key.empty() || entry.key.size() > limits::kMaxExpressionBytes)
      return reader.refuse(path, fmt::format("a metric has 1 to {} bytes", limits::kMaxExpressionBytes));
    TomlArray one{entry.value};
    const TomlArray& all = entry.value.as<TomlArray>() ? *entry.value.as<TomlArray>() : one;
    if (all.empty()) return reader.refuse(path, "must not be empty");
    for (std::size_t i = 0; i < all.size(); ++i) {
      Result<Threshold> threshold = build_threshold(entry.key, all[i], fmt::format("{}[{}]", path, i));
      if (!threshold) return reader.refuse(threshold.error());
      plan.thresholds.push_back(std::move(*threshold));
      if (plan.thresholds.size() > limits::kMaxThresholds)
        return reader.refuse("thresholds",
                             fmt::format("has more than {} expressions", limits::kMaxThresholds));
    }
  }
}

Result<Fault> build_fault(const TomlTable& table, const std::string& path, double length_s) {
  TableReader reader(table, path, "a fault");
  Fault fault;
  fault.kind = reader.required().text("kind", "", limits::kMaxNameBytes);
  std::vector<std::string_view> names;
  const FaultKind* kind = nullptr;
  for (const FaultKind& one : fault_kinds()) {
    names.push_back(one.name);
    if (one.name == fault.kind) kind = &one;
  }
  if (kind == nullptr && !fault.kind.empty())
    return invalid_argument(fmt::format("{}.kind: there is no \"{}\"{} Known: {}", path, fault.kind,
                                        did_you_mean(fault.kind, names), joined(names)));
  fault.at_s = reader.required().seconds("at", 0, {0, limits::kMaxPlanSeconds});
  fault.for_s = reader.required().seconds("for", 0, {0, limits::kMaxPlanSeconds, true});
  if (kind != nullptr) {
    for (const auto& [number, range] : kind->numbers) {
      if (number == kind->needed) reader.required();
      const double value = reader.number(number, -1, range);
      if (find(table, number) != nullptr) fault.numbers.emplace(number, value);
    }
  }
  if (!reader.failed() && fault.at_s >= length_s)
    reader.refuse("at", fmt::format("{} s, but the load ends after {} s (--scale-time moves both)",
                                    fault.at_s, length_s));
  if (Status status = reader.finish(); !status) return status.error();
  return fault;
}

void read_faults(TableReader& reader, Plan& plan) {
  const TomlArray* faults = reader.array("faults");
  if (faults == nullptr) return;
  if (faults->size() > limits::kMaxFaults)
    return reader.refuse("faults",
                         fmt::format("has {} faults, at most {}", faults->size(), limits::kMaxFaults));
  for (std::size_t i = 0; i < faults->size(); ++i) {
    const std::string path = fmt::format("faults[{}]", i);
    const auto* table = (*faults)[i].as<TomlTable>();
    if (table == nullptr) return reader.refuse(path, "must be a table: [[faults]]");
    Result<Fault> fault = build_fault(*table, path, plan.length_s());
    if (!fault) return reader.refuse(fault.error());
    plan.faults.push_back(std::move(*fault));
  }
}

void read_knee(TableReader& reader, Plan& plan) {
  const TomlTable* table = reader.table("knee");
  if (table == nullptr) return;
  TableReader knee_reader(*table, "knee", "the knee");
  const double most = std::max(limits::kMaxRate, static_cast<double>(limits::kMaxVus));
  Knee knee;
  knee.start = knee_reader.required().number("start", 1, {0, most, true});
  knee.factor = knee_reader.number("factor", knee.factor, {1, limits::kMaxKneeFactor});
  knee.most = knee_reader.required().number("most", most, {knee.start, most});
  knee.step_s = knee_reader.seconds("step", knee.step_s, {0, limits::kMaxPlanSeconds, true});
  const double runs = std::log(knee.most / knee.start) / std::log(knee.factor);
  if (knee.factor <= 1)
    knee_reader.refuse("factor", "must be more than 1, or the rate never rises");
  else if (runs > static_cast<double>(limits::kMaxKneeRuns))
    knee_reader.refuse("factor", fmt::format("from start to most are {:.0f} runs, at most {}",
                                             std::ceil(runs), limits::kMaxKneeRuns));
  if (Status status = knee_reader.finish(); !status) return reader.refuse(status.error());
  plan.knee = knee;
}

void read_head(TableReader& reader, Plan& plan) {
  plan.name = reader.required().text("name", "", limits::kMaxNameBytes);
  if (!plan.name.empty() && !is_plain_name(plan.name)) reader.refuse("name", "has only A-Z a-z 0-9 - _");
  plan.title = reader.text("title", plan.name, limits::kMaxTitleBytes);
  if (has_control_characters(plan.title))
    reader.refuse("title", "must be one line without control characters");
  plan.description = reader.text("description", "", limits::kMaxTextBytes);
}

void read_invariants(TableReader& reader, Plan& plan) {
  plan.invariants = {std::string(kAllInvariants)};
  read_strings(reader, "invariants", limits::kMaxInvariants, plan.invariants);
  for (const std::string& invariant : plan.invariants)
    if (invariant.empty() || invariant.size() > limits::kMaxNameBytes || has_control_characters(invariant))
      reader.refuse("invariants",
                    fmt::format("a name has 1 to {} bytes, no control characters", limits::kMaxNameBytes));
}

}  // namespace

Result<Plan> build_plan(const TomlTable& table) {
  Plan plan;
  TableReader reader(table, "", "a plan");
  read_head(reader, plan);
  read_target(reader, plan);
  read_invariants(reader, plan);
  if (const TomlTable* settings = reader.table("settings")) {
    Result<Settings> read = build_settings(*settings, "settings", limits::kMaxSettings);
    if (!read) return read.error();
    plan.settings = std::move(*read);
  }
  read_scenarios(reader, plan);
  read_thresholds(reader, plan);
  read_faults(reader, plan);
  read_knee(reader, plan);
  if (Status status = reader.finish(); !status) return status.error();
  return plan;
}

}  // namespace spillway::load
