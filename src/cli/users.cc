#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/json_writer.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

constexpr char kRoles[] = "user|operator|admin";

Target user_target(const std::string& id) { return std::move(Target("/admin/users").segment(id)); }

int show(Context& context, const std::optional<Answer>& answer) {
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  const Json& user = answer->json;
  Fields fields;
  fields.add("user", user["userId"].text());
  fields.add("role", user["role"].text());
  fields.add("disabled", user["disabled"].text());
  fields.add("created", context.time(user["createdAt"]));
  fields.add("last login", context.time(user["lastLoginAt"]));
  fields.print(context.out);
  return kExitGood;
}

struct ListUsers {
  std::string part;
  ListOptions list;
};

int list(Context& context, const ListUsers& options) {
  const auto listing = read_list(
      context, [&options] { return Target("/admin/users").query("q", options.part); }, options.list);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  Table table({{"USER"}, {"ROLE"}, {"DISABLED"}, {"CREATED"}, {"LAST LOGIN"}});
  for (const Json& user : listing->items) {
    table.add({user["userId"].text(), user["role"].text(), user["disabled"].text(),
               context.time(user["createdAt"]), context.time(user["lastLoginAt"])});
  }
  table.print(context.out);
  note_more(context, *listing);
  return kExitGood;
}

// ---- Changes ----------------------------------------------------------------------------------------------

/// PUT makes an account where there is none; a slip of the finger should not. Nothing: told why.
std::optional<bool> has_account(Context& context, const std::string& user_id) {
  ListOptions all;
  all.limit = limits::kMaxListed;
  const auto alike = read_list(
      context, [&user_id] { return Target("/admin/users").query("q", user_id); }, all);
  if (!alike) return std::nullopt;
  for (const Json& user : alike->items) {
    if (user["userId"].text() == user_id) return true;
  }
  return false;
}

int change(Context& context, const std::string& user_id, const std::string& body) {
  const auto present = has_account(context, user_id);
  if (!present) return context.session.exit_code();
  if (!*present) {
    return context.session.fail(kExitRefused,
                                fmt::format("USER: there is no account {}", printable(user_id)));
  }
  return show(context, context.session.put(user_target(user_id), body));
}

struct UserOptions {
  std::string user_id, role;
  bool password_stdin = false, yes = false;
};

/// Nothing: told why.
std::optional<std::string> new_password(Context& context, const UserOptions& options) {
  const std::string prompt = fmt::format("New password of {}", printable(options.user_id));
  auto password =
      options.password_stdin ? context.terminal.piped_line() : context.terminal.password(prompt, true);
  if (password) return std::move(*password);
  context.session.fail(kExitUsage, password.error().message);
  return std::nullopt;
}

int add(Context& context, const UserOptions& options) {
  const auto present = has_account(context, options.user_id);
  if (!present) return context.session.exit_code();
  if (*present) {
    return context.session.fail(
        kExitRefused, fmt::format("USER: there is an account {} already", printable(options.user_id)));
  }
  const auto password = new_password(context, options);
  if (!password) return context.session.exit_code();
  std::string body;
  JsonWriter(body).open_object().member("password", *password).member("role", options.role).close_object();
  return show(context, context.session.put(user_target(options.user_id), std::move(body)));
}

int change_password(Context& context, const UserOptions& options) {
  const auto password = new_password(context, options);
  if (!password) return context.session.exit_code();
  std::string body;
  JsonWriter(body).open_object().member("password", *password).close_object();
  return change(context, options.user_id, body);
}

int change_role(Context& context, const UserOptions& options) {
  std::string body;
  JsonWriter(body).open_object().member("role", options.role).close_object();
  return change(context, options.user_id, body);
}

int disable(Context& context, const UserOptions& options) {
  const std::string question =
      fmt::format("{} is logged out everywhere and cannot log in again. Go on?", options.user_id);
  if (!confirmed(context, options.yes, question)) return context.session.exit_code();
  return change(context, options.user_id, R"({"disabled":true})");
}

int sign_out(Context& context, const UserOptions& options) {
  const auto answer = context.session.post(Target(user_target(options.user_id).text() + "/sign-out"));
  if (!answer) return context.session.exit_code();
  if (!context.display.json) context.out << "signed out everywhere: " << printable(options.user_id) << '\n';
  return kExitGood;
}

/// A verb with the argument USER.
CLI::App& user_verb(Commands& commands, CLI::App& noun, const std::string& name, const std::string& help,
                    const std::shared_ptr<UserOptions>& options,
                    int (*action)(Context&, const UserOptions&)) {
  CLI::App& verb = commands.verb(noun, name, help,
                                 [options, action](Context& context) { return action(context, *options); });
  text_option(verb, "USER", options->user_id, "ID", "The account")->required();
  return verb;
}

}  // namespace

void add_users(Commands& commands) {
  CLI::App& noun = commands.noun("users", "Accounts (under --identity users)");

  auto listed = std::make_shared<ListUsers>();
  CLI::App& list_verb = commands.verb(noun, "list", "All of them, by user id",
                                      [listed](Context& context) { return list(context, *listed); });
  text_option(list_verb, "--search", listed->part, "TEXT", "Only with this in their user id");
  listed->list.add_to(list_verb);

  const auto options = std::make_shared<UserOptions>();
  const char* from_stdin = "Read the password from standard input";
  CLI::App& add_verb = user_verb(commands, noun, "add", "Make one; asks for its password", options, add);
  options->role = "user";
  text_option(add_verb, "--role", options->role, kRoles, "Its role, by default user");
  add_verb.add_flag("--password-stdin", options->password_stdin, from_stdin);

  CLI::App& disable_verb =
      user_verb(commands, noun, "disable", "End its tokens and let it log in no more", options, disable);
  yes_flag(disable_verb, options->yes);
  user_verb(commands, noun, "enable", "Let it log in again", options,
            [](Context& context, const UserOptions& given) {
              return change(context, given.user_id, R"({"disabled":false})");
            });
  CLI::App& role_verb =
      user_verb(commands, noun, "role", "Give it another role; ends its tokens", options, change_role);
  text_option(role_verb, "ROLE", options->role, kRoles, "The role")->required();
  CLI::App& password_verb = user_verb(commands, noun, "password", "Give it another password; ends its tokens",
                                      options, change_password);
  password_verb.add_flag("--password-stdin", options->password_stdin, from_stdin);
  user_verb(commands, noun, "sign-out", "End all tokens of a user, with or without an account", options,
            sign_out);
}

}  // namespace spillway::cli
