#include <fmt/format.h>

#include "cli/completion_text.h"

namespace spillway::cli {
namespace {

constexpr char kScript[] = R"script(# fish completion for spillway, made by: spillway completion fish
# In ~/.config/fish/config.fish: spillway completion fish | source

function __spillway_commands # PATH
  switch $argv[1]
@COMMANDS@  end
end

function __spillway_valued # PATH
  switch $argv[1]
@VALUED@  end
end

# Whether the words before the cursor lead to PATH, and with NUMBER, past so many arguments.
function __spillway_at # PATH [NUMBER]
  set -l words (commandline -opc)
  set -l place spillway
  set -l arguments 0
  set -l option 0
  for word in $words[2..-1]
    if test $option = 1
      set option 0
    else if string match -q -- '-*=*' $word
      continue
    else if string match -q -- '-*' $word
      contains -- $word (__spillway_valued $place); and set option 1
    else if contains -- $word (__spillway_commands $place)
      set place "$place $word"
    else
      set arguments (math $arguments + 1)
    end
  end
  test "$place" = "$argv[1]"; or return 1
  test (count $argv) -lt 2; or test $arguments = $argv[2]
end

complete -c spillway -f
)script";

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + '\'';
}

std::string case_line(const std::string& path, const std::vector<std::string>& words) {
  if (words.empty()) return {};
  return fmt::format("    case {}\n      printf '%s\\n' {}\n", quoted(path), join_words(words));
}

/// -l role -x -a 'user operator admin'
std::string option_arguments(const CompletionNode::Option& option) {
  std::string out;
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.takes_value) return out;
  if (option.is_file) return out + " -r -F";
  out += " -x";
  return option.choices.empty() ? out : out + " -a " + quoted(join_words(option.choices));
}

}  // namespace

std::string fish_completion(const std::vector<CompletionNode>& table) {
  std::string commands, valued, completions;
  for (const CompletionNode& node : table) {
    std::vector<std::string> words;
    const std::string at = quoted(fmt::format("__spillway_at {}", quoted(node.path)));
    for (const auto& command : node.commands) {
      words.push_back(command.name);
      completions +=
          fmt::format("complete -c spillway -n {} -a {} -d {}\n", at, command.name, quoted(command.help));
    }
    commands += case_line(node.path, words);
    valued += case_line(node.path, value_options(node));
    for (const auto& option : node.options) {
      completions += fmt::format("complete -c spillway -n {}{} -d {}\n", at, option_arguments(option),
                                 quoted(option.help));
    }
    for (std::size_t i = 0; i < node.arguments.size(); ++i) {
      const auto& argument = node.arguments[i];
      const std::string place = quoted(fmt::format("__spillway_at {} {}", quoted(node.path), i));
      if (argument.is_file) completions += fmt::format("complete -c spillway -n {} -F\n", place);
      if (argument.choices.empty()) continue;
      completions +=
          fmt::format("complete -c spillway -n {} -a {}\n", place, quoted(join_words(argument.choices)));
    }
  }
  std::string script = kScript;
  fill_in(script, "@COMMANDS@", commands);
  fill_in(script, "@VALUED@", valued);
  return script + completions;
}

}  // namespace spillway::cli
