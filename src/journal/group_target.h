#pragma once

#include <chrono>
#include <cstddef>

namespace spillway::journal {

/// How many tasks a group should have before it is written, while processor time is short.
///
/// Operation: a commit costs processor time whatever is in it: two requests to the disk and half a dozen
/// thread switches, some 60 us. Where processors have nothing better to do, waiting for a larger group only
/// makes everybody wait; where they are short, it leaves more of them for requests. So the target grows, a
/// little with each commit, while this process uses nearly all the time of its processors, and falls at once
/// when it does not: also because the target was so large that they ran out of work. ADR 18 has what was
/// measured. Concurrency: none.
class GroupTarget {
 public:
  using Time = std::chrono::nanoseconds;

  /// Processors that this process may run on; at least 1.
  static std::size_t usable_processors();
  /// Processor time that all threads of this process have used.
  static Time processor_time();

  /// `short_at`: the share of the processors' time from which on they count as short.
  GroupTarget(std::size_t processors, double short_at)
      : time_per_second_(short_at * static_cast<double>(processors)) {}

  /// After a commit of so many tasks: what was used and what went by since the commit before.
  void committed(std::size_t tasks, Time used, Time went_by);
  /// Tasks worth waiting for, EngineOptions::longest_gathering_us at most; 0: do not wait.
  std::size_t tasks() const { return tasks_; }

 private:
  const double time_per_second_;
  std::size_t tasks_ = 0;
};

}  // namespace spillway::journal
