#include <fmt/format.h>

#include "cli/completion_text.h"

namespace spillway::cli {
namespace {

constexpr char kScript[] = R"script(#compdef spillway
# zsh completion for spillway, made by: spillway completion zsh
# In ~/.zshrc behind compinit: source <(spillway completion zsh)

_spillway_at() { # PATH: sets commands and valued
  case $1 in
@WALK@    *) commands='' valued='' ;;
  esac
}

_spillway_commands() { # PATH: sets described
  case $1 in
@COMMANDS@  esac
}

_spillway_options() { # PATH: sets described
  case $1 in
@OPTIONS@  esac
}

_spillway_values() { # PATH OPTION, or PATH and the number of the argument: sets choices
  case "$1 $2" in
@VALUES@  esac
}

_spillway_reply() { # PATH OPTION-OR-NUMBER
  local -a choices
  _spillway_values "$1" "$2"
  if [[ ${choices[1]} == @file ]]; then
    _files
  elif (( ${#choices} )); then
    compadd -a choices
  else
    _message 'a value'
  fi
}

_spillway() {
  local commands valued word place=spillway option=''
  local -i arguments=0
  local -a described
  _spillway_at "$place"
  for word in "${(@)words[2,CURRENT-1]}"; do
    if [[ -n $option ]]; then
      option=''
    elif [[ $word == -*=* ]]; then
      :
    elif [[ $word == -* ]]; then
      if [[ " $valued " == *" $word "* ]]; then option=$word; fi
    elif [[ " $commands " == *" $word "* ]]; then
      place+=" $word"
      _spillway_at "$place"
    else
      (( ++arguments ))
    fi
  done
  word=${words[CURRENT]}
  if [[ -n $option ]]; then
    _spillway_reply "$place" "$option"
  elif [[ $word == -*=* ]]; then
    compset -P 1 '*='
    _spillway_reply "$place" "${word%%=*}"
  elif [[ $word == -* ]]; then
    _spillway_options "$place"
    _describe -o 'option' described
  elif [[ -n $commands ]]; then
    _spillway_commands "$place"
    _describe 'command' described
  else
    _spillway_reply "$place" "$arguments"
  fi
}

if [[ ${funcstack[1]} == _spillway ]]; then
  _spillway "$@"
else
  compdef _spillway spillway
fi
)script";

/// `text` as one word in single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out.push_back(c);
    }
  }
  return out + '\'';
}

/// "name:help", as _describe takes it: a colon in the name ends it.
std::string described(const std::string& name, const std::string& help) {
  std::string out;
  for (const char c : name) out += c == ':' ? "\\:" : std::string(1, c);
  return quoted(out + ':' + help);
}

std::string value_line(const std::string& path, const std::string& key,
                       const CompletionNode::Option& option) {
  if (!option.is_file && option.choices.empty()) return {};
  return fmt::format("    '{} {}') choices=({}) ;;\n", path, key,
                     option.is_file ? "@file" : join_words(option.choices));
}

}  // namespace

std::string zsh_completion(const std::vector<CompletionNode>& table) {
  std::string commands, options, values;
  for (const CompletionNode& node : table) {
    std::vector<std::string> words;
    for (const auto& command : node.commands) words.push_back(described(command.name, command.help));
    if (!words.empty())
      commands += fmt::format("    '{}') described=({}) ;;\n", node.path, join_words(words));
    words.clear();
    for (const auto& option : node.options) {
      for (const std::string& name : option.names) {
        words.push_back(described(name, option.help));
        values += value_line(node.path, name, option);
      }
    }
    options += fmt::format("    '{}') described=({}) ;;\n", node.path, join_words(words));
    for (std::size_t i = 0; i < node.arguments.size(); ++i) {
      values += value_line(node.path, std::to_string(i), node.arguments[i]);
    }
  }
  std::string script = kScript;
  fill_in(script, "@WALK@", walk_cases(table));
  fill_in(script, "@COMMANDS@", commands);
  fill_in(script, "@OPTIONS@", options);
  fill_in(script, "@VALUES@", values);
  return script;
}

}  // namespace spillway::cli
