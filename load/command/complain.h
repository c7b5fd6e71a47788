#pragma once

#include <fmt/core.h>

#include <cstdio>

#include "base/result.h"

namespace spillway::load {

/// Tells it, as everything in this program tells what ends it, and gives the exit code.
inline int complain(const Error& error, int code) {
  fmt::print(stderr, "spillway: {}\n", error.message);
  return code;
}

}  // namespace spillway::load
