#include "load/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "load/plan/plan_limits.h"
#include "load/plan/plan_parse.h"
#include "load/plan/table_reader.h"
#include "load/plan/toml.h"

namespace spillway::load {
namespace {

struct Unit {
  std::string_view name;
  double seconds;
};
// The longer name first where one begins with another.
constexpr Unit kUnits[] = {
    {"ns", 1e-9}, {"us", 1e-6}, {"\u00b5s", 1e-6}, {"\u03bcs", 1e-6}, {"ms", 1e-3},
    {"m", 60},    {"s", 1},     {"h", 3600},       {"d", 86400},
};

/// The number at the beginning of the text, and cuts it off. Digits and a point: no sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
  const std::size_t length = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

std::optional<double> take_unit(std::string_view& text) {
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return unit.seconds;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Executor executor) {
  switch (executor) {
    case Executor::kSharedIterations:
      return "shared-iterations";
    case Executor::kPerVuIterations:
      return "per-vu-iterations";
    case Executor::kConstantVus:
      return "constant-vus";
    case Executor::kRampingVus:
      return "ramping-vus";
    case Executor::kConstantArrivalRate:
      return "constant-arrival-rate";
    case Executor::kRampingArrivalRate:
      return "ramping-arrival-rate";
  }
  return "";
}

double Scenario::length_s() const {
  switch (executor) {
    case Executor::kSharedIterations:
    case Executor::kPerVuIterations:
      return max_duration_s;
    case Executor::kConstantVus:
    case Executor::kConstantArrivalRate:
      return duration_s;
    case Executor::kRampingVus:
    case Executor::kRampingArrivalRate:
      break;
  }
  double together = 0;
  for (const Stage& stage : stages) together += stage.duration_s;
  return together;
}

std::uint64_t Scenario::most_vus() const {
  if (open_model()) return max_vus;
  if (executor != Executor::kRampingVus) return vus;
  std::uint64_t most = start_vus;
  for (const Stage& stage : stages) most = std::max(most, static_cast<std::uint64_t>(stage.target));
  return most;
}

double Plan::length_s() const {
  double end = 0;
  for (const Scenario& scenario : scenarios) end = std::max(end, scenario.start_time_s + scenario.length_s());
  return end;
}

namespace {

/// Of all scenarios that are there at once, at the worst moment. The number only rises where a scenario
/// starts.
std::uint64_t together(const std::vector<Scenario>& scenarios, std::uint64_t (Scenario::*count)() const) {
  std::uint64_t most = 0;
  for (const Scenario& starting : scenarios) {
    const double at = starting.start_time_s;
    std::uint64_t now = 0;
    for (const Scenario& other : scenarios) {
      const double end = other.start_time_s + other.length_s() + other.graceful_stop_s;
      if (other.start_time_s <= at && at < end) now += (other.*count)();
    }
    most = std::max(most, now);
  }
  return most;
}

}  // namespace

std::uint64_t Plan::most_slices() const {
  std::uint64_t most = UINT64_MAX;
  for (const Scenario& scenario : scenarios) {
    if (scenario.open_model() || scenario.executor == Executor::kSharedIterations)
      most = std::min(most, std::max<std::uint64_t>(1, scenario.most_vus()));
  }
  return most;
}

std::uint64_t Plan::most_vus() const { return together(scenarios, &Scenario::most_vus); }
std::uint64_t Plan::vus_made_before() const { return together(scenarios, &Scenario::vus_made_before); }

Result<double> parse_duration(std::string_view text) {
  const Error wrong = invalid_argument(fmt::format(
      "\"{}\" is no duration: \"90s\", \"1m30s\", \"500ms\", \"1h\" are, and a plain number of seconds",
      text.substr(0, limits::kMaxNameBytes)));
  if (text.empty() || text.size() > limits::kMaxNameBytes) return wrong;
  double seconds = 0;
  bool first = true;
  while (!text.empty()) {
    const std::optional<double> value = take_number(text);
    if (!value) return wrong;
    if (first && text.empty()) return *value;
    const std::optional<double> unit = take_unit(text);
    if (!unit) return wrong;
    seconds += *value * *unit;
    first = false;
  }
  return seconds;
}

Result<Plan> parse_plan(std::string_view toml, const PlanChanges& changes) {
  Result<TomlTable> table = parse_toml(toml);
  if (!table) return table.error();
  if (Status status = apply_set(*table, changes); !status) return status.error();
  if (Status status = apply_sizes(*table, changes); !status) return status.error();
  Result<Plan> plan = build_plan(*table);
  if (!plan) return plan;
  const bool changed = !changes.set.empty() || !changes.base_urls.empty() || changes.vus ||
                       changes.duration_s || changes.scale_time != 1;
  plan->text = changed ? write_toml(*table) : std::string(toml);
  if (plan->text.size() > limits::kMaxPlanBytes)
    return invalid_argument(
        fmt::format("the changed plan has {} bytes, at most {}", plan->text.size(), limits::kMaxPlanBytes));
  return plan;
}

Result<std::string> read_plan(const std::string& name_or_file) {
  std::vector<std::string_view> names;
  for (const auto& [shipped, text] : shipped_plans()) {
    if (shipped == name_or_file) return std::string(text);
    names.push_back(shipped);
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(name_or_file, error))
    return not_found(fmt::format("there is no plan \"{}\", neither as a file nor shipped{} Shipped: {}",
                                 name_or_file, did_you_mean(name_or_file, names), joined(names)));
  const std::uintmax_t size = std::filesystem::file_size(name_or_file, error);
  if (!error && size > limits::kMaxPlanBytes)
    return invalid_argument(
        fmt::format("{} has {} bytes, at most {}", name_or_file, size, limits::kMaxPlanBytes));
  std::ifstream file(name_or_file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) return not_found("cannot read the plan " + name_or_file);
  return text;
}

}  // namespace spillway::load
