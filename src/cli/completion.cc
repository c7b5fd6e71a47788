#include "cli/completion.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <sstream>

namespace spillway::cli {
namespace {

CompletionNode::Option describe(const CLI::Option& option) {
  CompletionNode::Option out;
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  out.help = option.get_description();
  out.takes_value = option.get_items_expected_max() > 0;
  const std::string type = option.get_type_name();
  out.is_file = type == "FILE" || type == "DIR";
  if (out.takes_value && type.find('|') != std::string::npos) {
    std::istringstream words(type);
    for (std::string word; std::getline(words, word, '|');) out.choices.push_back(word);
  }
  return out;
}

bool knows(const CompletionNode& node, const CompletionNode::Option& option) {
  return std::any_of(node.options.begin(), node.options.end(),
                     [&option](const auto& known) { return known.names == option.names; });
}

void add_node(const CLI::App& app, const std::string& before, std::vector<CompletionNode>& table) {
  CompletionNode node;
  node.path = before.empty() ? app.get_name() : before + ' ' + app.get_name();
  for (const CLI::App* command : app.get_subcommands({})) {
    node.commands.push_back({command->get_name(), command->get_description()});
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      node.arguments.push_back(describe(*option));
    } else {
      node.options.push_back(describe(*option));
    }
  }
  // What falls through to the command above is understood here as well.
  for (const CLI::App* at = &app; at->get_fallthrough() && at->get_parent() != nullptr;) {
    at = at->get_parent();
    for (const CLI::Option* option : at->get_options()) {
      CompletionNode::Option described = describe(*option);
      if (!option->get_positional() && !knows(node, described)) node.options.push_back(std::move(described));
    }
  }
  const std::string path = node.path;
  table.push_back(std::move(node));
  for (const CLI::App* command : app.get_subcommands({})) add_node(*command, path, table);
}

}  // namespace

std::vector<CompletionNode> completion_table(const CLI::App& program) {
  std::vector<CompletionNode> table;
  add_node(program, "", table);
  return table;
}

std::optional<std::string> completion_script(const CLI::App& program, std::string_view shell) {
  if (shell == "bash") return bash_completion(completion_table(program));
  if (shell == "zsh") return zsh_completion(completion_table(program));
  if (shell == "fish") return fish_completion(completion_table(program));
  return std::nullopt;
}

}  // namespace spillway::cli
