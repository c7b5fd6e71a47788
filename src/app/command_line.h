#pragma once

namespace spillway::app {

/// The whole program: parses the command line, runs the command, returns the exit code.
int run(int argc, char** argv);

}  // namespace spillway::app
