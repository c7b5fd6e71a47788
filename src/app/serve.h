#pragma once

#include "app/options.h"
#include "intake/machine.h"
#include "journal/replica.h"

namespace spillway::app {

/// Exit codes that scripts rely on.
inline constexpr int kExitStopped = 0;
inline constexpr int kExitCouldNotStart = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitStorageFailed = 3;

/// Runs the server until SIGTERM or SIGINT, or until storage fails. Prints `ready http://HOST:PORT` to stdout
/// when it answers. Returns the exit code. Call once, on the main thread, before any other thread was
/// started. SIGHUP calls `read_again` and takes the limits of what it answers; null, or in a demonstration:
/// SIGHUP is answered with a line in the log, or as SIGTERM is.
int serve(const ServeOptions&, std::function<Result<ServeOptions>()> read_again = nullptr);

/// Empty machines of every service, for the journal's tools.
journal::ReplicaFactory all_replicas(const intake::MachineConfig&);

/// `METHOD /pattern` lines of every route, for the test that holds docs/openapi.yaml against them.
std::string list_routes();

}  // namespace spillway::app
