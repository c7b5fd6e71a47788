#include "load/faults/command_line.h"

#include <fmt/format.h>

#include <cstddef>
#include <utility>

namespace spillway::load {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;
constexpr std::string_view kBlanks = " \t\n";
constexpr std::string_view kForShells = "|&;<>()$`*?[";
constexpr std::string_view kEscapedInDoubleQuotes = "$`\"\\\n";

Error wrong(std::string_view what) { return invalid_argument(fmt::format("server command: {}", what)); }

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view command) {
  if (command.size() > kMostBytes) return wrong(fmt::format("more than {} bytes", kMostBytes));
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;  // "" is a word too
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    const bool blank = kBlanks.find(c) != std::string_view::npos;
    if (c == '\0') return wrong("a zero byte");
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'') {
      if (++i == command.size()) return wrong("ends with a backslash");
      if (quote == '"' && kEscapedInDoubleQuotes.find(command[i]) == std::string_view::npos) word += '\\';
      if (command[i] != '\n') word += command[i];
      in_word = true;
    } else if (quote == '"' && (c == '$' || c == '`')) {
      return wrong(fmt::format("'{}' is for a shell, and none is run: quote it as '{}'", c, c));
    } else if (quote != 0) {
      word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (blank) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else if (kForShells.find(c) != std::string_view::npos || (!in_word && (c == '~' || c == '#'))) {
      return wrong(fmt::format("'{}' is for a shell, and none is run: quote it, or use sh -c '...'", c));
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return wrong(fmt::format("a {} that is not closed", quote));
  if (in_word) words.push_back(std::move(word));
  if (words.empty() || words[0].empty()) return wrong("names no program");
  return words;
}

}  // namespace spillway::load
