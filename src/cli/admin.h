#pragma once

#include <memory>

#include "cli/cli11_fwd.h"

namespace spillway::cli {

/// `spillway admin`: the operators' commands, which speak the public HTTP API and nothing else.
class Admin {
 public:
  /// Adds the commands to `program`, which must outlive this.
  explicit Admin(CLI::App& program);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  /// Whether the command line that `program` parsed named it.
  bool chosen() const;
  /// Does what was named. Returns the exit code (exit_codes.h).
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::cli
