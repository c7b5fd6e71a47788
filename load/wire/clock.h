#pragma once

#include <cmath>
#include <cstdint>
#include <ctime>
#include <limits>

namespace spillway::load {

// Time is nanoseconds of the steady clock.

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

inline std::int64_t clock_ns(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}
inline std::int64_t steady_ns() { return clock_ns(CLOCK_MONOTONIC); }
/// CPU time of the calling thread.
inline std::int64_t thread_cpu_ns() { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }
/// Of seconds; less than 292 years.
inline std::int64_t ns_of(double seconds) { return std::llround(seconds * 1e9); }

}  // namespace spillway::load
