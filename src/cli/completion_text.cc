#include "cli/completion_text.h"

#include <fmt/format.h>

#include "base/check.h"

namespace spillway::cli {

std::string join_words(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::vector<std::string> value_options(const CompletionNode& node) {
  std::vector<std::string> names;
  for (const auto& option : node.options) {
    if (option.takes_value) names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

std::string walk_cases(const std::vector<CompletionNode>& table) {
  std::string out;
  for (const CompletionNode& node : table) {
    std::vector<std::string> commands;
    for (const auto& command : node.commands) commands.push_back(command.name);
    out += fmt::format("    '{}') commands='{}' valued='{}' ;;\n", node.path, join_words(commands),
                       join_words(value_options(node)));
  }
  return out;
}

void fill_in(std::string& script, std::string_view mark, const std::string& text) {
  const std::size_t at = script.find(mark);
  CHECK(at != std::string::npos);
  script.replace(at, mark.size(), text);
}

}  // namespace spillway::cli
