#pragma once

#include <string>

#include "load/measure/results.h"

namespace spillway::load {

/// The filled-in report of a run, for the person who signs it: command, environment, key figures, thresholds,
/// invariants, faults, the generator's own figures, grounds, action items.
std::string summary_markdown(const Results&);

}  // namespace spillway::load
