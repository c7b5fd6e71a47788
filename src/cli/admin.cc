#include "cli/admin.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <iostream>

#include "base/check.h"
#include "base/wait_loop.h"
#include "cli/commands.h"
#include "cli/http_transport.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

constexpr char kDefaultServer[] = "http://127.0.0.1:8080";

const char* environment(const char* name) { return std::getenv(name); }

int usage_error(const std::string& message) {
  std::cerr << "spillway: " << printable(message) << '\n';
  return kExitUsage;
}

void let_pass(Micros time) {
  WaitLoop loop(0);
  loop.run_until([] { return false; }, time);
}

}  // namespace

struct Admin::Impl {
  explicit Impl(CLI::App& program)
      : admin(*program.add_subcommand("admin", "Operate a running server over its HTTP API.")),
        commands(admin) {}

  CLI::App& admin;
  Commands commands;
  std::string server, token_file, ca_file;
  bool json = false, utc = false;

  std::string server_url() const;
};

std::string Admin::Impl::server_url() const {
  std::string url = server;
  if (url.empty()) {
    const char* given = environment("SPILLWAY_SERVER");
    url = given != nullptr && *given != '\0' ? given : kDefaultServer;
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Admin::Admin(CLI::App& program) : impl_(std::make_unique<Impl>(program)) {
  CLI::App& admin = impl_->admin;
  admin.require_subcommand(1);
  admin.fallthrough();  // its options may stand behind the nouns and verbs as well
  text_option(admin, "--server", impl_->server, "URL",
              "Where it is [SPILLWAY_SERVER; http://127.0.0.1:8080]");
  text_option(admin, "--token-file", impl_->token_file, "FILE",
              "File with the access token [else SPILLWAY_TOKEN, SPILLWAY_ADMIN_TOKEN, or that of the login]");
  text_option(admin, "--ca-file", impl_->ca_file, "FILE", "Authorities of an https server, in PEM");
  admin.add_flag("--json", impl_->json, "The server's JSON instead of tables");
  admin.add_flag("--utc", impl_->utc, "Times in UTC instead of the local zone");
  admin.footer(
      "Exit codes: 0 done, 1 refused by the server, 2 wrong usage, 3 not reachable, 4 not allowed.\n"
      "A token never goes on the command line, where others on the machine can read it.");
  add_events(impl_->commands);
  add_requests(impl_->commands);
  add_queue(impl_->commands);
  add_waitroom(impl_->commands);
  add_dead_letters(impl_->commands);
  add_webhooks(impl_->commands);
  add_users(impl_->commands);
  add_audit(impl_->commands);
  add_login(impl_->commands);
  admin.fallthrough(false);  // not on to the program's own
}

Admin::~Admin() = default;

bool Admin::chosen() const { return impl_->admin.parsed(); }

int Admin::run() {
  const Action* action = impl_->commands.chosen();
  CHECK(action != nullptr);  // the parser demands one
  const std::string server = impl_->server_url();
  auto transport = make_http_transport(server, impl_->ca_file);
  if (!transport) return usage_error(transport.error().message);
  TokenStore tokens(token_path(environment));
  const auto token = find_token(impl_->token_file, environment, tokens, server);
  if (!token) return usage_error(token.error().message);
  RealTerminal terminal;
  Session session(**transport, *token, std::cerr);
  Context context{.session = session,
                  .terminal = terminal,
                  .out = std::cout,
                  .notes = std::cerr,
                  .display = {.json = impl_->json, .zone = impl_->utc ? Zone::kUtc : Zone::kLocal},
                  .tokens = tokens,
                  .server = server,
                  .pause = let_pass};
  const int exit_code = (*action)(context);
  if (std::cout.flush().good()) return exit_code;
  std::cerr << "spillway: the output could not be written\n";
  return exit_code == kExitGood ? kExitRefused : exit_code;
}

}  // namespace spillway::cli
