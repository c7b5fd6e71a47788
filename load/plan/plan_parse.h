#pragma once

#include <string>

#include "base/result.h"
#include "load/plan/plan.h"
#include "load/plan/toml.h"

namespace spillway::load {

// The parts of parse_plan(). They fill everything but Plan::text.

Result<Plan> build_plan(const TomlTable&);
/// `path` is where it stands: "scenarios.people". Settings of the plan are filled in by build_plan().
Result<Scenario> build_scenario(const std::string& name, const TomlTable&, const std::string& path);
/// A table of plain values as text. `what`: "settings", "tags".
Result<Settings> build_settings(const TomlTable&, const std::string& path, std::size_t most);

/// `set`, which needs no plan that is sound.
Status apply_set(TomlTable&, const PlanChanges&);
/// Everything else, on the table of a plan that is sound.
Status apply_sizes(TomlTable&, const PlanChanges&);

}  // namespace spillway::load
