#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "load/plan/plan_limits.h"
#include "load/plan/plan_parse.h"
#include "load/plan/table_reader.h"

namespace spillway::load {
namespace {

/// scenarios.people.stages.0.target; what has dots in it stands in quotes. Empty when it is no path.
std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    if (path.starts_with('"')) {
      const std::size_t end = path.find('"', 1);
      if (end == std::string_view::npos) return {};
      parts.emplace_back(path.substr(1, end - 1));
      path.remove_prefix(end + 1);
    } else {
      const std::size_t end = std::min(path.find('.'), path.size());
      parts.emplace_back(path.substr(0, end));
      path.remove_prefix(end);
    }
    if (parts.back().empty() || parts.size() > static_cast<std::size_t>(limits::kMaxNesting)) return {};
    if (path.empty()) return parts;
    if (path.front() != '.') return {};
    path.remove_prefix(1);
  }
}

/// Settings and tags are text, and "1.10" must not become 1.1; but whoever writes quotes means them as TOML,
/// and who writes 500_000 a number, as in a plan.
TomlValue read_value(const std::vector<std::string>& parts, const std::string& text) {
  std::optional<TomlValue> value = parse_toml_value(text);
  const std::string_view parent = parts.size() > 1 ? std::string_view(parts[parts.size() - 2]) : "";
  const bool is_text = parent == "settings" || parent == "tags";
  if (value && (!is_text || value->as<std::string>())) return std::move(*value);
  if (value && parent == "settings" && value->as<std::int64_t>() && text.find('_') != text.npos)
    return std::move(*value);
  return TomlValue{text};
}

TomlValue* element_of(TomlArray& array, std::string_view index) {
  std::size_t i = 0;
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), i);
  const bool good = error == std::errc() && end == index.data() + index.size() && i < array.size();
  return good ? &array[i] : nullptr;
}

Status set_one(TomlTable& plan, const std::string& path, const std::string& text) {
  const std::vector<std::string> parts = split_path(path);
  if (parts.empty())
    return invalid_argument("\"" + path + "\" is no path of a key: scenarios.people.vus is one");
  // A scenario that is not there would only be reported as one that lacks its executor.
  const TomlValue* scenarios = find(plan, "scenarios");
  const auto* known = scenarios ? scenarios->as<TomlTable>() : nullptr;
  if (parts[0] == "scenarios" && parts.size() > 1 && known != nullptr && find(*known, parts[1]) == nullptr) {
    std::vector<std::string_view> names;
    for (const TomlEntry& entry : *known) names.push_back(entry.key);
    return invalid_argument(fmt::format("scenarios.{}: there is no such scenario{} Known: {}", parts[1],
                                        did_you_mean(parts[1], names), joined(names)));
  }
  TomlTable* table = &plan;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i + 1 == parts.size()) {
      set(*table, parts[i], read_value(parts, text));
      return Ok{};
    }
    TomlValue* next = find(*table, parts[i]);
    if (next == nullptr) {
      table->push_back({parts[i], TomlValue{TomlTable{}}});
      next = &table->back().value;
    }
    if (auto* array = next->as<TomlArray>()) {
      next = element_of(*array, parts[++i]);
      if (next == nullptr)
        return invalid_argument(
            fmt::format("{}: there is no {} in {} of {}", path, parts[i], parts[i - 1], array->size()));
      if (i + 1 == parts.size()) {
        *next = read_value(parts, text);
        return Ok{};
      }
    }
    table = next->as<TomlTable>();
    if (table == nullptr)
      return invalid_argument(fmt::format("{}: {} is {}, and has no keys", path, parts[i], kind_of(*next)));
  }
  return Ok{};
}

TomlValue whole(std::uint64_t value) { return {static_cast<std::int64_t>(value)}; }
/// To the nanosecond: 0.1 s * 3 is 0.3 s.
TomlValue seconds(double value) { return {std::round(value * 1e9) / 1e9}; }

struct Part {
  TomlTable* table;
  Scenario was;
};

void change_vus(Part& part, std::uint64_t vus) {
  const Scenario& was = part.was;
  switch (was.executor) {
    case Executor::kSharedIterations:
    case Executor::kPerVuIterations:
    case Executor::kConstantVus:
      set(*part.table, "vus", whole(vus));
      break;
    case Executor::kConstantArrivalRate:
    case Executor::kRampingArrivalRate:
      set(*part.table, "maxVUs", whole(vus));
      set(*part.table, "preAllocatedVUs", whole(std::min(was.pre_allocated_vus, vus)));
      break;
    case Executor::kRampingVus: {
      const double factor = static_cast<double>(vus) / static_cast<double>(was.most_vus());
      const auto scaled = [factor](double value) { return TomlValue{std::llround(value * factor)}; };
      set(*part.table, "startVUs", scaled(static_cast<double>(was.start_vus)));
      TomlArray& stages = *find(*part.table, "stages")->as<TomlArray>();
      for (std::size_t i = 0; i < stages.size(); ++i)
        set(*stages[i].as<TomlTable>(), "target", scaled(was.stages[i].target));
      break;
    }
  }
}

