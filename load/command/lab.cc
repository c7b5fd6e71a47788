#include "load/command/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "load/agents/agent_slices.h"
#include "load/agents/protocol.h"
#include "load/engine/journey.h"
#include "load/engine/point_log.h"

namespace spillway::load {
namespace {

constexpr char kAdminToken[] = "SPILLWAY_ADMIN_TOKEN";

/// The plan's faults, as the run sees them.
class ConductedFaults final : public FaultSource {
 public:
  ConductedFaults(const Plan& plan, ServerProcess* server, TcpProxy* proxy)
      : plan_(plan), conductor_(server, proxy) {}
  void start(std::int64_t run_start_ns) override { conductor_.start(plan_.faults, run_start_ns); }
  std::vector<FaultResult> finish() override {
    conductor_.stop();
    return conductor_.results();
  }
  std::optional<std::string> not_done() const override {
    if (conductor_.failed())
      return "a fault could not be carried out, or not be taken back; its detail says why";
    const std::size_t done = conductor_.results().size();
    if (done == plan_.faults.size()) return std::nullopt;
    return fmt::format("{} of {} faults were carried out before the load was over", done,
                       plan_.faults.size());
  }

 private:
  const Plan& plan_;
  Conductor conductor_;
};

bool wants_invariants(const Plan& plan) {
  return !plan.invariants.empty() &&
         std::any_of(plan.scenarios.begin(), plan.scenarios.end(), [](const Scenario& scenario) {
           return !find_journey(scenario.journey)->invariants.empty();
         });
}

}  // namespace

Result<std::unique_ptr<Lab>> Lab::set_up(const Plan& plan, const RunOptions& options, Console& console) {
  std::unique_ptr<Lab> lab(new Lab(options, console));
  bool wants_proxy = false;
  for (const Fault& fault : plan.faults) wants_proxy = wants_proxy || !fault.on_process();
  // A connection is a file, and behind a proxy three.
  const std::uint64_t files_each = (options.agents.empty() ? 1 : 0) + (wants_proxy ? 2 : 0);
  const std::string users =
      fmt::format("{} virtual users{}", plan.vus_made_before(), wants_proxy ? " and the proxy" : "");
  if (Status enough = want_open_files(plan.vus_made_before() * files_each, users); !enough)
    return enough.error();
  if (Status good = Conductor::check(plan, !options.server_command.empty(), true); !good) return good.error();
  if (wants_proxy && plan.base_urls.size() != 1)
    return invalid_argument("faults: those of the proxy want one base_url, since there is one proxy");
  if (wants_proxy && plan.vus_made_before() > kMostProxied) {
    return invalid_argument(
        fmt::format("faults: the proxy takes {} connections, and the plan has {} virtual users", kMostProxied,
                    plan.vus_made_before()));
  }
  if (Status good = lab->set_up_agents(wants_proxy); !good) return good.error();
  for (const std::string& url : plan.base_urls) {
    auto target = resolve_target(url);
    if (!target) return target.error();
    lab->operator_targets_.push_back(std::move(*target));
  }
  lab->targets_ = lab->operator_targets_;
  auto tls = TlsSettings::make(options.ca_file, !options.insecure);
  if (!tls) return tls.error();
  lab->tls_ = std::move(*tls);
  const char* given = std::getenv(kAdminToken);
  lab->admin_token_ = given == nullptr ? "" : given;
  if (!options.server_command.empty()) {
    if (Status started = lab->start_server(); !started) return started.error();
  }
  if (lab->admin_token_.empty() && wants_invariants(plan)) {
    return invalid_argument(fmt::format(
        "{} is not set: the invariants want the server's admin secret. Without them: --set invariants=[]",
        kAdminToken));
  }
  if (wants_proxy) {
    if (Status started = lab->start_proxy(); !started) return started.error();
  }
  return lab;
}

Lab::~Lab() = default;

Status Lab::start_server() {
  if (admin_token_.empty()) {
    // The child gets it by its environment, as a person would give it.
    admin_token_ = random_hex(limits::kMinSecretBytes);
    ::setenv(kAdminToken, admin_token_.c_str(), 1);
  }
  const Target& target = operator_targets_.front();
  ServerCommand command;
  command.command = options_.server_command;
  command.host = target.host;
  command.port = target.port;
  command.log_file = console_.file_beside("server", "log");
  auto started = ServerProcess::start(command);
  if (!started) return started.error();
  server_ = std::move(*started);
  console_.say(fmt::format("the server runs as process {}", server_->pid()));
  return Ok{};
}

Status Lab::start_proxy() {
  Target& target = targets_.front();
  auto started = TcpProxy::start({target.host, target.port});
  if (!started) return started.error();
  proxy_ = std::move(*started);
  auto address = resolve("127.0.0.1", proxy_->port());
  if (!address) return address.error();
  target.address = *address;
  console_.say(fmt::format("the load goes through a proxy on port {}", proxy_->port()));
  return Ok{};
}

Status Lab::set_up_agents(bool wants_proxy) {
  if (options_.agents.empty()) return Ok{};
  if (options_.threads != 0)
    return invalid_argument("--threads: with --agents this machine makes no load; say it to each agent");
  if (!options_.points_file.empty())
    return invalid_argument(
        "--points: the values of agents are not sent one by one; for runs without --agents");
  if (wants_proxy)
    return invalid_argument("faults: those of the proxy do not work with --agents, which cannot reach it");
  auto secret = agent_secret();
  if (!secret) return secret.error();
  agent_secret_ = std::move(*secret);
  if (options_.ca_file.empty()) return Ok{};
  auto certificates = read_certificates(options_.ca_file);
  if (!certificates) return certificates.error();
  certificates_ = std::move(*certificates);
  return Ok{};
}

std::unique_ptr<SliceSource> Lab::slices(const Plan& plan, const std::string& run_id,
                                         PointLog* points) const {
  if (options_.agents.empty()) return local_slices(plan, run_id, targets_, tls_, options_.threads, points);
  return agent_slices(plan, run_id,
                      {options_.agents, agent_secret_, certificates_, !options_.insecure,
                       [this](const std::string& line) { console_.say(line); }});
}

Result<Results> Lab::run(const Plan& plan) {
  const std::string run_id = random_hex(6);
  std::unique_ptr<PointLog> points;
  if (!options_.points_file.empty()) {
    auto opened = PointLog::make(options_.points_file);
    if (!opened) return opened.error();
    points = std::move(*opened);
  }
  const auto makers = slices(plan, run_id, points.get());
  ConductedFaults faults(plan, server_.get(), proxy_.get());
  const double length_s = plan.length_s();
  RunSetup setup{plan, run_id,  admin_token_, targets_, operator_targets_, tls_, *makers, nullptr,
                 {},   nullptr, {},           {}};
  if (server_) setup.server_died = [this] { return server_->died(); };
  if (!plan.faults.empty()) setup.faults = &faults;
  setup.stop_asked = &console_.stop_asked();
  setup.say = [this](const std::string& line) { console_.say(line); };
  setup.on_second = [&](const TimelinePoint& point, std::uint64_t requests, std::uint64_t failed) {
    console_.progress(point, length_s, requests, failed);
  };
  auto results = run_plan(setup);
  if (points) {
    // The run is what was asked for; the points are beside it.
    if (Status written = points->finish(); !written) console_.say("--points: " + written.error().message);
  }
  return results;
}

}  // namespace spillway::load
