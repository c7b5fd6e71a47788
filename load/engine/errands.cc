#include "load/engine/errands.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kLookEveryNs = 100'000'000;  // how exact time-outs are
constexpr double kPrepareLimitS = 60;
constexpr double kJudgeLimitS = 600;  // beside settle_s: reading the lists

/// Of a metric without labels, on a page as https://prometheus.io/docs/instrumenting/exposition_formats/ has
/// it.
std::optional<double> prometheus_value(std::string_view page, std::string_view name) {
  const std::string key = fmt::format("\n{} ", name);
  const std::size_t at = page.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(page.data() + at + key.size(), page.data() + page.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

Task<> store(Task<Status> asked, Status& into) { into = co_await asked; }

}  // namespace

Result<std::unique_ptr<Errands>> Errands::make(const Plan& plan, std::vector<Target> targets,
                                               std::shared_ptr<TlsSettings> tls, const std::string& run_id,
                                               const std::string& admin_token) {
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  std::unique_ptr<Errands> made(new Errands(std::move(*loop)));
  made->world_.reset(
      new UserWorld{made->loop_, nullptr, std::move(targets), std::move(tls), 1, ns_of(plan.timeout_s)});
  std::map<std::pair<std::string, Settings>, std::size_t> known;
  for (const Scenario& scenario : plan.scenarios) {
    const auto [at, is_new] =
        known.try_emplace({scenario.journey, scenario.settings}, made->subjects_.size());
    made->subject_of_.push_back(at->second);
    if (!is_new) continue;
    const JourneyKind& kind = *find_journey(scenario.journey);
    Subject& subject = made->subjects_.emplace_back();
    for (const StepInfo& step : kind.errands) subject.steps.methods.push_back(step.method);
    subject.journey = kind.make({scenario, run_id, admin_token, nullptr});
    subject.user = std::make_unique<User>(*made->world_, subject.steps, *made, 0);
  }
  made->metrics_steps_.methods = {"GET"};
  made->metrics_user_ = std::make_unique<User>(*made->world_, made->metrics_steps_, *made, 0);
  return made;
}

bool Errands::carry_out(User& user, Task<> task, double limit_s) {
  const std::int64_t now_ns = steady_ns(), give_up_ns = now_ns + ns_of(limit_s);
  user.begin_iteration(std::move(task), now_ns, now_ns);
  while (user.busy() && steady_ns() < give_up_ns) {
    loop_.run_once(std::min(give_up_ns, steady_ns() + kLookEveryNs));
    user.check_timeout(steady_ns());
  }
  const bool over = !user.busy();
  if (!over) user.interrupt();
  return over;
}

Task<> Errands::knock(User& user, NoAnswer& failure) {
  const Request get{0, "/"};
  const Reply reply = co_await user.ask(get);
  failure = reply.failure;
}

/// Errors: not_found. Whatever else the server does badly is for the run to show.
Status Errands::find_server() {
  NoAnswer failure = NoAnswer::kTimeout;
  const bool over = carry_out(*metrics_user_, knock(*metrics_user_, failure), kPrepareLimitS);
  const bool there =
      over && failure != NoAnswer::kConnect && failure != NoAnswer::kTls && failure != NoAnswer::kLocal;
  if (there) return Ok{};
  return not_found(fmt::format("{}: {}", world_->targets.front().authority, why(failure)));
}

Status Errands::prepare() {
  if (Status found = find_server(); !found) return found;
  for (Subject& subject : subjects_) {
    Status done = Ok{};
    if (!carry_out(*subject.user, store(subject.journey->prepare(*subject.user), done), kPrepareLimitS)) {
      return Error{ErrorCode::kRequestTimeout, "the server did not answer while the run was prepared"};
    }
    if (!done) return done;
  }
  return Ok{};
}

Task<> Errands::read_cpu(User& user, std::map<std::string, double>& gauges) {
  const Request get{0, "/metrics"};
  const Reply reply = co_await user.ask(get);
  if (!reply.ok()) co_return;
  if (const auto bytes = prometheus_value(reply.body, "process_resident_memory_bytes"))
    gauges["server_memory_mb"] = *bytes / 1e6;
  const auto found = prometheus_value(reply.body, "process_cpu_seconds_total");
  if (!found) co_return;
  const double seconds = *found;
  const std::int64_t now_ns = steady_ns();
  const double since = static_cast<double>(now_ns - std::exchange(cpu_at_ns_, now_ns)) / 1e9;
  const bool had_before = cpu_s_ >= 0;
  const double used = seconds - std::exchange(cpu_s_, seconds);
  // Less than before: it was started again.
  if (had_before && used >= 0 && since > 0) gauges["server_cpu"] = used / since;
}

std::map<std::string, double> Errands::watch(double limit_s) {
  std::map<std::string, double> gauges;
  const std::int64_t give_up_ns = steady_ns() + ns_of(limit_s);
  const auto left_s = [&] { return static_cast<double>(give_up_ns - steady_ns()) / 1e9; };
  carry_out(*metrics_user_, read_cpu(*metrics_user_, gauges), left_s());
  for (Subject& subject : subjects_) {
    carry_out(*subject.user, subject.journey->watch(*subject.user, gauges), left_s());
  }
  return gauges;
}

Status Errands::absorb(std::size_t scenario, std::string_view evidence) {
  return subjects_[subject_of_[scenario]].journey->absorb(evidence);
}

std::vector<InvariantResult> Errands::judge(double settle_s) {
  std::vector<InvariantResult> results;
  for (Subject& subject : subjects_) {
    const bool over = carry_out(*subject.user, subject.journey->judge(*subject.user, settle_s, results),
                                settle_s + kJudgeLimitS);
    if (!over) {
      results.push_back({"judged", false, 0, 0, "the server did not answer while the run was judged"});
    }
  }
  return results;
}

}  // namespace spillway::load
