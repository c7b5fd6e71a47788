#include "cli/commands.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <sstream>

namespace spillway::cli {

CLI::App& Commands::noun(const std::string& name, const std::string& help) {
  CLI::App* noun = admin_.add_subcommand(name, help);
  noun->require_subcommand(1);
  return *noun;
}

CLI::App& Commands::verb(CLI::App& parent, const std::string& name, const std::string& help, Action action) {
  CLI::App* verb = parent.add_subcommand(name, help);
  actions_.emplace_back(verb, std::move(action));
  return *verb;
}

CLI::App& Commands::verb(const std::string& name, const std::string& help, Action action) {
  return verb(admin_, name, help, std::move(action));
}

const Action* Commands::chosen() const {
  for (const auto& [command, action] : actions_) {
    if (command->parsed()) return &action;
  }
  return nullptr;
}

CLI::Option* text_option(CLI::App& command, const std::string& name, std::string& into,
                         const std::string& type, const std::string& help) {
  CLI::Option* option = command.add_option(name, into, help)->type_name(type);
  if (type.find('|') != std::string::npos) {
    std::vector<std::string> choices;
    std::istringstream words(type);
    for (std::string word; std::getline(words, word, '|');) choices.push_back(word);
    // Not IsMember: that shows the choices a second time.
    option->check(
        [choices, type](const std::string& given) {
          for (const std::string& choice : choices) {
            if (given == choice) return std::string();
          }
          return "must be one of " + type + ", not " + given;
        },
        "");
  }
  return option;
}

CLI::Option* number_option(CLI::App& command, const std::string& name, std::uint64_t& into, std::uint64_t min,
                           std::uint64_t max, const std::string& help) {
  CLI::Range range(min, max);
  range.description("");  // help shows N alone
  return command.add_option(name, into, help)->check(range)->type_name("N");
}

CLI::Option* yes_flag(CLI::App& command, bool& into) {
  return command.add_flag("--yes", into, "Do not ask: needed where there is no terminal");
}

}  // namespace spillway::cli
