#include "load/engine/scenario_run.h"

#include <algorithm>
#include <numeric>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr std::size_t kMaxArrivalsInARow = 256;  // before answers are looked at again

}  // namespace

ScenarioRun::ScenarioRun(const Scenario& scenario, const JourneyKind& kind, const JourneyContext& context,
                         UserWorld& world, Slice slice)
    : scenario_(scenario), world_(world), slice_(slice), journey_(kind.make(context)) {
  Tags tags = scenario.tags;
  tags["scenario"] = scenario.name;
  Recorder& recorder = *world.recorder;
  for (const StepInfo& step : kind.steps) {
    steps_.methods.push_back(step.method);
    steps_.ids.push_back(recorder.add_step(step.name, step.method, tags));
  }
  iterations_series_ = recorder.add_series({std::string(metric::kIterations), MetricType::kCounter}, tags);
  duration_series_ = recorder.add_series(
      {std::string(metric::kIterationDuration), MetricType::kTrend, Contains::kTime}, tags);
  interrupted_series_ = recorder.add_series({"interrupted_iterations", MetricType::kCounter}, tags);
  dropped_series_ =
      recorder.add_series({std::string(metric::kDroppedIterations), MetricType::kCounter}, tags);
  if (scenario.open_model()) arrivals_.emplace(scenario);
  if (scenario.executor == Executor::kConstantVus || scenario.executor == Executor::kRampingVus)
    vus_.emplace(scenario);
}

std::uint64_t ScenarioRun::mine(std::uint64_t whole) const {
  return whole / slice_.count + (slice_.index < whole % slice_.count ? 1 : 0);
}

void ScenarioRun::start(std::int64_t run_start_ns) {
  start_ns_ = run_start_ns + ns_of(scenario_.start_time_s);
  end_ns_ = start_ns_ + ns_of(scenario_.length_s());
  give_up_ns_ = end_ns_ + ns_of(scenario_.graceful_stop_s);
  const std::uint64_t made_before =
      mine(scenario_.open_model() ? scenario_.pre_allocated_vus : scenario_.most_vus());
  while (users_.size() < made_before) make_user();
  if (scenario_.executor == Executor::kPerVuIterations) left_.assign(users_.size(), scenario_.iterations);
  shared_left_ = mine(scenario_.iterations);
  next_arrival_ = slice_.index;
  if (scenario_.open_model()) {
    for (auto user = users_.rbegin(); user != users_.rend(); ++user) free_.push_back(&*user);
  }
  world_.loop.wake_at(*this, start_ns_);
}

void ScenarioRun::make_user() { users_.emplace_back(world_, steps_, *this, global(users_.size())); }

void ScenarioRun::begin(User& user, std::int64_t due_ns, std::int64_t now_ns) {
  ++busy_;
  user.leave_by_ns = 0;
  user.begin_iteration(journey_->iterate(user), due_ns, now_ns);
}

// ---- Time ------------------------------------------------------------------------------------------------

void ScenarioRun::on_time(std::int64_t at_ns, std::int64_t now_ns) {
  if (phase_ == Phase::kWaiting) {
    phase_ = Phase::kRunning;
    world_.lag.record(now_ns - at_ns);
    if (!vus_ && !arrivals_) wanted_ = users_.size();
  }
  // Whoever comes late to the end still makes, or drops, what was due before it.
  const bool some_due = arrivals_ && next_arrival_ < arrivals_->total();
  if (phase_ == Phase::kRunning && now_ns >= end_ns_ && !some_due) stop(now_ns);
  if (phase_ == Phase::kRunning) {
    if (arrivals_) send_arrivals(now_ns);
    if (vus_) set_wanted_vus(now_ns);
    if (!vus_ && !arrivals_ && iterations_ == 0 && busy_ == 0) {
      for (std::size_t i = 0; i < users_.size(); ++i) begin_closed(i, now_ns);
    }
    plan_next(now_ns);
  } else if (phase_ == Phase::kEnding && now_ns >= give_up_ns_) {
    for (User& user : users_) interrupt(user);
    drop_late();
    phase_ = Phase::kDone;
  }
  finish_if_idle(now_ns);
}

void ScenarioRun::plan_next(std::int64_t now_ns) {
  std::int64_t next_ns = end_ns_;
  if (arrivals_ && next_arrival_ < arrivals_->total()) {
    next_ns = std::min(next_ns, start_ns_ + arrivals_->due_ns(next_arrival_));
  }
  if (vus_) {
    const std::int64_t change_ns = vus_->next_change_ns(now_ns - start_ns_);
    if (change_ns != kNever) next_ns = std::min(next_ns, start_ns_ + change_ns);
  }
  world_.loop.wake_at(*this, next_ns);
}

