#pragma once

#include <memory>

namespace CLI {
class App;
}

namespace spillway::load {

// What `spillway load` ends with, beside what verdict/verdict.h says of a run that took place. k6's, where k6
// has one.
inline constexpr int kExitWorse = 1;      ///< compare: B is worse; an agent that could not go on
inline constexpr int kExitUsage = 2;      ///< wrong usage
inline constexpr int kExitBadPlan = 104;  ///< the plan is wrong
inline constexpr int kExitNoRun = 107;    ///< the run could not be made: no server, no agent, no disk

/// `spillway load`: the load lab. It knows the public HTTP API and nothing of the server.
class LoadCommand {
 public:
  /// Adds the commands to `program`, which must outlive this.
  explicit LoadCommand(CLI::App& program);
  ~LoadCommand();
  LoadCommand(const LoadCommand&) = delete;
  LoadCommand& operator=(const LoadCommand&) = delete;

  /// Whether the command line that `program` parsed named it.
  bool chosen() const;
  /// Does what was named. Returns the exit code.
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::load
