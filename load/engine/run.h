#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/engine/collector.h"
#include "load/engine/worker.h"
#include "load/measure/results.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// Whoever makes the load: threads of this process, or agents on other machines. Each of its slices tells the
/// collector its seconds and its end.
class SliceSource {
 public:
  virtual ~SliceSource() = default;
  /// Before anything starts. Errors: theirs.
  virtual Result<std::size_t> prepare() = 0;  ///< how many slices
  /// The load begins so much later than now. `collector` lives as long as this.
  virtual Status start(Collector& collector, std::int64_t in_ns) = 0;
  /// No new iterations.
  virtual void stop() = 0;
  /// After all have ended.
  virtual void join() = 0;
  /// Whether what it uses of the machine is this process's.
  virtual bool in_this_process() const { return true; }
};

/// Threads of this process. `threads` 0: as many as there are cores but one.
std::unique_ptr<SliceSource> local_slices(const Plan&, const std::string& run_id, std::vector<Target>,
                                          std::shared_ptr<TlsSettings>, std::size_t threads, PointLog*);

/// Faults are carried out by whoever has the server's process and the proxy.
class FaultSource {
 public:
  virtual ~FaultSource() = default;
  virtual void start(std::int64_t run_start_ns) = 0;
  /// Takes back what is in force, and tells what was done.
  virtual std::vector<FaultResult> finish() = 0;
  /// After finish(): what of the plan was not carried out, in words.
  virtual std::optional<std::string> not_done() const = 0;
};

struct RunSetup {
  const Plan& plan;
  std::string run_id;
  std::string admin_token;               ///< of the server; empty: invariants and gauges are left out
  std::vector<Target> targets;           ///< that the load is sent to: the proxy, where there is one
  std::vector<Target> operator_targets;  ///< that the operator asks
  std::shared_ptr<TlsSettings> tls;
  SliceSource& slices;
  FaultSource* faults = nullptr;
  /// How the server ended that was started for this run, if nobody here asked it to. May be null.
  std::function<std::optional<std::string>()> server_died;
  const std::atomic<bool>* stop_asked = nullptr;  ///< somebody pressed Ctrl-C
  /// Every second, with the requests and failures until then.
  std::function<void(const TimelinePoint&, std::uint64_t requests, std::uint64_t failed)> on_second;
  std::function<void(const std::string&)> say;  ///< what happens, one line
};

/// Prepares, loads, watches, judges. The results lack only what whoever calls knows: title, command,
/// environment. Errors: what keeps a run from being one; a server that does badly is a result and no error.
Result<Results> run_plan(const RunSetup&);

/// That every scenario's journey is there and knows its settings, and every threshold its metric. Errors:
/// invalid_argument.
Status check_plan(const Plan&);

}  // namespace spillway::load
