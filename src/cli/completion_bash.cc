#include <fmt/format.h>

#include "cli/completion_text.h"

namespace spillway::cli {
namespace {

constexpr char kScript[] = R"script(# bash completion for spillway, made by: spillway completion bash
# In ~/.bashrc: source <(spillway completion bash)

_spillway_at() { # PATH: sets commands and valued
  case $1 in
@WALK@    *) commands='' valued='' ;;
  esac
}

_spillway_options() { # PATH
  case $1 in
@OPTIONS@  esac
}

_spillway_values() { # PATH OPTION, or PATH and the number of the argument
  case "$1 $2" in
@VALUES@  esac
}

_spillway_reply() { # PATH OPTION-OR-NUMBER CURRENT
  local values
  values=$(_spillway_values "$1" "$2")
  if [[ $values == @file ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$3")
  else
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$3")
  fi
}

_spillway() {
  local commands valued word current path=spillway arguments=0 glue='' option=''
  local -a words=()
  COMPREPLY=()
  # Put together what bash takes apart at = and :.
  for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ $word =~ ^[=:]+$ && ${#words[@]} -gt 1 ]]; then
      words[${#words[@]}-1]+=$word glue=1
    elif [[ $glue ]]; then
      words[${#words[@]}-1]+=$word glue=''
    else
      words+=("$word")
    fi
  done
  current=${words[${#words[@]}-1]}
  _spillway_at "$path"
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ $option ]]; then
      option=''
    elif [[ $word == -*=* ]]; then
      :
    elif [[ $word == -* ]]; then
      [[ " $valued " == *" $word "* ]] && option=$word
    elif [[ " $commands " == *" $word "* ]]; then
      path+=" $word"
      _spillway_at "$path"
    else
      ((++arguments))
    fi
  done
  if [[ $option ]]; then
    _spillway_reply "$path" "$option" "$current"
  elif [[ $current == -*=* ]]; then
    _spillway_reply "$path" "${current%%=*}" "${current#*=}"
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_spillway_options "$path")" -- "$current")
  elif [[ $commands ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  else
    _spillway_reply "$path" "$arguments" "$current"
  fi
}

complete -F _spillway spillway
)script";

/// A line of _spillway_values; empty when nothing is known of the value.
std::string value_line(const std::string& path, const std::string& key,
                       const CompletionNode::Option& option) {
  if (!option.is_file && option.choices.empty()) return {};
  return fmt::format("    '{} {}') echo '{}' ;;\n", path, key,
                     option.is_file ? "@file" : join_words(option.choices));
}

}  // namespace

std::string bash_completion(const std::vector<CompletionNode>& table) {
  std::string options, values;
  for (const CompletionNode& node : table) {
    std::vector<std::string> names;
    for (const auto& option : node.options) {
      names.insert(names.end(), option.names.begin(), option.names.end());
      for (const std::string& name : option.names) values += value_line(node.path, name, option);
    }
    options += fmt::format("    '{}') echo '{}' ;;\n", node.path, join_words(names));
    for (std::size_t i = 0; i < node.arguments.size(); ++i) {
      values += value_line(node.path, std::to_string(i), node.arguments[i]);
    }
  }
  std::string script = kScript;
  fill_in(script, "@WALK@", walk_cases(table));
  fill_in(script, "@OPTIONS@", options);
  fill_in(script, "@VALUES@", values);
  return script;
}

}  // namespace spillway::cli
