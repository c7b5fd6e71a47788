#include "load/engine/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "load/engine/errands.h"
#include "load/faults/recovery.h"
#include "load/verdict/threshold.h"
#include "load/verdict/verdict.h"
#include "load/wire/clock.h"
#include "load/wire/process_probe.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kStartInNs = 200'000'000;  // for threads to be there
constexpr double kWatchLimitS = 0.9;
constexpr std::uint64_t kVusToTellMemory = 1'000;  // with fewer, what all share would count

// Past these the generator was what was slow, and not the server.
constexpr double kBusyThread = 0.95;    // of a core, in its worst ten seconds
constexpr double kLagLimitMs = 50;      // p99 of how late it started what was due
constexpr double kSocketErrors = 1e-3;  // of the requests

/// Looks at what operators see, about once a second, on a thread of its own: a server that stalls must not
/// keep the run from being collected.
class Watch {
 public:
  explicit Watch(Errands& errands) : errands_(errands), thread_([this] { run(); }) {}
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  std::map<std::string, double> latest() {
    const std::lock_guard lock(mutex_);
    return std::exchange(latest_, {});
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    name_this_thread("load-watch");
    auto next = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      auto seen = errands_.watch(kWatchLimitS);
      lock.lock();
      latest_ = std::move(seen);
      next = std::max(next + std::chrono::seconds(1), std::chrono::steady_clock::now());
      changed_.wait_until(lock, next, [this] { return stopping_; });
    }
  }

  Errands& errands_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::map<std::string, double> latest_;
  std::thread thread_;
};

std::vector<CheckResult> checks_of(const Measurements& m) {
  std::vector<CheckResult> checks;
  for (const std::string& name : m.tag_values(metric::kChecks, "check")) {
    const Sink sink = m.select(metric::kChecks, {{"check", name}});
    const auto passes = static_cast<std::uint64_t>(sink.sum);
    checks.push_back({name, passes, sink.samples - passes});
  }
  return checks;
}

void find_own_faults(Results& r, const std::vector<std::string>& lost_slices) {
  SelfWatch& self = r.self;
  const auto requests = static_cast<double>(r.measured.select(metric::kHttpReqs).samples);
  if (self.lag_p99_ms > kLagLimitMs) {
    self.grounds.push_back(fmt::format("it started what was due {:.1f} ms late (p99), more than {:.0f} ms",
                                       self.lag_p99_ms, kLagLimitMs));
  }
  if (self.busiest_thread > kBusyThread) {
    self.grounds.push_back(
        fmt::format("its busiest thread used {:.0f}% of a core for ten seconds", self.busiest_thread * 100));
  }
  if (static_cast<double>(self.socket_errors) > kSocketErrors * std::max(requests, 1.0)) {
    self.grounds.push_back(fmt::format(
        "{} requests could not be sent because this machine had no more ports, open files or memory; see "
        "source_addresses and ulimit -n",
        self.socket_errors));
  }
  for (const std::string& why : lost_slices) self.grounds.push_back(why);
}

/// Of the invariants that journeys judged, those that the plan asks for, of every journey; one that none of
/// them told of, since the settings turn it off, is one that was not looked at.
std::vector<InvariantResult> chosen(const Plan& plan, std::vector<InvariantResult> all) {
  if (std::find(plan.invariants.begin(), plan.invariants.end(), kAllInvariants) != plan.invariants.end())
    return all;
  std::vector<InvariantResult> some;
  for (const std::string& name : plan.invariants) {
    const std::size_t before = some.size();
    std::copy_if(all.begin(), all.end(), std::back_inserter(some),
                 [&](const InvariantResult& one) { return one.name == name; });
    if (some.size() == before) some.push_back({name, false, 0, 0, "the journey's settings turn it off"});
  }
  return some;
}

/// What a run remembers from its start to its end.
class Run {
 public:
  Run(const RunSetup& setup, Errands& errands, std::size_t slices)
      : setup_(setup), errands_(errands), collector_(slices) {}

  Result<Results> carry_out() {
    results_.plan = setup_.plan.name;
    results_.title = setup_.plan.title;
    results_.description = setup_.plan.description;
    results_.started_at = SystemClock().wall();
    resident_before_ = read_process(::getpid()).resident_bytes;
    const std::int64_t start_ns = steady_ns() + kStartInNs;
    if (Status started = setup_.slices.start(collector_, kStartInNs); !started) return started.error();
    if (setup_.faults != nullptr) setup_.faults->start(start_ns);
    collect();
    results_.duration_s = static_cast<double>(steady_ns() - start_ns) / 1e9;
    setup_.slices.join();
    end_faults();
    if (Status judged = judge_promises(); !judged) return judged.error();
    look_at_server_and_faults();
    tell_self();
    results_.measured = timeline_.take_measured();
    results_.timeline = timeline_.take_points();
    results_.checks = checks_of(results_.measured);
    compute_recovery(results_.timeline, results_.faults);
    find_own_faults(results_, collector_.failures());
    results_.thresholds = evaluate_all(setup_.plan, results_.measured, results_.duration_s);
    for (const std::size_t i : aborted_by_) results_.thresholds[i].ok = false;  // also if it recovered since
    judge(setup_.plan, results_);
    return std::move(results_);
  }

