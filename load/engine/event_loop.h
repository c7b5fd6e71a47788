#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/result.h"

namespace spillway::load {

/// What a loop calls. Lives longer than the loop runs.
class LoopTarget {
 public:
  virtual ~LoopTarget() = default;
  /// Its descriptor is ready: `events` as epoll has them.
  virtual void on_ready(std::uint32_t events) = 0;
  /// The time that it asked for last has come.
  virtual void on_time(std::int64_t at_ns, std::int64_t now_ns) = 0;
  /// It was posted.
  virtual void on_turn() = 0;

 private:
  friend class EventLoop;
  std::uint32_t alarm_ = 0;  // number of the alarm that counts; 0: none
  bool posted_ = false;
};

/// One thread's epoll set, alarms and turns. Not thread-safe. Steady clock, nanoseconds.
class EventLoop {
 public:
  /// Errors: internal (no more descriptors).
  static Result<EventLoop> make();
  ~EventLoop();
  EventLoop(EventLoop&&) noexcept;
  EventLoop& operator=(EventLoop&&) = delete;

  int epoll() const { return epoll_; }
  /// One alarm a target: a later call replaces it.
  void wake_at(LoopTarget&, std::int64_t at_ns);
  void forget(LoopTarget&);
  /// on_turn() in this round or the next, once, however often it was posted.
  void post(LoopTarget&);

  /// Alarms that are due, turns, descriptors: one round, which waits at most until `until_ns`.
  void run_once(std::int64_t until_ns);

 private:
  struct Alarm {
    std::int64_t at_ns;
    LoopTarget* target;
    std::uint32_t number;
    bool operator<(const Alarm& other) const { return at_ns > other.at_ns; }  // the earliest on top
  };

  EventLoop() = default;
  void ring(std::int64_t now_ns);
  void wait(std::int64_t until_ns);

  int epoll_ = -1;
  std::priority_queue<Alarm> alarms_;  // with ones that were replaced, whose number does not count any more
  std::uint32_t last_alarm_ = 0;
  std::vector<LoopTarget*> turns_, running_;
};

}  // namespace spillway::load
