#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace spillway::load {

/// The words of a command as a POSIX shell splits it: blanks, '...', "..." and backslashes. Nothing is
/// expanded, and what only a shell could do (a pipe, a redirection, $VARIABLES, ~) is refused unless it is
/// quoted, for the program would be given it as a word. Errors: invalid_argument.
Result<std::vector<std::string>> split_command(std::string_view);

}  // namespace spillway::load
