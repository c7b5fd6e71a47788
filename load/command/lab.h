#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/command/console.h"
#include "load/command/run_command.h"
#include "load/engine/run.h"
#include "load/faults/conductor.h"
#include "load/measure/results.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// Everything around a run: the server that it started, the proxy, where requests go.
class Lab {
 public:
  /// Starts the server when there is a command for it, and the proxy when the plan wants one. Errors: what
  /// could not be had, and why.
  static Result<std::unique_ptr<Lab>> set_up(const Plan&, const RunOptions&, Console&);
  ~Lab();

  /// Errors: as run_plan().
  Result<Results> run(const Plan&);

 private:
  Lab(const RunOptions& options, Console& console) : options_(options), console_(console) {}
  Status start_server();
  Status start_proxy();
  /// What there is to know of agents before a run.
  Status set_up_agents(bool wants_proxy);
  std::unique_ptr<SliceSource> slices(const Plan&, const std::string& run_id, PointLog*) const;

  const RunOptions& options_;
  Console& console_;
  std::string admin_token_, agent_secret_, certificates_;
  std::vector<Target> operator_targets_, targets_;
  std::shared_ptr<TlsSettings> tls_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<TcpProxy> proxy_;
};

}  // namespace spillway::load
