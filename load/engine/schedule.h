#pragma once

#include <cstdint>
#include <vector>

#include "load/plan/plan.h"
#include "load/wire/clock.h"

namespace spillway::load {

// When the executors start iterations, and how many virtual users they want. Pure: no clock, and all times
// count from the scenario's start. Exact: kept in integers, so that hours at a high rate do not drift.

/// Of constant-arrival-rate and ramping-arrival-rate. A constant rate starts with an iteration at 0, and the
/// next one is due a period later. A ramping rate has its n-th where the area under the rate reaches n, as k6
/// does: so its first one is due a period after the start as well.
class ArrivalSchedule {
 public:
  explicit ArrivalSchedule(const Scenario&);

  /// When iteration k, from 0, is due; kNever from total() on. To the nanosecond for a rate that stands,
  /// within a microsecond for one that ramps; never earlier than that of k - 1.
  std::int64_t due_ns(std::uint64_t k) const;
  std::uint64_t total() const { return total_; }

 private:
  // Twice billionths of an iteration, times the time unit in ns: in it the area under every stage is an
  // integer. Wide enough for the largest plan, whose area stays below 2^121.
  using Area = __int128;
  struct Segment {
    std::int64_t start_ns, length_ns;
    Area from, to;       // rates, in billionths of an iteration a time unit
    Area before, after;  // the area until its start and until its end
  };
  void add(std::int64_t start_ns, std::int64_t length_ns, double from, double to);
  static std::int64_t reached_ns(const Segment&, Area);

  std::vector<Segment> segments_;  // those with any area
  Area iteration_ = 0;             // the area of one
  bool first_at_0_ = false;
  std::uint64_t total_ = 0;
};

/// Of constant-vus and ramping-vus. Between two targets the number is rounded to the side that it comes from,
/// as in k6: on the way up a virtual user comes when it is whole, on the way down it leaves when it is wholly
/// gone.
class VuSchedule {
 public:
  explicit VuSchedule(const Scenario&);

  /// 0 from end_ns() on.
  std::uint64_t target(std::int64_t at_ns) const;
  /// The next moment after `at_ns` with another target; kNever when there is none.
  std::int64_t next_change_ns(std::int64_t at_ns) const;
  std::int64_t end_ns() const { return end_ns_; }

 private:
  struct Segment {
    std::int64_t start_ns, length_ns;
    std::int64_t from, to;
  };
  void add(std::int64_t length_ns, std::int64_t from, std::int64_t to);
  std::size_t segment_at(std::int64_t at_ns) const;

  std::vector<Segment> segments_;  // none of length 0; jumps are between them
  std::int64_t end_ns_ = 0;
};

}  // namespace spillway::load
