#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "load/measure/results.h"

namespace spillway::load {

inline constexpr std::size_t kProgressColumns = 100;

/// The second that just ended, for who watches: at most kProgressColumns columns, without an end of line.
///   03:20 / 10:00  left 06:40  4,812/s  5,000 VUs  p95 12.5 ms  errors 0.12% (1,155 of 962,400)
std::string progress_line(const TimelinePoint&, double total_s, std::uint64_t total_requests,
                          std::uint64_t total_failed);

/// For a log that somebody reads later: the same line, and under it the p95 of each step and what is watched,
/// each line with its end.
std::string progress_lines(const TimelinePoint&, double total_s, std::uint64_t total_requests,
                           std::uint64_t total_failed);

}  // namespace spillway::load
