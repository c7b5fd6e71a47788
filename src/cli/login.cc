#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

struct LoginOptions {
  std::string user_id;
  bool password_stdin = false;
};

/// Plain HTTP to another machine.
bool is_in_the_clear(const std::string& server) {
  if (!server.starts_with("http://")) return false;
  for (const char* here : {"http://127.", "http://localhost", "http://[::1]"}) {
    if (server.starts_with(here)) return false;
  }
  return true;
}

/// The password where this server asks for one. Nothing: told why.
std::optional<std::string> password_for(Context& context, const LoginOptions& options,
                                        const std::string& mode) {
  if (mode == "open") return std::string();
  const std::string who = fmt::format("Password of {}", printable(options.user_id));
  auto password =
      options.password_stdin ? context.terminal.piped_line() : context.terminal.password(who, false);
  if (password) return std::move(*password);
  context.session.fail(kExitUsage, password.error().message);
  return std::nullopt;
}

/// A token that comes from elsewhere counts before the one of this login.
void note_other_source(const Context& context) {
  const auto stored = context.tokens.load();
  const bool stored_one = stored.ok() && *stored && (*stored)->token == context.session.token();
  if (context.session.token().empty() || stored_one) return;
  context.notes
      << "note: SPILLWAY_TOKEN, SPILLWAY_ADMIN_TOKEN or --token-file is set, and counts before this login\n";
}

int log_in(Context& context, const LoginOptions& options) {
  const auto methods = context.session.get(Target("/auth/methods"));
  if (!methods) return context.session.exit_code();
  const std::string mode = methods->json["identity"].text();
  if (mode != "users" && mode != "open") {
    return context.session.fail(
        kExitRefused,
        fmt::format("nobody logs in with a password here (identity {}): give a token by --token-file "
                    "or SPILLWAY_TOKEN, or the admin secret by SPILLWAY_ADMIN_TOKEN",
                    printable(mode)));
  }
  if (is_in_the_clear(context.server)) {
    context.notes << "warning: " << context.server << " is not encrypted: others on the way can read along\n";
  }
  const auto password = password_for(context, options, mode);
  if (!password) return context.session.exit_code();
  std::string body;
  JsonWriter json(body);
  json.open_object().member("userId", options.user_id);
  if (!password->empty()) json.member("password", *password);
  json.close_object();
  const auto answer = context.session.post(Target("/auth/login"), std::move(body));
  if (!answer) return context.session.exit_code();
  const std::string token = answer->json["accessToken"].text();
  if (token.empty()) return context.session.fail(kExitNotReachable, "the answer to the login holds no token");
  note_other_source(context);
  if (const Status saved = context.tokens.save({context.server, options.user_id, token}); !saved) {
    return context.session.fail(kExitUsage, saved.error().message);
  }
  const std::string role = answer->json["role"].text();
  context.notes << fmt::format("logged in at {} as {}, role {}, for {} minutes\n", context.server,
                               printable(options.user_id), printable(role),
                               answer->json["expiresIn"].number() / 60);
  if (role == "user") context.notes << "this role may use none of these commands\n";
  return kExitGood;
}

int log_out(Context& context) {
  const auto stored = context.tokens.load();
  if (!stored) return context.session.fail(kExitUsage, stored.error().message);
  if (!*stored) {
    context.notes << "not logged in\n";
    return kExitGood;
  }
  if ((*stored)->server != context.server) {
    return context.session.fail(kExitUsage, fmt::format("logged in at {}, not at {}: give it as --server",
                                                        printable((*stored)->server), context.server));
  }
  // Not the session's own token, which may come from elsewhere.
  if (!context.session.end_token((*stored)->token)) return context.session.exit_code();
  if (const Status removed = context.tokens.remove(); !removed) {
    return context.session.fail(kExitUsage, removed.error().message);
  }
  context.notes << "logged out\n";
  return kExitGood;
}

}  // namespace

void add_login(Commands& commands) {
  auto options = std::make_shared<LoginOptions>();
  CLI::App& login = commands.verb("login", "Ask for a password and keep the token that it gives",
                                  [options](Context& context) { return log_in(context, *options); });
  text_option(login, "USER", options->user_id, "ID", "The account")->required();
  login.add_flag("--password-stdin", options->password_stdin, "Read the password from standard input");
  commands.verb("logout", "End the kept token and forget it", log_out);
}

}  // namespace spillway::cli
