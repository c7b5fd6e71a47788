#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "load/plan/plan_limits.h"
#include "load/plan/plan_parse.h"
#include "load/plan/table_reader.h"

namespace spillway::load {
namespace {

constexpr Executor kExecutors[] = {
    Executor::kSharedIterations, Executor::kPerVuIterations,     Executor::kConstantVus,
    Executor::kRampingVus,       Executor::kConstantArrivalRate, Executor::kRampingArrivalRate,
};

constexpr Range kLength{0, limits::kMaxPlanSeconds, true};  // of something that makes load
constexpr Range kWait{0, limits::kMaxPlanSeconds};
constexpr Range kSomeVus{1, static_cast<double>(limits::kMaxVus)};
constexpr Range kVus{0, static_cast<double>(limits::kMaxVus)};
constexpr Range kIterations{1, static_cast<double>(limits::kMaxIterations)};

std::optional<Executor> executor_of(std::string_view text) {
  for (const Executor executor : kExecutors)
    if (name(executor) == text) return executor;
  return std::nullopt;
}

std::vector<std::string_view> executor_names() {
  std::vector<std::string_view> names;
  for (const Executor executor : kExecutors) names.push_back(name(executor));
  return names;
}

void read_stages(TableReader& reader, Scenario& scenario) {
  const bool vus = scenario.executor == Executor::kRampingVus;
  const TomlArray* stages = reader.required().array("stages");
  if (stages == nullptr) return;
  if (stages->empty()) reader.refuse("stages", "must have at least one stage");
  if (stages->size() > limits::kMaxStages)
    return reader.refuse("stages",
                         fmt::format("has {} stages, at most {}", stages->size(), limits::kMaxStages));
  double together = 0;
  for (std::size_t i = 0; i < stages->size(); ++i) {
    const std::string key = fmt::format("stages[{}]", i);
    const auto* table = (*stages)[i].as<TomlTable>();
    if (table == nullptr) return reader.refuse(key, "must be a table: {duration = \"30s\", target = 100}");
    TableReader stage_reader(*table, reader.path_of(key), "a stage");
    Stage stage;
    stage.duration_s = stage_reader.required().seconds("duration", 0, kWait);
    stage_reader.required();
    stage.target = vus ? static_cast<double>(stage_reader.whole("target", 0, kVus))
                       : stage_reader.number("target", 0, {0, limits::kMaxRate * scenario.time_unit_s});
    if (Status status = stage_reader.finish(); !status) return reader.refuse(status.error());
    together += stage.duration_s;
    scenario.stages.push_back(stage);
  }
  if (together <= 0) reader.refuse("stages", "last 0 s together: no load at all");
}

void read_ramping_vus(TableReader& reader, Scenario& scenario) {
  scenario.start_vus = reader.whole("startVUs", scenario.start_vus, kVus);
  read_stages(reader, scenario);
  scenario.graceful_ramp_down_s = reader.seconds("gracefulRampDown", scenario.graceful_ramp_down_s, kWait);
  if (!reader.failed() && scenario.most_vus() == 0)
    reader.refuse("stages", "either startVUs or the target of a stage must be more than 0");
}

void read_arrival_rate(TableReader& reader, Scenario& scenario) {
  scenario.time_unit_s = reader.seconds("timeUnit", 1, {0, limits::kMaxTimeUnitSeconds, true});
  const double most = limits::kMaxRate * scenario.time_unit_s;
  if (scenario.executor == Executor::kConstantArrivalRate) {
    scenario.rate = reader.required().number("rate", 0, {0, most, true});
    scenario.duration_s = reader.required().seconds("duration", 0, kLength);
  } else {
    scenario.start_rate = reader.number("startRate", 0, {0, most});
    read_stages(reader, scenario);
    const bool some =
        scenario.start_rate > 0 || std::any_of(scenario.stages.begin(), scenario.stages.end(),
                                               [](const Stage& stage) { return stage.target > 0; });
    if (!some) reader.refuse("stages", "either startRate or the target of a stage must be more than 0");
  }
  scenario.pre_allocated_vus = reader.required().whole("preAllocatedVUs", 0, kVus);
  scenario.max_vus = reader.whole("maxVUs", std::max<std::uint64_t>(scenario.pre_allocated_vus, 1), kSomeVus);
  if (scenario.max_vus < scenario.pre_allocated_vus)
    reader.refuse("maxVUs",
                  fmt::format("must not be less than preAllocatedVUs ({})", scenario.pre_allocated_vus));
  const std::string late = reader.text("late", "drop", limits::kMaxNameBytes);
  if (late != "drop" && late != "wait")
    reader.refuse("late", "must be \"drop\" or \"wait\", not \"" + late + "\"");
  scenario.late = late == "wait" ? Late::kWait : Late::kDrop;
}

void read_executor(TableReader& reader, Scenario& scenario) {
  switch (scenario.executor) {
    case Executor::kSharedIterations:
    case Executor::kPerVuIterations:
      scenario.vus = reader.whole("vus", 1, kSomeVus);
      scenario.iterations = reader.whole("iterations", 1, kIterations);
      scenario.max_duration_s = reader.seconds("maxDuration", scenario.max_duration_s, kLength);
      if (scenario.executor == Executor::kSharedIterations && scenario.iterations < scenario.vus)
        reader.refuse("iterations", fmt::format("{} for {} vus: some would have nothing to do",
                                                scenario.iterations, scenario.vus));
      break;
    case Executor::kConstantVus:
      scenario.vus = reader.whole("vus", 1, kSomeVus);
      scenario.duration_s = reader.required().seconds("duration", 0, kLength);
      break;
    case Executor::kRampingVus:
      read_ramping_vus(reader, scenario);
      break;
    case Executor::kConstantArrivalRate:
    case Executor::kRampingArrivalRate:
      read_arrival_rate(reader, scenario);
      break;
  }
}

void read_labels(TableReader& reader, Scenario& scenario) {
  if (const TomlTable* tags = reader.table("tags")) {
    Result<Settings> read = build_settings(*tags, reader.path_of("tags"), limits::kMaxTags);
    if (read)
      scenario.tags = std::move(*read);
    else
      reader.refuse(read.error());
  }
  if (const TomlTable* settings = reader.table("settings")) {
    Result<Settings> read = build_settings(*settings, reader.path_of("settings"), limits::kMaxSettings);
    if (read)
      scenario.settings = std::move(*read);
    else
      reader.refuse(read.error());
  }
}

/// Which keys there are depends on it, so nothing else can be said before it is known.
Result<Executor> read_kind(const TomlTable& table, const std::string& path) {
  const TomlValue* value = find(table, "executor");
  const std::string known = joined(executor_names());
  if (value == nullptr) return invalid_argument(path + ".executor: is missing; one of " + known);
  const auto* text = value->as<std::string>();
  if (text == nullptr)
    return invalid_argument(fmt::format("{}.executor: must be a string, not {}", path, kind_of(*value)));
  if (const std::optional<Executor> executor = executor_of(*text)) return *executor;
  return invalid_argument(fmt::format("{}.executor: there is no \"{}\"{} Known: {}", path, *text,
                                      did_you_mean(*text, executor_names()), known));
}

}  // namespace

Result<Settings> build_settings(const TomlTable& table, const std::string& path, std::size_t most) {
  if (table.size() > most)
    return invalid_argument(fmt::format("{}: has {} entries, at most {}", path, table.size(), most));
  Settings settings;
  for (const TomlEntry& entry : table) {
    const std::string at = path + "." + entry.key;
    if (!is_plain_name(entry.key))
      return invalid_argument(
          fmt::format("{}: a name has 1 to {} of A-Z a-z 0-9 - _", at, limits::kMaxNameBytes));
    std::string text;
    if (const auto* string = entry.value.as<std::string>())
      text = *string;
    else if (const auto* integer = entry.value.as<std::int64_t>())
      text = std::to_string(*integer);
    else if (const auto* number = entry.value.as<double>())
      text = fmt::format("{}", *number);
    else if (const auto* flag = entry.value.as<bool>())
      text = *flag ? "true" : "false";
    else
      return invalid_argument(
          fmt::format("{}: must be a string, a number, true or false, not {}", at, kind_of(entry.value)));
    if (text.size() > limits::kMaxTextBytes || has_control_characters(text))
      return invalid_argument(
          fmt::format("{}: at most {} bytes, and no control characters", at, limits::kMaxTextBytes));
    settings.emplace(entry.key, std::move(text));
  }
  return settings;
}

Result<Scenario> build_scenario(const std::string& name, const TomlTable& table, const std::string& path) {
  if (!is_plain_name(name))
    return invalid_argument(
        fmt::format("{}: a scenario's name has 1 to {} of A-Z a-z 0-9 - _", path, limits::kMaxNameBytes));
  const Result<Executor> executor = read_kind(table, path);
  if (!executor) return executor.error();
  Scenario scenario;
  scenario.name = name;
  scenario.executor = *executor;
  TableReader reader(table, path, std::string(load::name(*executor)));
  reader.refuse_foreign("exec",
                        "is k6's; here the code of a virtual user is a journey: use journey = \"...\"");
  reader.refuse_foreign("env", "is k6's; what a journey is told stands in settings = {...}");
  reader.any("executor");
  scenario.journey = reader.required().text("journey", "", limits::kMaxNameBytes);
  if (!scenario.journey.empty() && !is_plain_name(scenario.journey))
    reader.refuse("journey", "a journey's name has only A-Z a-z 0-9 - _");
  read_executor(reader, scenario);
  scenario.start_time_s = reader.seconds("startTime", 0, kWait);
  scenario.graceful_stop_s = reader.seconds("gracefulStop", scenario.graceful_stop_s, kWait);
  read_labels(reader, scenario);
  if (Status status = reader.finish(); !status) return status.error();
  if (scenario.start_time_s + scenario.length_s() > limits::kMaxPlanSeconds)
    return invalid_argument(
        fmt::format("{}: startTime and length together are more than {} s", path, limits::kMaxPlanSeconds));
  return scenario;
}

}  // namespace spillway::load
