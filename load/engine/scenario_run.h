#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "load/engine/journey.h"
#include "load/engine/schedule.h"
#include "load/engine/user.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// Which part of a run this is: every count-th virtual user and every count-th arrival, from number index on.
/// Threads and machines share a run in the same way.
struct Slice {
  std::uint32_t index = 0;
  std::uint32_t count = 1;
};

/// One scenario's part on one thread: makes its users and keeps them at it as its executor says.
/// Single-threaded.
class ScenarioRun final : public IterationOwner, private LoopTarget {
 public:
  ScenarioRun(const Scenario&, const JourneyKind&, const JourneyContext&, UserWorld&, Slice);

  /// The run begins at this time of the steady clock; this scenario startTime later.
  void start(std::int64_t run_start_ns);
  /// No new iterations, nor those that wait for a user; those under way have gracefulStop to end in.
  void stop(std::int64_t now_ns);
  bool done() const { return phase_ == Phase::kDone; }
  /// Time-outs, and users who should have left; called a few times a second.
  void sweep(std::int64_t now_ns);

  std::uint64_t busy_vus() const { return busy_; }
  std::uint64_t made_vus() const { return users_.size(); }
  std::uint64_t iterations() const { return iterations_; }
  Journey& journey() { return *journey_; }
  const Scenario& scenario() const { return scenario_; }

  void on_iteration_over(User&) override;

 private:
  enum class Phase : std::uint8_t { kWaiting, kRunning, kEnding, kDone };

  void on_ready(std::uint32_t) override {}
  void on_time(std::int64_t at_ns, std::int64_t now_ns) override;
  void on_turn() override {}

  void make_user();
  void begin(User&, std::int64_t due_ns, std::int64_t now_ns);
  void set_wanted_vus(std::int64_t now_ns);
  void send_arrivals(std::int64_t now_ns);
  void begin_closed(std::size_t local, std::int64_t now_ns);
  bool wants_more(std::size_t local) const;
  void plan_next(std::int64_t now_ns);
  void interrupt(User&);
  void drop_iterations_left();
  void drop_late();
  void finish_if_idle(std::int64_t now_ns);
  std::uint64_t mine(std::uint64_t whole) const;  // how many of 0 .. whole - 1 are this slice's
  std::uint64_t global(std::size_t local) const { return slice_.index + std::uint64_t{local} * slice_.count; }

  const Scenario& scenario_;
  UserWorld& world_;
  const Slice slice_;
  StepTable steps_;
  std::unique_ptr<Journey> journey_;
  std::optional<ArrivalSchedule> arrivals_;
  std::optional<VuSchedule> vus_;
  Recorder::SeriesId iterations_series_ = 0, duration_series_ = 0, dropped_series_ = 0,
                     interrupted_series_ = 0;

  Phase phase_ = Phase::kWaiting;
  std::int64_t start_ns_ = 0, end_ns_ = 0, give_up_ns_ = 0;
  std::deque<User> users_;           // by local number; never moved
  std::vector<std::uint64_t> left_;  // per-vu-iterations: how many each has still to make
  std::vector<User*> free_;          // open models
  std::deque<std::int64_t> late_;    // open models with Late::kWait: when the iterations that wait were due
  std::uint64_t next_arrival_ = 0;   // of the whole run's
  std::uint64_t shared_left_ = 0;
  std::uint64_t wanted_ = 0;  // closed models: users of this slice who should be at it
  std::uint64_t busy_ = 0;
  std::uint64_t iterations_ = 0;
};

/// How many iterations may wait for a free virtual user; past it they are dropped.
inline constexpr std::size_t kMaxLateIterations = 10'000'000;

}  // namespace spillway::load
