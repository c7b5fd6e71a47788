#include "load/command/run_command.h"
#include "load/command/complain.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "load/command/console.h"
#include "load/command/lab.h"
#include "load/command/load_command.h"
#include "load/engine/run.h"
#include "load/report/html.h"
#include "load/report/markdown.h"
#include "load/report/summary.h"
#include "load/verdict/verdict.h"

namespace spillway::load {
namespace {

/// The key alone does not say in which file it is.
Error in_plan(const RunOptions& options, const Error& error) {
  return {error.code, fmt::format("{}: {}", options.plan, error.message)};
}

/// As a person would type it again.
std::string command_line(const RunOptions& options) {
  const auto quoted = [](const std::string& value) {
    if (!value.empty() && value.find_first_of(" \"'`$\\*?{}[]<>|&;()#~!\n\t") == std::string::npos)
      return value;
    std::string out = "'";
    for (const char c : value) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
  };
  std::string line = "spillway load run " + quoted(options.plan);
  const auto add = [&](std::string_view name, const std::string& value) {
    line += fmt::format(" {} {}", name, quoted(value));
  };
  for (const std::string& url : options.changes.base_urls) add("--base-url", url);
  if (options.changes.vus) add("--vus", std::to_string(*options.changes.vus));
  if (options.changes.duration_s) add("--duration", fmt::format("{}s", *options.changes.duration_s));
  for (const auto& [key, value] : options.changes.set) add("--set", key + "=" + value);
  if (options.changes.scale_time != 1) add("--scale-time", fmt::format("{}", options.changes.scale_time));
  if (options.threads != 0) add("--threads", std::to_string(options.threads));
  if (!options.server_command.empty()) add("--server-command", options.server_command);
  std::string agents;
  for (const std::string& agent : options.agents) agents += (agents.empty() ? "" : ",") + agent;
  if (!agents.empty()) add("--agents", agents);
  if (!options.ca_file.empty()) add("--ca-file", options.ca_file);
  if (options.insecure) line += " --insecure";
  if (!options.points_file.empty()) add("--points", options.points_file);
  if (!options.report_dir.empty()) add("--report-dir", options.report_dir);
  return line;
}

/// The rest of the first line that begins like this, without what is between.
std::string line_of(const char* file, std::string_view begin) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(begin)) continue;
    const std::size_t value = line.find_first_not_of(" \t:", begin.size());
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "unknown";
}

std::vector<std::pair<std::string, std::string>> environment(const Plan& plan, const RunOptions& options) {
  utsname system{};
  ::uname(&system);
  std::string targets;
  for (const std::string& url : plan.base_urls) targets += (targets.empty() ? "" : ", ") + url;
  std::vector<std::pair<std::string, std::string>> all = {
      {"target", targets},
      {"generator", fmt::format("{}, {} cores, {}", line_of("/proc/cpuinfo", "model name"),
                                std::thread::hardware_concurrency(), system.nodename)},
      {"memory", line_of("/proc/meminfo", "MemTotal")},
      {"kernel", fmt::format("{} {}", system.sysname, system.release)},
      {"load average at the start", line_of("/proc/loadavg", "")},
  };
  for (const Scenario& scenario : plan.scenarios) {
    all.emplace_back("scenario " + scenario.name,
                     fmt::format("{}, {}, {:.0f} s, at most {} virtual users", scenario.journey,
                                 name(scenario.executor), scenario.length_s(), scenario.most_vus()));
    for (const auto& [key, value] : scenario.settings)
      all.emplace_back(fmt::format("{}: {}", scenario.name, key), value);
  }
  if (!options.server_command.empty()) all.emplace_back("server command", options.server_command);
  if (!options.agents.empty()) all.emplace_back("agents", std::to_string(options.agents.size()));
  return all;
}

Status write_reports(const Results& results, Console& console) {
  if (!console.has_report_dir()) return Ok{};
  if (Status done = console.write("summary", "json", summary_json(results)); !done) return done;
  if (Status done = console.write("summary", "md", summary_markdown(results)); !done) return done;
  return console.write("summary", "html", report_html(results));
}

/// The knee is looked for by raising one number of each scenario. Errors: invalid_argument.
Status check_knee(const Plan& plan) {
  for (const Scenario& scenario : plan.scenarios) {
    if (scenario.executor == Executor::kConstantArrivalRate || scenario.executor == Executor::kConstantVus)
      continue;
    return invalid_argument(fmt::format(
        "knee: scenarios.{}.executor must be constant-arrival-rate or constant-vus", scenario.name));
  }
  return Ok{};
}