 private:
  bool sees() const { return !setup_.admin_token.empty(); }

  /// Second by second, until every slice has ended.
  void collect() {
    std::optional<Watch> watch;
    if (sees()) watch.emplace(errands_);
    while (!collector_.all_ended()) {
      const auto second = collector_.take(steady_ns() + kSecondNs / 4);
      if (setup_.stop_asked != nullptr && setup_.stop_asked->load())
        stop("stopping: those under way may finish");
      if (!second) continue;
      const TimelinePoint& point =
          timeline_.add(*second, watch ? watch->latest() : std::map<std::string, double>{});
      requests_ += point.requests;
      failed_ += point.failed;
      most_vus_ = std::max(most_vus_, point.vus_max);
      most_resident_ = std::max(most_resident_, read_process(::getpid()).resident_bytes);
      if (setup_.on_second) setup_.on_second(point, requests_, failed_);
      if (const auto why = reason_to_abort(setup_.plan, timeline_.measured(), point.at_s)) {
        remember_who_aborted(point.at_s);
        stop(*why);
      }
    }
  }

  /// Once. Faults are taken back as well: nobody under way gets an answer from a server that is stopped.
  void stop(const std::string& why) {
    if (std::exchange(results_.aborted, true)) return;
    setup_.say(why);
    setup_.slices.stop();
    end_faults();
  }

  void end_faults() {
    if (setup_.faults != nullptr && !std::exchange(faults_ended_, true))
      results_.faults = setup_.faults->finish();
  }

  Status judge_promises() {
    for (const SliceEvidence& slice : collector_.evidence()) {
      for (std::size_t i = 0; i < slice.size(); ++i) {
        if (Status read = errands_.absorb(i, slice[i]); !read) return read;
      }
    }
    if (setup_.plan.invariants.empty() || !sees()) return Ok{};
    setup_.say("holding what was seen against what the server says now");
    results_.invariants = chosen(setup_.plan, errands_.judge(setup_.plan.settle_s));
    return Ok{};
  }

  void remember_who_aborted(double at_s) {
    if (results_.aborted) return;
    const auto now = evaluate_all(setup_.plan, timeline_.measured(), at_s);
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (!now[i].ok && setup_.plan.thresholds[i].abort_on_fail) aborted_by_.push_back(i);
    }
  }

  /// Whether the server that we started is still there, and whether what was planned against it was done.
  void look_at_server_and_faults() {
    if (setup_.server_died) {
      if (const auto how = setup_.server_died())
        results_.invariants.push_back({"server-stays-up", false, 1, 1, *how});
    }
    if (setup_.faults == nullptr || results_.aborted) return;
    if (const auto what = setup_.faults->not_done())
      results_.invariants.push_back({"faults-as-planned", false, 0, 0, *what});
  }

  void tell_self() {
    results_.self = timeline_.self(std::max(results_.duration_s, 1e-3));
    const bool can_tell = setup_.slices.in_this_process() && most_vus_ >= kVusToTellMemory;
    if (can_tell && most_resident_ > resident_before_)
      results_.self.bytes_per_vu = static_cast<std::uint64_t>(most_resident_ - resident_before_) / most_vus_;
  }

  const RunSetup& setup_;
  Errands& errands_;
  Collector collector_;
  Timeline timeline_;
  Results results_;
  bool faults_ended_ = false;
  std::vector<std::size_t> aborted_by_;  // thresholds of the plan
  std::uint64_t requests_ = 0, failed_ = 0, most_vus_ = 0;
  std::int64_t resident_before_ = 0, most_resident_ = 0;
};

}  // namespace

Result<Results> run_plan(const RunSetup& setup) {
  auto errands =
      Errands::make(setup.plan, setup.operator_targets, setup.tls, setup.run_id, setup.admin_token);
  if (!errands) return errands.error();
  if (Status prepared = (*errands)->prepare(); !prepared) return prepared.error();
  const auto slices = setup.slices.prepare();
  if (!slices) return slices.error();
  return Run(setup, **errands, *slices).carry_out();
}

}  // namespace spillway::load
