#include "load/command/agent_command.h"

#include <fmt/format.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "load/command/complain.h"
#include "load/command/load_command.h"

namespace spillway::load {
int agent_command(const AgentOptions& options) {
  const auto secret = agent_secret();
  if (!secret) return complain(secret.error(), kExitUsage);
  // Before there are threads, which then do not get them either.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const Fd stop(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!stop) return complain(system_error("signals", errno), kExitWorse);
  auto agent = Agent::make(options, *secret);
  if (!agent) return complain(agent.error(), kExitUsage);
  if (secret->empty())
    fmt::print(stderr, "{} is not set: anybody on this machine may use this agent\n", kAgentSecretVariable);
  fmt::print("ready agent {}\n", (*agent)->address());
  std::fflush(stdout);
  if (Status ran = (*agent)->run(stop.get()); !ran) return complain(ran.error(), kExitWorse);
  return 0;
}

}  // namespace spillway::load
