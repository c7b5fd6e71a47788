#pragma once

#include "intake/work.h"

namespace spillway::app {

/// The whole program: parses the command line, runs the command, returns the exit code. `work`: see serve().
int run(int argc, char** argv, intake::Work* work = nullptr);

}  // namespace spillway::app
