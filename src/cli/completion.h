#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cli11_fwd.h"

namespace spillway::cli {

/// The words that may stand at one place of the command line, read off the parser's own table, so that the
/// completion never knows other commands than the program.
struct CompletionNode {
  struct Option {
    std::vector<std::string> names;  ///< with their dashes
    std::string help;
    bool takes_value = false;
    std::vector<std::string> choices;  ///< of the value
    bool is_file = false;              ///< the value is a file or a directory
  };
  struct Word {
    std::string name;
    std::string help;
  };
  std::string path;  ///< "spillway admin events"
  std::vector<Word> commands;
  std::vector<Option> options;
  std::vector<Option> arguments;  ///< in their order; names are empty
};

/// Of `program` and everything below it; parents before children.
std::vector<CompletionNode> completion_table(const CLI::App& program);

/// A script for bash, zsh or fish; nothing for other shells.
std::optional<std::string> completion_script(const CLI::App& program, std::string_view shell);

std::string bash_completion(const std::vector<CompletionNode>& table);
std::string zsh_completion(const std::vector<CompletionNode>& table);
std::string fish_completion(const std::vector<CompletionNode>& table);

}  // namespace spillway::cli
