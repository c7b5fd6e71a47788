#include "app/command_line.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "app/options.h"
#include "app/serve.h"
#include "cli/admin.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "journal/inspect.h"
#include "load/command/load_command.h"

namespace spillway::app {
namespace {

constexpr char kVersion[] = "0.1.0";

int run_serve(const CLI::App& command, const std::string& config_file) {
  std::vector<GivenOption> given;
  for (const OptionRow& row : option_table()) {
    const CLI::Option* option = command.get_option(fmt::format("--{}", row.name));
    if (option->count() == 0) continue;
    if (row.repeatable) {
      for (const std::string& value : option->results()) given.push_back({std::string(row.name), value});
      continue;
    }
    given.push_back({std::string(row.name), row.placeholder.empty() ? "true" : option->results().back()});
  }
  const auto read = [given, config_file] {
    return resolve_options(
        given, [](const char* name) -> const char* { return std::getenv(name); }, config_file);
  };
  const auto options = read();
  if (!options) {
    fmt::print(stderr, "spillway: {}\n", options.error().message);
    return kExitUsage;
  }
  if (config_file.empty()) return serve(*options);
  return serve(*options, read);
}

int run_inspect(const std::string& directory) {
  std::ostringstream out;
  const Status done = journal::inspect(journal::posix_file_system(), directory, out);
  std::cout << out.str();
  if (done) return 0;
  fmt::print(stderr, "spillway: {}\n", done.error().message);
  return kExitCouldNotStart;
}

int run_verify(const std::string& directory) {
  const auto report = journal::verify(journal::posix_file_system(), directory, all_replicas({}));
  if (!report) {
    fmt::print(stderr, "spillway: {}\n", report.error().message);
    return kExitCouldNotStart;
  }
  for (const std::string& note : report->notes) fmt::print("note: {}\n", note);
  fmt::print(
      "good: {} records replayed after {}, up to {}; acknowledged up to {}; torn tail {} bytes; "
      "{} snapshots sound\n",
      report->records, report->from_sequence, report->last_sequence, report->watermark_sequence,
      report->torn_bytes, report->snapshots);
  return 0;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App program("Spillway: for the moment when everybody arrives at once.", "spillway");
  program.require_subcommand(1);
  program.set_version_flag("--version", kVersion);

  CLI::App* serve = program.add_subcommand("serve", "Run the server until SIGTERM.");
  std::string config_file;
  serve
      ->add_option("--config", config_file,
                   "File with `key = value` lines: the keys are the names of these flags.")
      ->type_name("FILE");
  std::vector<std::string> values(option_table().size());
  for (std::size_t i = 0; i < option_table().size(); ++i) {
    const OptionRow& row = option_table()[i];
    const std::string name = fmt::format("--{}", row.name);
    const std::string help = fmt::format("{} [{}]", row.help, environment_name(row.name));
    if (row.placeholder.empty()) {
      serve->add_flag(name, help);
    } else {
      CLI::Option* option = serve->add_option(name, values[i], help)->type_name(std::string(row.placeholder));
      // The values are read from the option; what it is bound to only says that it takes one at a time.
      if (row.repeatable) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }

  CLI::App* journal = program.add_subcommand("journal", "Look at a journal; the server must be stopped.");
  journal->require_subcommand(1);
  std::string directory;
  CLI::App* inspect = journal->add_subcommand("inspect", "List segments, snapshots, watermark and records.");
  CLI::App* verify = journal->add_subcommand("verify", "Replay everything and check it; changes nothing.");
  for (CLI::App* command : {inspect, verify})
    command->add_option("DIR", directory, "Data directory")->required();

  cli::Admin admin(program);
  load::LoadCommand load(program);

  std::string shell;
  CLI::App* completion =
      program.add_subcommand("completion", "Print a script that completes these commands.");
  cli::text_option(*completion, "SHELL", shell, "bash|zsh|fish", "Whose")->required();

  CLI::App* routes = program.add_subcommand("routes", "List the HTTP routes.");
  CLI::App* options = program.add_subcommand("options", "Print the options of serve as Markdown.");

  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return program.exit(success);
  } catch (const CLI::ParseError& error) {
    program.exit(error);
    return kExitUsage;
  }
  if (*serve) return run_serve(*serve, config_file);
  if (*inspect) return run_inspect(directory);
  if (*verify) return run_verify(directory);
  if (admin.chosen()) return admin.run();
  if (load.chosen()) return load.run();
  if (*completion) std::cout << *cli::completion_script(program, shell);
  if (*routes) std::cout << list_routes();
  if (*options) std::cout << options_markdown();
  return 0;
}

}  // namespace spillway::app
