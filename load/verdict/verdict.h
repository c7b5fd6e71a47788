#pragma once

#include "load/measure/results.h"
#include "load/plan/plan.h"

namespace spillway::load {

// The verdict, by the first of these that applies:
//   FAIL     an invariant was violated
//   INVALID  no request was made; or the generator was the bottleneck (SelfWatch::grounds)
//   FAIL     a core threshold was missed (failures, checks, a latency of requests or iterations); or more
//            than a tenth of the requests failed and no threshold is about failures
//   INVALID  a person stopped the run before its end; or all thresholds hold (those on dropped_iterations do
//            not count), but the load was not applied: more than 0.1% of the iterations were dropped; or an
//            invariant, or a core threshold on a submetric, had nothing to look at
//   FAIL     several thresholds were missed
//   WARN     one threshold was missed, or a warn bound; or spikes, or errors that are not steady
//   PASS
// INVALID is about the run and not about the server: repeat it.

/// Fills errors_steady, spikes_at_s, verdict, grounds and action_items of what was measured; also thresholds,
/// unless the caller did.
///
/// A spike: ten-second windows whose p95 of http_req_duration is more than 3 times the run's and 5 ms above
/// it; windows that touch, and that the same fault or none explains, are one spike, told by where the first
/// of them ends. Errors are steady when no ten seconds had a share of failed requests of more than 1% and
/// more than 3 times the run's. What of this lies between a fault's beginning and ten seconds after its
/// recovery is told in the grounds and does not count.
void judge(const Plan&, Results&);

inline constexpr int kExitPass = 0;
inline constexpr int kExitInvalid = 98;           ///< ours: so that no pipeline takes it for a pass
inline constexpr int kExitThresholdsFailed = 99;  ///< as k6; also when an invariant was violated
inline constexpr int kExitAborted = 105;          ///< as k6: by the person who watched
/// 99 when a threshold was missed (whatever the verdict, as k6) or the verdict is FAIL; then 105 when the run
/// was aborted, which without a missed threshold was a person; then 98 when it is INVALID; else 0, also for
/// WARN by spikes or warn bounds alone.
int exit_code(const Results&);

}  // namespace spillway::load
