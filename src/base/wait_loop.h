#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "base/clock.h"
#include "base/loop.h"

namespace spillway {

/// A Loop without sockets: for threads that only start work and wait for answers (the workers, tests, tools).
class WaitLoop final : public Loop {
 public:
  explicit WaitLoop(std::size_t index) : Loop(index) {}

  void deliver(NodeList nodes) override;
  /// Any thread. Makes run_until() look at its condition again.
  void wake();

  /// Runs rounds on the calling thread until `done()`; `first` runs inside the first round. False if
  /// `timeout` (microseconds; negative: none) passed before.
  bool run_until(const std::function<bool()>& done, Micros timeout_us = -1,
                 const std::function<void()>& first = nullptr);

 protected:
  void request_round_end() override {}  // every round ends with a flush

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  NodeList delivered_;
  bool woken_ = false;
};

}  // namespace spillway
