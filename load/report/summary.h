#pragma once

#include <string>

#include "load/measure/results.h"

namespace spillway::load {

/// What k6 1.x and 2.x give to handleSummary(), for tools that read that: root_group, options, state,
/// metrics. One more key at the top, "spillway", holds what k6 has no word for: verdict, grounds,
/// action_items, plan, command, environment, thresholds with their values, invariants, faults, self, steps,
/// timeline.
std::string summary_json(const Results&);

/// For the terminal, without colours: what k6 prints at the end of a test, then steps, invariants, faults,
/// the generator's own figures, the verdict and its grounds.
std::string summary_text(const Results&);

}  // namespace spillway::load
