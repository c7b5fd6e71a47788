#include "load/faults/conductor.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>

#include "base/thread.h"

namespace spillway::load {
namespace {

constexpr std::size_t kMostFaults = 1'000;

double number(const Fault& fault, const std::string& key, double otherwise) {
  const auto found = fault.numbers.find(key);
  return found == fault.numbers.end() ? otherwise : found->second;
}

std::optional<ToxicKind> toxic_kind(std::string_view kind) {
  if (kind == "latency") return ToxicKind::kLatency;
  if (kind == "bandwidth") return ToxicKind::kBandwidth;
  if (kind == "reset") return ToxicKind::kResetPeer;
  if (kind == "down") return ToxicKind::kDown;
  return std::nullopt;
}

Toxic toxic_of(const Fault& fault) {
  Toxic toxic;
  toxic.kind = toxic_kind(fault.kind).value_or(ToxicKind::kDown);
  toxic.latency_ms = number(fault, "latency_ms", 0);
  toxic.jitter_ms = number(fault, "jitter_ms", 0);
  toxic.rate_kb_per_s = number(fault, "rate_kb_per_s", 0);
  toxic.timeout_ms = number(fault, "timeout_ms", 0);
  toxic.percent = number(fault, "percent", 100);
  return toxic;
}

std::string name_of(const Fault& fault) {
  if (fault.kind == "kill") return "kill -9 the server";
  if (fault.kind == "stop") return "stop the server (SIGSTOP)";
  if (fault.kind == "restart") return "restart the server";
  return describe(toxic_of(fault));
}

/// Both on the process, or both the same toxic: one would undo the other.
bool of_one_thing(const Fault& a, const Fault& b) {
  return (a.on_process() && b.on_process()) || a.kind == b.kind;
}

Status check_one(const std::vector<Fault>& faults, std::size_t i, bool has_server, bool has_proxy) {
  const Fault& fault = faults[i];
  const auto wrong = [&](std::string_view key, std::string_view what) {
    return invalid_argument(fmt::format("faults[{}].{}: {}", i, key, what));
  };
  const bool known = fault.on_process() || toxic_kind(fault.kind);
  if (!known)
    return wrong("kind", fmt::format("\"{}\" is none of kill, stop, restart, latency, bandwidth, reset, down",
                                     fault.kind));
  if (!(fault.at_s >= 0)) return wrong("at", "is before the run");
  if (!(fault.for_s >= 0)) return wrong("for", "is negative");
  if (fault.on_process() && !has_server)
    return wrong("kind",
                 fmt::format("\"{}\" needs --server-command: only a server that is started here can be "
                             "stopped and started again",
                             fault.kind));
  if (!fault.on_process() && !has_proxy)
    return wrong("kind", fmt::format("\"{}\" needs the proxy in front of the target", fault.kind));
  if (!fault.on_process()) {
    if (Status sound = check(toxic_of(fault)); !sound) {
      const std::string& message = sound.error().message;  // begins with the number's name
      return invalid_argument(fmt::format("faults[{}].{}", i, message));
    }
  }
  for (std::size_t k = 0; k < faults.size(); ++k) {
    const Fault& other = faults[k];
    if (k == i || !of_one_thing(fault, other) || fault.at_s < other.at_s) continue;
    if ((fault.at_s > other.at_s || k < i) && fault.at_s < other.at_s + other.for_s)
      return wrong("at",
                   fmt::format("begins before faults[{}] ends, which is {}", k,
                               fault.on_process() ? "about the server's process too" : "of the same kind"));
  }
  return Ok{};
}

}  // namespace

Conductor::Conductor(ServerProcess* server, TcpProxy* proxy) : server_(server), proxy_(proxy) {}

Conductor::~Conductor() { stop(); }

Status Conductor::check(const Plan& plan, bool has_server, bool has_proxy) {
  if (plan.faults.size() > kMostFaults)
    return invalid_argument(fmt::format("faults: {}, at most {}", plan.faults.size(), kMostFaults));
  for (std::size_t i = 0; i < plan.faults.size(); ++i)
    if (Status sound = check_one(plan.faults, i, has_server, has_proxy); !sound) return sound;
  return Ok{};
}

void Conductor::start(const std::vector<Fault>& faults, std::int64_t steady_ns_of_run_start) {
  using std::chrono::duration;
  using std::chrono::duration_cast;
  using Clock = std::chrono::steady_clock;
  faults_ = faults;
  run_start_ = TimePoint(duration_cast<Clock::duration>(std::chrono::nanoseconds(steady_ns_of_run_start)));
  outcomes_.resize(faults.size());
  std::array<std::vector<Step>, 2> lanes;  // the proxy's, the process's
  std::vector<std::size_t> in_order(faults.size());
  std::iota(in_order.begin(), in_order.end(), 0);
  std::stable_sort(in_order.begin(), in_order.end(),
                   [&](std::size_t a, std::size_t b) { return faults[a].at_s < faults[b].at_s; });
  for (const std::size_t i : in_order) {
    const auto at = run_start_ + duration_cast<Clock::duration>(duration<double>(faults[i].at_s));
    const auto length = duration_cast<Clock::duration>(duration<double>(faults[i].for_s));
    auto& lane = lanes[faults[i].on_process() ? 1 : 0];
    lane.push_back({at, i, true});
    lane.push_back({at + length, i, false});
    outcomes_[i].result.name = name_of(faults[i]);
  }
  for (auto& steps : lanes) {
    // Stable: where one ends and the next begins at the same time, the end stays first.
    std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.at < b.at; });
    if (!steps.empty()) threads_.emplace_back([this, mine = std::move(steps)] { run(mine); });
  }
}