/// The plan at one rate (a second), or with so many users.
Result<Plan> at_level(const Plan& plan, double level) {
  PlanChanges changes;
  for (const Scenario& scenario : plan.scenarios) {
    const std::string path = "scenarios." + scenario.name + ".";
    if (scenario.open_model()) {
      changes.set.emplace_back(path + "rate", fmt::format("{:g}", level));
      changes.set.emplace_back(path + "timeUnit", "1s");
    } else {
      changes.set.emplace_back(path + "vus", fmt::format("{:.0f}", std::ceil(level)));
    }
    changes.set.emplace_back(path + "duration", fmt::format("{}s", plan.knee->step_s));
  }
  return parse_plan(plan.text, changes);
}

/// Where the search ended, in words.
std::string knee_sentence(const Results& last, double held, double level, double most) {
  const std::string until =
      held > 0 ? fmt::format("{:g} held", held) : fmt::format("{:g}, the first, did not hold", level);
  if (last.aborted) return fmt::format("the knee was not found, the search was stopped: {}", until);
  if (last.verdict == Verdict::kInvalid)
    return fmt::format("the server's knee is not known: {}, and at {:g} the run was INVALID", until, level);
  if (held > 0 && level > most)
    return fmt::format("the knee is above {:g}, the last level that was tried", held);
  return held > 0 ? fmt::format("the knee: {:g} held, {:g} did not", held, level)
                  : "the knee is below: " + until;
}

/// Higher and higher until the verdict turns. The results are those of the last level that held, or of the
/// first where none did.
Result<Results> find_knee(const Plan& plan, Lab& lab, Console& console) {
  std::vector<std::string> levels;
  Result<Results> best = Error{ErrorCode::kInternal, "knee: there is no level to try"};
  double held = 0, level = plan.knee->start;
  std::string sentence;
  for (;; level *= plan.knee->factor) {
    const auto step = at_level(plan, level);
    if (!step) return step.error();
    console.say(fmt::format("at {:g}:", level));
    auto tried = lab.run(*step);
    if (!tried) return tried;
    const double p95 = tried->measured.select(metric::kHttpReqDuration).quantile(0.95);
    levels.push_back(fmt::format("at {:g}: {}, p95 {:.1f} ms", level, name(tried->verdict), p95));
    console.say(levels.back());
    const bool turned =
        tried->aborted || tried->verdict == Verdict::kFail || tried->verdict == Verdict::kInvalid;
    if (!turned) held = level;
    const double next = turned ? level : level * plan.knee->factor;
    if (turned || next > plan.knee->most) sentence = knee_sentence(*tried, held, next, plan.knee->most);
    if (!turned || held == 0) best = std::move(tried);
    if (!sentence.empty()) break;
  }
  best->grounds.insert(best->grounds.begin(), levels.begin(), levels.end());
  best->grounds.insert(best->grounds.begin(), sentence);
  return best;
}

}  // namespace

int run_command(const RunOptions& options) {
  const auto text = read_plan(options.plan);
  if (!text) return complain(text.error(), kExitBadPlan);
  const auto plan = parse_plan(*text, options.changes);
  if (!plan) return complain(in_plan(options, plan.error()), kExitBadPlan);
  if (Status good = check_plan(*plan); !good) return complain(in_plan(options, good.error()), kExitBadPlan);
  if (plan->knee) {
    if (Status good = check_knee(*plan); !good) return complain(in_plan(options, good.error()), kExitBadPlan);
  }

  auto console = Console::make(options.report_dir, plan->name);
  if (!console) return complain(console.error(), kExitNoRun);
  console->say(fmt::format("{}: {}", plan->name, plan->title));
  auto lab = Lab::set_up(*plan, options, *console);
  if (!lab) return complain(lab.error(), kExitNoRun);
  auto environment_of_run = environment(*plan, options);
  auto results = plan->knee ? find_knee(*plan, **lab, *console) : (*lab)->run(*plan);
  if (!results) return complain(results.error(), kExitNoRun);
  results->command = command_line(options);
  results->environment = std::move(environment_of_run);
  console->print(summary_text(*results));
  if (Status written = write_reports(*results, *console); !written)
    return complain(written.error(), kExitNoRun);
  return exit_code(*results);
}

}  // namespace spillway::load
