#pragma once

#include <vector>

#include "load/measure/results.h"

namespace spillway::load {

// A second is again what it was before the fault when it has requests, its p95 (of http_req_duration) is at
// most 1.5 times the median p95 before or 5 ms above that, whichever is more, its share of failures is at
// most that of before or 0.1%, and it has at least half as many requests. "Before" are the 30 seconds ahead
// of the fault without those in which another fault was in force; where there are none (a fault at the very
// beginning), all seconds of the run in which none was.

/// Fills in `recovery_s` and `failed_requests` of every fault and adds to `detail` what a reader has to know.
/// It is exact to the timeline's step: a second that was partly good does not count.
void compute_recovery(const std::vector<TimelinePoint>&, std::vector<FaultResult>&);

}  // namespace spillway::load
