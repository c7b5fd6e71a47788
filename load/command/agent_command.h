#pragma once

#include "load/agents/agent.h"

namespace spillway::load {

/// `spillway load agent`: says where it listens, and runs until SIGTERM or SIGINT. Returns the exit code.
int agent_command(const AgentOptions&);

}  // namespace spillway::load
