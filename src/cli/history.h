#pragma once

#include "cli/context.h"

namespace spillway::cli {

/// Attempts and status log of a request, as tables below one another.
void print_history(const Context& context, const Json& request);

}  // namespace spillway::cli
