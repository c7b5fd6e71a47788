#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "load/faults/server_process.h"
#include "load/faults/tcp_proxy.h"
#include "load/measure/results.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// Carries out a plan's faults at their time: those on the server's process on one thread and those of the
/// proxy on another, since a server that starts must not make the others late. While it runs nobody else may
/// use either, but for what they allow to any thread.
class Conductor {
 public:
  /// Either may be null when no fault needs it.
  Conductor(ServerProcess*, TcpProxy*);
  ~Conductor();  ///< stops
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;

  /// Whether the plan's faults can be carried out, with a process and a proxy or without. Errors:
  /// invalid_argument that names the key, "faults[1].kind".
  static Status check(const Plan&, bool has_server, bool has_proxy);

  /// Once, with faults that check() took. The run began, or begins, at that time of the steady clock.
  void start(const std::vector<Fault>&, std::int64_t steady_ns_of_run_start);
  /// Takes back at once what is in force: a server that is stopped goes on, one that was killed is started
  /// again and waited for. Faults whose time has not come do not come. May be called again.
  void stop();

  /// One for each fault that was begun, by when. Without recovery: see compute_recovery(). After stop().
  std::vector<FaultResult> results() const;
  /// A fault was not carried out or not taken back; `detail` of it says why.
  bool failed() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Step {
    TimePoint at;
    std::size_t fault = 0;
    bool begins = true;
  };
  void run(std::vector<Step>);
  Status begin(const Fault&);
  Status take_back(const Fault&);
  double now_s() const;
  void note(std::size_t fault, const Status&, bool begins, double at_s);

  ServerProcess* const server_;
  TcpProxy* const proxy_;
  std::vector<Fault> faults_;
  TimePoint run_start_;
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // under mutex_, as are those below
  bool failed_ = false;
  struct Outcome {
    FaultResult result;
    bool begun = false;  // an attempt was made
    bool in_force = false;
  };
  std::vector<Outcome> outcomes_;  // by fault
};

}  // namespace spillway::load
