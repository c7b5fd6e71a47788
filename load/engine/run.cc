#include "load/engine/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "load/engine/errands.h"
#include "load/faults/recovery.h"
#include "load/verdict/threshold.h"
#include "load/verdict/verdict.h"
#include "load/wire/process_probe.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kStartInNs = 200'000'000;  // for threads to be there
constexpr double kWatchLimitS = 0.9;
constexpr std::uint64_t kVusToTellMemory = 1'000;  // with fewer, what all share would count
constexpr std::string_view kAllInvariants = "all";

// Past these the generator was what was slow, and not the server.
constexpr double kBusyThread = 0.95;    // of a core, on average
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

class LocalSlices final : public SliceSource {
 public:
  LocalSlices(const Plan& plan, std::string run_id, std::vector<Target> targets,
              std::shared_ptr<TlsSettings> tls, std::size_t threads, PointLog* points)
      : plan_(plan),
        run_id_(std::move(run_id)),
        targets_(std::move(targets)),
        tls_(std::move(tls)),
        threads_(threads),
        points_(points) {}

  Result<std::size_t> prepare() override { return threads_; }

  Status start(Collector& collector, std::int64_t in_ns) override {
    const std::int64_t start_ns = steady_ns() + in_ns;
    for (std::size_t i = 0; i < threads_; ++i) {
      const Slice slice{static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(threads_)};
      auto worker = Worker::start(
          {plan_, run_id_, targets_, tls_, slice, start_ns, points_},
          [&collector, i](SliceSecond second) { collector.add(i, std::move(second)); },
          [&collector, i](SliceEvidence evidence) { collector.end(i, std::move(evidence)); });
      if (!worker) return worker.error();
      workers_.push_back(std::move(*worker));
    }
    return Ok{};
  }
  void stop() override {
    for (auto& worker : workers_) worker->stop();
  }
  void join() override {
    for (auto& worker : workers_) worker->join();
  }

 private:
  const Plan& plan_;
  const std::string run_id_;
  const std::vector<Target> targets_;
  const std::shared_ptr<TlsSettings> tls_;
  const std::size_t threads_;
  PointLog* const points_;
  std::vector<std::unique_ptr<Worker>> workers_;
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
        fmt::format("its busiest thread used {:.0f}% of a core", self.busiest_thread * 100));
  }
  if (static_cast<double>(self.socket_errors) > kSocketErrors * std::max(requests, 1.0)) {
    self.grounds.push_back(fmt::format(
        "{} requests could not be sent because this machine had no more ports, open files or memory; see "
        "source_addresses and ulimit -n",
        self.socket_errors));
  }
  for (const std::string& why : lost_slices) self.grounds.push_back(why);
}

/// Of the invariants that journeys judged, those that the plan asks for; one that none of them told of, since
/// the settings turn it off, is one that was not looked at.
std::vector<InvariantResult> chosen(const Plan& plan, std::vector<InvariantResult> all) {
  if (std::find(plan.invariants.begin(), plan.invariants.end(), kAllInvariants) != plan.invariants.end())
    return all;
  std::vector<InvariantResult> some;
  for (const std::string& name : plan.invariants) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
    some.push_back(found != all.end()
                       ? *found
                       : InvariantResult{name, false, 0, 0, "the journey's settings turn it off"});
  }
  return some;
}

/// Faults end first: nobody under way gets an answer from a server that is stopped.
void stop_early(const RunSetup& setup, Results& results) {
  setup.slices.stop();
  if (setup.faults != nullptr) results.faults = setup.faults->finish();
}

}  // namespace

std::unique_ptr<SliceSource> local_slices(const Plan& plan, const std::string& run_id,
                                          std::vector<Target> targets, std::shared_ptr<TlsSettings> tls,
                                          std::size_t threads, PointLog* points) {
  if (threads == 0) threads = std::max(2U, std::thread::hardware_concurrency()) - 1;
  // A slice without a virtual user would leave its iterations undone.
  for (const Scenario& scenario : plan.scenarios)
    threads = std::min<std::size_t>(threads, std::max<std::uint64_t>(1, scenario.most_vus()));
  return std::make_unique<LocalSlices>(plan, run_id, std::move(targets), std::move(tls), threads, points);
}

/// That some journey of the plan can tell of each invariant: a soak of hours must not end with a wrong name.
Status check_invariants(const Plan& plan) {
  std::set<std::string_view> known;
  for (const Scenario& scenario : plan.scenarios) {
    const JourneyKind& kind = *find_journey(scenario.journey);
    known.insert(kind.invariants.begin(), kind.invariants.end());
  }
  for (const std::string& name : plan.invariants) {
    if (name != kAllInvariants && !known.contains(name))
      return invalid_argument(
          fmt::format("invariants: no journey of this plan knows \"{}\"; there are {}, {}", name,
                      kAllInvariants, fmt::join(known, ", ")));
  }
  return Ok{};
}

