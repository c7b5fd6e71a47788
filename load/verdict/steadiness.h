#pragma once

#include <vector>

#include "load/measure/results.h"

namespace spillway::load {

/// Ten-second windows that touch, of which each is out of bounds, and which all have the same excuse or none.
struct Disturbance {
  double first_end_s = 0, last_end_s = 0;  ///< where the first and the last window end
  double worst = 0;                        ///< the highest p95 in ms, or the highest share of failures
  const FaultResult* within = nullptr;     ///< the fault that explains all of it; into Results::faults
  bool generator_late = false;             ///< in one of its seconds the generator's lag was past its bound
};

/// Windows whose p95 is more than 3 times `run_p95_ms`, and more than 5 ms above it.
std::vector<Disturbance> find_spikes(const Results&, double run_p95_ms);
/// Windows whose share of failed requests is more than 1% and more than 3 times `run_share`.
std::vector<Disturbance> find_unsteady_errors(const Results&, double run_share);

}  // namespace spillway::load
