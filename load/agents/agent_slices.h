#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/engine/run.h"
#include "load/plan/plan.h"

namespace spillway::load {

struct AgentsSetup {
  std::vector<std::string> agents;  ///< HOST:PORT
  std::string secret;               ///< agent_secret()
  std::string certificates;         ///< PEM that agents trust the server by; empty: those of their systems
  bool verify = true;               ///< the server's certificate
  std::function<void(const std::string&)> say = {};  ///< what happens, one line
};

/// The threads of agents, of all of them together. prepare() connects, and its errors name the agent; one
/// that is lost later fails its slices. `plan` must outlive it.
std::unique_ptr<SliceSource> agent_slices(const Plan& plan, const std::string& run_id, AgentsSetup);

/// A file of certificates for AgentsSetup. Errors: invalid_argument.
Result<std::string> read_certificates(const std::string& file);

}  // namespace spillway::load