void Conductor::run(std::vector<Step> steps) {
  name_this_thread("faults");
  for (const Step& step : steps) {
    {
      std::unique_lock lock(mutex_);
      stopped_.wait_until(lock, step.at, [this] { return stopping_; });
      // Once stopping, nothing begins, and what is in force ends without waiting.
      if (step.begins ? stopping_ : !outcomes_[step.fault].in_force) continue;
    }
    const double at = now_s();
    const Status done = step.begins ? begin(faults_[step.fault]) : take_back(faults_[step.fault]);
    note(step.fault, done, step.begins, step.begins ? at : now_s());
  }
}

Status Conductor::begin(const Fault& fault) {
  if (!fault.on_process()) return proxy_->apply(toxic_of(fault));
  if (auto died = server_->died()) return Error{ErrorCode::kInternal, "the server had " + *died};
  if (fault.kind == "kill") return server_->kill_now();
  if (fault.kind == "stop") return server_->pause();
  return server_->stop();
}

Status Conductor::take_back(const Fault& fault) {
  if (!fault.on_process()) return proxy_->clear(toxic_of(fault).kind);
  if (fault.kind == "stop") return server_->resume();
  return server_->start_again();
}

double Conductor::now_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - run_start_).count();
}

void Conductor::note(std::size_t fault, const Status& done, bool begins, double at_s) {
  const std::lock_guard lock(mutex_);
  Outcome& outcome = outcomes_[fault];
  outcome.begun = true;
  (begins ? outcome.result.from_s : outcome.result.until_s) = at_s;
  if (begins) outcome.result.until_s = at_s;  // until it is taken back
  // A restart whose server had to be killed has failed, and is to be started again all the same.
  const bool to_start = begins && faults_[fault].kind == "restart" && server_->pid() == 0 && !server_->died();
  outcome.in_force = begins && (done.ok() || to_start);
  if (done.ok()) return;
  failed_ = true;
  if (!outcome.result.detail.empty()) outcome.result.detail += "; ";
  outcome.result.detail += (begins ? "" : "not taken back: ") + done.error().message;
}

void Conductor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::vector<FaultResult> Conductor::results() const {
  const std::lock_guard lock(mutex_);
  std::vector<FaultResult> results;
  for (const Outcome& outcome : outcomes_)
    if (outcome.begun) results.push_back(outcome.result);
  std::stable_sort(results.begin(), results.end(),
                   [](const FaultResult& a, const FaultResult& b) { return a.from_s < b.from_s; });
  return results;
}

bool Conductor::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace spillway::load
