#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/completion.h"

namespace spillway::cli {

/// Words with blanks between them.
std::string join_words(const std::vector<std::string>& words);
/// The names of all options of a node that take a value.
std::vector<std::string> value_options(const CompletionNode& node);
/// The lines of the `case` that bash and zsh have in common: for each path its `commands`, and `valued`, the
/// options that take a value.
std::string walk_cases(const std::vector<CompletionNode>& table);
/// Puts `text` in the place of `mark`, which must be there.
void fill_in(std::string& script, std::string_view mark, const std::string& text);

}  // namespace spillway::cli