void scale_length(Part& part, double factor) {
  const Scenario& was = part.was;
  switch (was.executor) {
    case Executor::kSharedIterations:
    case Executor::kPerVuIterations:
      set(*part.table, "maxDuration", seconds(was.max_duration_s * factor));
      break;
    case Executor::kConstantVus:
    case Executor::kConstantArrivalRate:
      set(*part.table, "duration", seconds(was.duration_s * factor));
      break;
    case Executor::kRampingVus:
    case Executor::kRampingArrivalRate: {
      TomlArray& stages = *find(*part.table, "stages")->as<TomlArray>();
      for (std::size_t i = 0; i < stages.size(); ++i)
        set(*stages[i].as<TomlTable>(), "duration", seconds(was.stages[i].duration_s * factor));
      break;
    }
  }
}

std::vector<Part> parts_of(TomlTable& table, const Plan& plan) {
  std::vector<Part> parts;
  TomlTable& scenarios = *find(table, "scenarios")->as<TomlTable>();
  for (const Scenario& scenario : plan.scenarios)
    parts.push_back({find(scenarios, scenario.name)->as<TomlTable>(), scenario});
  return parts;
}

void scale_faults(TomlTable& table, const Plan& plan, double factor) {
  TomlValue* faults = find(table, "faults");
  for (std::size_t i = 0; i < plan.faults.size(); ++i) {
    TomlTable& fault = *(*faults->as<TomlArray>())[i].as<TomlTable>();
    set(fault, "at", seconds(plan.faults[i].at_s * factor));
    set(fault, "for", seconds(plan.faults[i].for_s * factor));
  }
}

Status check_sizes(const PlanChanges& changes) {
  if (changes.vus && (*changes.vus < 1 || *changes.vus > limits::kMaxVus))
    return invalid_argument(fmt::format("vus: must be 1 to {}, not {}", limits::kMaxVus, *changes.vus));
  if (changes.duration_s && !(*changes.duration_s > 0 && *changes.duration_s <= limits::kMaxPlanSeconds))
    return invalid_argument(fmt::format("duration: must be more than 0 and at most {} s, not {} s",
                                        limits::kMaxPlanSeconds, *changes.duration_s));
  if (!(changes.scale_time > 0 && changes.scale_time <= limits::kMaxTimeScale))
    return invalid_argument(fmt::format("scale_time: must be more than 0 and at most {}, not {}",
                                        limits::kMaxTimeScale, changes.scale_time));
  return Ok{};
}

}  // namespace

Status apply_set(TomlTable& table, const PlanChanges& changes) {
  if (changes.set.size() > limits::kMaxChanges)
    return invalid_argument(
        fmt::format("{} keys to set, at most {}", changes.set.size(), limits::kMaxChanges));
  for (const auto& [path, text] : changes.set)
    if (Status status = set_one(table, path, text); !status) return status.error();
  if (!changes.base_urls.empty()) {
    TomlArray urls;
    for (const std::string& url : changes.base_urls) urls.push_back({url});
    set(table, "base_url", {std::move(urls)});
  }
  return Ok{};
}

Status apply_sizes(TomlTable& table, const PlanChanges& changes) {
  if (Status status = check_sizes(changes); !status) return status.error();
  if (!changes.vus && !changes.duration_s && changes.scale_time == 1) return Ok{};
  const Result<Plan> plan = build_plan(table);
  if (!plan) return plan.error();
  for (Part& part : parts_of(table, *plan)) {
    if (changes.vus) change_vus(part, *changes.vus);
    double factor = changes.scale_time;
    if (changes.duration_s) factor *= *changes.duration_s / part.was.length_s();
    if (factor != 1) scale_length(part, factor);
    if (part.was.start_time_s > 0)
      set(*part.table, "startTime", seconds(part.was.start_time_s * changes.scale_time));
  }
  scale_faults(table, *plan, changes.scale_time);
  if (plan->knee)
    set(*find(table, "knee")->as<TomlTable>(), "step", seconds(plan->knee->step_s * changes.scale_time));
  return Ok{};
}

}  // namespace spillway::load
