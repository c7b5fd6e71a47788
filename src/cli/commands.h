#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli11_fwd.h"
#include "cli/context.h"

namespace spillway::cli {

/// What a command does. Returns the program's exit code.
using Action = std::function<int(Context&)>;

/// The commands below `spillway admin`, each with what it does. They refer to the CLI::App they are made on,
/// which must outlive them.
class Commands {
 public:
  explicit Commands(CLI::App& admin) : admin_(admin) {}

  /// `spillway admin NAME`: one of its verbs must follow.
  CLI::App& noun(const std::string& name, const std::string& help);
  /// `spillway admin PARENT NAME`, and directly below admin.
  CLI::App& verb(CLI::App& parent, const std::string& name, const std::string& help, Action action);
  CLI::App& verb(const std::string& name, const std::string& help, Action action);
  /// The one that the command line named; null when it named none.
  const Action* chosen() const;

 private:
  CLI::App& admin_;
  std::vector<std::pair<CLI::App*, Action>> actions_;
};

/// Options and arguments in the house's way: `type` is what help and completion show; "a|b" is a choice of
/// these, FILE is a file's name.
CLI::Option* text_option(CLI::App& command, const std::string& name, std::string& into,
                         const std::string& type, const std::string& help);
CLI::Option* number_option(CLI::App& command, const std::string& name, std::uint64_t& into, std::uint64_t min,
                           std::uint64_t max, const std::string& help);
CLI::Option* yes_flag(CLI::App& command, bool& into);

// The nouns, each in a file of its own.
void add_login(Commands& commands);
void add_events(Commands& commands);
void add_requests(Commands& commands);
void add_queue(Commands& commands);
void add_waitroom(Commands& commands);
void add_dead_letters(Commands& commands);
void add_webhooks(Commands& commands);
void add_users(Commands& commands);
void add_audit(Commands& commands);

}  // namespace spillway::cli