Status check_plan(const Plan& plan) {
  std::vector<Metric> known;
  std::set<std::string_view> plan_wide;  // settings that some journey knows
  for (const Scenario& scenario : plan.scenarios) {
    const JourneyKind* kind = find_journey(scenario.journey);
    if (kind == nullptr) {
      std::string names;
      for (const JourneyKind& one : all_journeys())
        names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
      return invalid_argument(fmt::format("scenarios.{}.journey: there is no journey {}; there are {}",
                                          scenario.name, scenario.journey, names));
    }
    for (const auto& [name, help] : kind->settings) plan_wide.insert(name);
    Recorder recorder;
    const auto journey = kind->make({scenario, "", "", &recorder});
    if (Status good = journey->check_settings(); !good) return good;
    for (const Metric& metric : recorder.metrics()) known.push_back(metric);
    for (const std::string_view gauge : kind->gauges)
      known.push_back({std::string(gauge), MetricType::kGauge});
  }
  for (const Scenario& scenario : plan.scenarios) {
    if (Status good = check_settings(scenario, *find_journey(scenario.journey), plan.settings); !good)
      return good;
  }
  for (const auto& [key, value] : plan.settings) {
    if (!plan_wide.contains(key))
      return invalid_argument(fmt::format("settings.{}: no journey of this plan has such a setting", key));
  }
  if (Status good = check_invariants(plan); !good) return good;
  return check_thresholds(plan, known);
}

Result<Results> run_plan(const RunSetup& setup) {
  const Plan& plan = setup.plan;
  const bool sees = !setup.admin_token.empty();
  auto errands = Errands::make(plan, setup.operator_targets, setup.tls, setup.run_id, setup.admin_token);
  if (!errands) return errands.error();
  if (Status prepared = (*errands)->prepare(); !prepared) return prepared.error();
  const auto slices = setup.slices.prepare();
  if (!slices) return slices.error();

  Collector collector(*slices);
  Timeline timeline;
  Results results;
  results.plan = plan.name;
  results.title = plan.title;
  results.description = plan.description;
  results.started_at = SystemClock().wall();
  const std::int64_t resident_before = read_process(::getpid()).resident_bytes;
  const std::int64_t start_ns = steady_ns() + kStartInNs;
  if (Status started = setup.slices.start(collector, kStartInNs); !started) return started.error();
  if (setup.faults != nullptr) setup.faults->start(start_ns);
  std::uint64_t requests = 0, failed = 0, most_vus = 0;
  std::int64_t most_resident = 0;
  bool stopping = false;
  {
    Watch watch(**errands);
    while (!collector.all_ended()) {
      const auto second = collector.take(steady_ns() + kSecondNs / 4);
      if (!stopping && setup.stop_asked != nullptr && setup.stop_asked->load()) {
        stopping = results.aborted = true;
        setup.say("stopping: those under way may finish");
        stop_early(setup, results);
      }
      if (!second) continue;
      const TimelinePoint& point =
          timeline.add(*second, sees ? watch.latest() : std::map<std::string, double>{});
      requests += point.requests;
      failed += point.failed;
      most_vus = std::max(most_vus, point.vus_max);
      most_resident = std::max(most_resident, read_process(::getpid()).resident_bytes);
      if (setup.on_second) setup.on_second(point, requests, failed);
      if (stopping) continue;
      if (const auto why = reason_to_abort(plan, timeline.measured(), point.at_s)) {
        stopping = results.aborted = true;
        setup.say(*why);
        stop_early(setup, results);
      }
    }
  }
  results.duration_s = static_cast<double>(steady_ns() - start_ns) / 1e9;
  setup.slices.join();
  if (setup.faults != nullptr && !stopping) results.faults = setup.faults->finish();

  results.self = timeline.self(std::max(results.duration_s, 1e-3));
  if (setup.slices.in_this_process() && most_vus >= kVusToTellMemory && most_resident > resident_before)
    results.self.bytes_per_vu = static_cast<std::uint64_t>(most_resident - resident_before) / most_vus;
  const auto evidence = collector.evidence();
  for (const SliceEvidence& slice : evidence) {
    for (std::size_t i = 0; i < slice.size(); ++i) {
      if (Status read = (*errands)->absorb(i, slice[i]); !read) return read.error();
    }
  }
  if (!plan.invariants.empty() && sees) {
    setup.say("holding what was seen against what the server says now");
    results.invariants = chosen(plan, (*errands)->judge(plan.settle_s));
  }
  results.measured = timeline.take_measured();
  results.timeline = timeline.take_points();
  results.checks = checks_of(results.measured);
  compute_recovery(results.timeline, results.faults);
  find_own_faults(results, collector.failures());
  judge(plan, results);
  return results;
}

}  // namespace spillway::load
