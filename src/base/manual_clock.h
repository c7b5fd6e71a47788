#pragma once

#include <atomic>

#include "base/clock.h"

namespace spillway {

/// A clock that tests move. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = {1'800'000'000 * kSecond})
      : wall_us_(start.us), steady_us_(kSecond) {}

  Timestamp wall() const override { return {wall_us_}; }
  Micros steady_us() const override { return steady_us_; }
  /// Time passes: both clocks go on.
  void advance(Micros by) {
    wall_us_ += by;
    steady_us_ += by;
  }
  /// Somebody sets the wall clock, forward or back.
  void step_wall(Micros by) { wall_us_ += by; }

 private:
  std::atomic<Micros> wall_us_;
  std::atomic<Micros> steady_us_;
};

}  // namespace spillway