void ScenarioRun::stop(std::int64_t now_ns) {
  if (phase_ == Phase::kDone) return;
  const bool by_plan = phase_ == Phase::kRunning && now_ns >= end_ns_;
  // What was due before the plan's end is still made: else a stop at the end would hide whom it kept waiting.
  if (!by_plan) drop_late();
  if (phase_ == Phase::kEnding) return;
  if (by_plan) drop_iterations_left();
  if (!by_plan) give_up_ns_ = now_ns + ns_of(scenario_.graceful_stop_s);
  phase_ = Phase::kEnding;
  world_.loop.wake_at(*this, give_up_ns_);
  finish_if_idle(now_ns);
}

void ScenarioRun::interrupt(User& user) {
  if (!user.busy()) return;
  user.interrupt();
  --busy_;
  world_.recorder->add(interrupted_series_, 1);
}

/// maxDuration came before all were made.
void ScenarioRun::drop_iterations_left() {
  std::uint64_t left = 0;
  if (scenario_.executor == Executor::kSharedIterations) left = shared_left_;
  if (scenario_.executor == Executor::kPerVuIterations)
    left = std::accumulate(left_.begin(), left_.end(), std::uint64_t{0});
  if (left > 0) world_.recorder->add(dropped_series_, static_cast<double>(left));
}

void ScenarioRun::drop_late() {
  if (!late_.empty()) world_.recorder->add(dropped_series_, static_cast<double>(late_.size()));
  late_.clear();
}

void ScenarioRun::finish_if_idle(std::int64_t now_ns) {
  if (phase_ == Phase::kRunning && busy_ == 0 && !vus_ && !arrivals_) stop(now_ns);
  if (phase_ != Phase::kEnding || busy_ > 0) return;
  phase_ = Phase::kDone;
  world_.loop.forget(*this);
}

void ScenarioRun::sweep(std::int64_t now_ns) {
  for (User& user : users_) {
    if (!user.busy()) continue;
    user.check_timeout(now_ns);
    if (user.leave_by_ns == 0 || now_ns < user.leave_by_ns || !user.busy()) continue;
    interrupt(user);
    user.leave_by_ns = 0;
  }
  finish_if_idle(now_ns);
}

// ---- Closed models ---------------------------------------------------------------------------------------

void ScenarioRun::set_wanted_vus(std::int64_t now_ns) {
  const std::uint64_t wanted = mine(vus_->target(now_ns - start_ns_));
  for (std::uint64_t i = wanted; i < wanted_; ++i) {
    if (users_[i].busy()) users_[i].leave_by_ns = now_ns + ns_of(scenario_.graceful_ramp_down_s);
  }
  const std::uint64_t before = std::exchange(wanted_, wanted);
  for (std::uint64_t i = before; i < wanted; ++i) {
    users_[i].leave_by_ns = 0;
    if (!users_[i].busy()) begin(users_[i], now_ns, now_ns);
  }
}

bool ScenarioRun::wants_more(std::size_t local) const {
  if (phase_ != Phase::kRunning) return false;
  switch (scenario_.executor) {
    case Executor::kSharedIterations:
      return shared_left_ > 0;
    case Executor::kPerVuIterations:
      return left_[local] > 0;
    default:
      return local < wanted_;
  }
}

void ScenarioRun::begin_closed(std::size_t local, std::int64_t now_ns) {
  if (!wants_more(local)) return;
  if (scenario_.executor == Executor::kSharedIterations) --shared_left_;
  if (scenario_.executor == Executor::kPerVuIterations) --left_[local];
  begin(users_[local], now_ns, now_ns);
}

// ---- Open models -----------------------------------------------------------------------------------------

void ScenarioRun::send_arrivals(std::int64_t now_ns) {
  const std::uint64_t most = mine(scenario_.most_vus());
  for (std::size_t sent = 0; sent < kMaxArrivalsInARow && next_arrival_ < arrivals_->total(); ++sent) {
    const std::int64_t due_ns = start_ns_ + arrivals_->due_ns(next_arrival_);
    if (due_ns > now_ns) break;
    next_arrival_ += slice_.count;
    if (free_.empty() && users_.size() < most) {
      make_user();
      free_.push_back(&users_.back());
    }
    if (!free_.empty()) {
      User& user = *free_.back();
      free_.pop_back();
      world_.lag.record(now_ns - due_ns);
      begin(user, due_ns, now_ns);
    } else if (scenario_.late == Late::kWait && late_.size() < kMaxLateIterations) {
      late_.push_back(due_ns);
    } else {
      world_.recorder->add(dropped_series_, 1);
    }
  }
}

void ScenarioRun::on_iteration_over(User& user) {
  const std::int64_t now_ns = steady_ns();
  --busy_;
  ++iterations_;
  world_.recorder->add(iterations_series_, 1);
  world_.recorder->add(duration_series_, static_cast<double>(now_ns - user.iteration_began_ns()) / 1e6);
  if (!scenario_.open_model()) {
    begin_closed((user.index() - slice_.index) / slice_.count, now_ns);
  } else if (!late_.empty()) {
    const std::int64_t due_ns = late_.front();
    late_.pop_front();
    begin(user, due_ns, now_ns);
  } else {
    free_.push_back(&user);
  }
  finish_if_idle(now_ns);
}

}  // namespace spillway::load
