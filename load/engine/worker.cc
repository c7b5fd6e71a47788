#include "load/engine/worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/thread.h"
#include "load/plan/plan_limits.h"
#include "load/wire/clock.h"
#include "load/wire/wire_text.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kSweepEveryNs = 250'000'000;  // how exact time-outs and ramp-downs are

/// The kernel looks for a free port among half of them first, some 14,000, and then at all the others one by
/// one.
constexpr std::uint64_t kConnectionsOfAnAddress = 10'000;

std::uint32_t sources_for(const Plan& plan) {
  if (plan.source_addresses != 0) return plan.source_addresses;
  const std::uint64_t needed = (plan.most_vus() + kConnectionsOfAnAddress - 1) / kConnectionsOfAnAddress;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(needed, 1, limits::kMaxSourceAddresses));
}

}  // namespace

std::string SliceSecond::encode() const {
  std::string out;
  put_number(out, second);
  put_number(out, vus);
  put_number(out, made_vus);
  put_number(out, cpu_s);
  put_number(out, socket_errors);
  put_text(out, lag.encode());
  put_text(out, measured.encode());
  return out;
}

std::optional<SliceSecond> SliceSecond::decode(std::string_view text) {
  WireReader in(text);
  SliceSecond one;
  one.second = in.number<std::uint32_t>();
  one.vus = in.number<std::uint64_t>();
  one.made_vus = in.number<std::uint64_t>();
  one.cpu_s = in.number<double>();
  one.socket_errors = in.number<std::uint64_t>();
  if (!one.lag.add_encoded(in.text())) return std::nullopt;
  auto measured = Measurements::decode(in.text());
  if (!in.good() || !in.at_end() || !measured) return std::nullopt;
  one.measured = std::move(*measured);
  return one;
}

Result<std::unique_ptr<Worker>> Worker::start(WorkerSetup setup, OnSecond on_second, OnEnd on_end) {
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  std::unique_ptr<Worker> made(
      new Worker(std::move(setup), std::move(*loop), std::move(on_second), std::move(on_end)));
  made->thread_ = std::thread([&worker = *made] { worker.run(); });
  return made;
}

Worker::Worker(WorkerSetup setup, EventLoop loop, OnSecond on_second, OnEnd on_end)
    : setup_(std::move(setup)),
      on_second_(std::move(on_second)),
      on_end_(std::move(on_end)),
      loop_(std::move(loop)),
      recorder_(setup_.points),
      world_{loop_,
             &recorder_,
             setup_.targets,
             setup_.tls,
             sources_for(setup_.plan),
             ns_of(setup_.plan.timeout_s)} {
  fill_random(&world_.random_state, sizeof world_.random_state);
  for (const Scenario& scenario : setup_.plan.scenarios) {
    const JourneyContext context{scenario, setup_.run_id, {}, &recorder_};
    scenarios_.push_back(std::make_unique<ScenarioRun>(scenario, *find_journey(scenario.journey), context,
                                                       world_, setup_.slice));
  }
}

Worker::~Worker() {
  stop();
  join();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  name_this_thread("load");
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // alarms as exact as the machine can
  for (auto& scenario : scenarios_) scenario->start(setup_.start_ns);
  std::int64_t next_sweep_ns = setup_.start_ns;
  bool stopping = false;
  cpu_ns_ = thread_cpu_ns();
  const auto over = [this] {
    return std::all_of(scenarios_.begin(), scenarios_.end(), [](const auto& s) { return s->done(); });
  };
  while (!over()) {
    const std::int64_t second_ends_ns = setup_.start_ns + (second_ + 1) * kSecondNs;
    loop_.run_once(std::min(next_sweep_ns, second_ends_ns));
    const std::int64_t now_ns = steady_ns();
    if (now_ns >= next_sweep_ns) {
      for (auto& scenario : scenarios_) scenario->sweep(now_ns);
      next_sweep_ns = now_ns + kSweepEveryNs;
      if (abandoned_.load(std::memory_order_relaxed)) return;
      if (stop_.load(std::memory_order_relaxed) && !std::exchange(stopping, true)) {
        for (auto& scenario : scenarios_) scenario->stop(now_ns);
      }
    }
    if (now_ns >= second_ends_ns) finish_second(now_ns);
  }
  finish_second(steady_ns());
  SliceEvidence evidence;
  for (auto& scenario : scenarios_) evidence.push_back(scenario->journey().evidence());
  on_end_(std::move(evidence));
}

void Worker::finish_second(std::int64_t now_ns) {
  SliceSecond done;
  done.second = second_;
  done.measured = recorder_.drain();
  for (const auto& scenario : scenarios_) {
    done.vus += scenario->busy_vus();
    done.made_vus += scenario->made_vus();
  }
  const std::int64_t cpu_ns = thread_cpu_ns();
  done.cpu_s = static_cast<double>(cpu_ns - std::exchange(cpu_ns_, cpu_ns)) / 1e9;
  done.lag = std::exchange(world_.lag, {});
  done.socket_errors = std::exchange(world_.socket_errors, 0);
  // After a stall the seconds that were missed are left out: what was measured lies in the one that ended
  // late.
  second_ =
      std::max(second_ + 1,
               static_cast<std::uint32_t>(std::max<std::int64_t>(0, now_ns - setup_.start_ns) / kSecondNs));
  on_second_(std::move(done));
}

}  // namespace spillway::load
