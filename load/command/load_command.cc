#include "load/command/load_command.h"
#include "load/command/complain.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "load/command/agent_command.h"
#include "load/command/run_command.h"
#include "load/engine/journey.h"
#include "load/plan/plan.h"
#include "load/plan/plan_limits.h"
#include "load/report/compare.h"

namespace spillway::load {
namespace {

Result<std::string> read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return not_found(fmt::format("{}: cannot be read", file));
  return text.str();
}

int list() {
  fmt::print("Plans (spillway load run NAME):\n");
  for (const auto& [name, text] : shipped_plans()) {
    const auto plan = parse_plan(text);
    fmt::print("  {:<26}{}\n", name, plan ? plan->title : plan.error().message);
  }
  fmt::print("\nJourneys, and their settings (--set settings.NAME=VALUE):\n");
  for (const JourneyKind& kind : all_journeys()) {
    fmt::print("  {:<26}{}\n", kind.name, kind.description);
    for (const auto& [name, help] : kind.settings) fmt::print("    {:<24}{}\n", name, help);
  }
  return 0;
}

int compare_files(const std::string& a, const std::string& b, double tolerance) {
  const auto text_a = read_file(a), text_b = read_file(b);
  if (!text_a) return complain(text_a.error(), kExitUsage);
  if (!text_b) return complain(text_b.error(), kExitUsage);
  const auto compared = compare(*text_a, *text_b, tolerance);
  if (!compared) return complain(compared.error(), kExitUsage);
  std::cout << comparison_text(*compared, a, b);
  return compared->worse ? kExitWorse : 0;
}

}  // namespace

struct LoadCommand::Impl {
  CLI::App* load = nullptr;
  CLI::App *run = nullptr, *list = nullptr, *compare = nullptr, *agent = nullptr;
  RunOptions options;
  AgentOptions agent_options;
  std::vector<std::string> set;
  std::string duration;
  std::uint64_t vus = 0;
  std::string file_a, file_b;
  double tolerance = kDefaultTolerance;

  int run_plan();
};

LoadCommand::LoadCommand(CLI::App& program) : impl_(std::make_unique<Impl>()) {
  Impl& i = *impl_;
  i.load = program.add_subcommand("load", "The load lab: make load, judge it, keep the evidence.");
  i.load->require_subcommand(1);

  i.run = i.load->add_subcommand("run", "Run a plan: a name that `load list` shows, or a TOML file.");
  i.run->add_option("PLAN", i.options.plan, "Name or file")->required();
  i.run
      ->add_option("--base-url", i.options.changes.base_urls,
                   "Where the server is; several: users are spread")
      ->type_name("URL");
  i.run->add_option("--vus", i.vus, "Virtual users of every scenario")->type_name("N");
  i.run->add_option("--duration", i.duration, "Length of every scenario (90s, 10m)")->type_name("TIME");
  i.run->add_option("--set", i.set, "Changes the plan: settings.event=EVT-1, scenarios.people.rate=500")
      ->type_name("KEY=VALUE");
  i.run
      ->add_option("--scale-time", i.options.changes.scale_time,
                   "All times of the plan by this: 0.1 is a rehearsal")
      ->type_name("FACTOR")
      ->check(CLI::Range(1e-4, limits::kMaxTimeScale));
  i.run->add_option("--report-dir", i.options.report_dir, "Where the reports go; made when it is not there")
      ->type_name("DIR");
  i.run->add_option("--points", i.options.points_file, "Every value as a line of JSON, as k6 --out json")
      ->type_name("FILE");
  i.run
      ->add_option("--server-command", i.options.server_command,
                   "Starts the server, for faults that kill, stop or restart it")
      ->type_name("COMMAND");
  i.run->add_option("--threads", i.options.threads, "That make load (0: cores - 1)")
      ->type_name("N")
      ->check(CLI::Range(0, 256));
  i.run
      ->add_option("--agents", i.options.agents,
                   "HOST:PORT of each `spillway load agent`, instead of this machine")
      ->type_name("HOST:PORT")
      ->delimiter(',');
  i.run->add_option("--ca-file", i.options.ca_file, "Certificates (PEM) to trust, instead of the system's")
      ->type_name("FILE");
  i.run->add_flag("--insecure", i.options.insecure, "Trusts any certificate");

  i.agent = i.load->add_subcommand("agent",
                                   "Make load for a run on another machine, which names it in --agents. "
                                   "SPILLWAY_AGENT_SECRET must be the same on both.");
  i.agent
      ->add_option("--listen", i.agent_options.listen, "Where runs connect to (127.0.0.1:0: any free port)")
      ->type_name("HOST:PORT");
  i.agent->add_option("--threads", i.agent_options.threads, "That make load (0: cores - 1)")
      ->type_name("N")
      ->check(CLI::Range(0, 256));

  i.list = i.load->add_subcommand("list", "The plans and journeys that there are.");

  i.compare = i.load->add_subcommand("compare", "Two summaries side by side; exit code 1 when B is worse.");
  i.compare->add_option("A", i.file_a, "JSON of a run, ours or k6's")->required()->type_name("FILE");
  i.compare->add_option("B", i.file_b, "JSON of another")->required()->type_name("FILE");
  i.compare->add_option("--tolerance", i.tolerance, "Worse by less than this share is the same")
      ->check(CLI::Range(0.0, 10.0))
      ->type_name("SHARE");
}

LoadCommand::~LoadCommand() = default;

bool LoadCommand::chosen() const { return impl_->load->parsed(); }

int LoadCommand::Impl::run_plan() {
  for (const std::string& one : set) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      return complain(invalid_argument(fmt::format("--set {}: must be KEY=VALUE", one)), kExitUsage);
    options.changes.set.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  if (run->get_option("--vus")->count() > 0) options.changes.vus = vus;
  if (!duration.empty()) {
    const auto seconds = parse_duration(duration);
    if (!seconds)
      return complain(Error{ErrorCode::kInvalidArgument, "--duration: " + seconds.error().message},
                      kExitUsage);
    options.changes.duration_s = *seconds;
  }
  return run_command(options);
}

int LoadCommand::run() {
  // OpenSSL writes without MSG_NOSIGNAL; a broken connection is an answer that is missing.
  std::signal(SIGPIPE, SIG_IGN);
  if (impl_->run->parsed()) return impl_->run_plan();
  if (impl_->agent->parsed()) return agent_command(impl_->agent_options);
  if (impl_->compare->parsed()) return compare_files(impl_->file_a, impl_->file_b, impl_->tolerance);
  return list();
}

}  // namespace spillway::load
