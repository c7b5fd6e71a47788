#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "load/plan/plan.h"

namespace spillway::load {

/// What `spillway load run` was told.
struct RunOptions {
  std::string plan;  ///< name or file
  PlanChanges changes;
  std::string report_dir, points_file, server_command, ca_file;
  std::size_t threads = 0;
  std::vector<std::string> agents;
  bool insecure = false;
};

/// One plan from its file to the reports. SPILLWAY_ADMIN_TOKEN is the server's admin secret. Returns the exit
/// code.
int run_command(const RunOptions&);

}  // namespace spillway::load
