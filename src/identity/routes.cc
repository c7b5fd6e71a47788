#include "identity/routes.h"

#include <fmt/format.h>

#include <charconv>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/text.h"
#include "identity/login.h"

namespace spillway::identity {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Response;

constexpr std::size_t kMaxBytes = 4 * 1024;  // of a body here

Response not_cached(Response response) {
  response.no_store = true;
  return response;
}

// ---- Logging in -------------------------------------------------------------------------------------------

Response token_response(const LoggedIn& as) {
  Response response = not_cached(Response::json(200, {}));
  JsonWriter(response.body)
      .open_object()
      .member("accessToken", as.access_token)
      .member("tokenType", "Bearer")
      .member("expiresIn", kAccessTokenLifetime / kSecond)
      .member("role", name(as.role))
      .close_object();
  return response;
}

std::string read_user_id(JsonReader& body) {
  std::string user_id = body.required_string("userId", 1, limits::kMaxIdBytes);
  if (has_control_characters(user_id)) body.refuse("userId must have no control characters");
  return user_id;
}

/// Any user id, no password.
void login_by_name(const RouteContext& context, const Request& request, Exchange exchange) {
  JsonReader body(request.body());
  const std::string user_id = read_user_id(body);
  if (Status read = body.status(); !read) return exchange.fail(read.error());
  exchange.reply(token_response(open_login(context, user_id)));
}

/// 429 with what stands in the way, as draft-ietf-httpapi-ratelimit-headers-10 has it.
Response throttled(const LoginThrottle::Verdict& verdict, std::string_view path) {
  const auto seconds = static_cast<int>((verdict.wait_us + kSecond - 1) / kSecond);
  const bool by_address = verdict.limit == LoginThrottle::Limit::kAddress;
  const LoginThrottle::Rule& rule = by_address ? LoginThrottle::kAddressRule
                                    : verdict.limit == LoginThrottle::Limit::kPair
                                        ? LoginThrottle::kPairRule
                                        : LoginThrottle::kAccountRule;
  const char* policy = by_address ? "login-address" : "login-account";
  Response response = http::problem(
      {ErrorCode::kTooManyRequests, "too many attempts to log in have failed; wait before the next", seconds},
      path);
  response.headers.push_back({"RateLimit", fmt::format("\"{}\";r=0;t={}", policy, seconds)});
  response.headers.push_back({"RateLimit-Policy", fmt::format("\"{}\";q={};w={}", policy, rule.free,
                                                              LoginThrottle::kForget / kSecond)});
  return not_cached(std::move(response));
}

void login_with_password(const RouteContext& context, const Request& request, Exchange exchange) {
  JsonReader body(request.body());
  std::string user_id = read_user_id(body);
  std::string password = body.required_string("password", 1, limits::kMaxPasswordBytes);
  if (Status read = body.status(); !read) return exchange.fail(read.error());
  LoginThrottle::Attempt attempt = context.throttle.begin(user_id, request.remote_address());
  if (attempt.verdict().limit != LoginThrottle::Limit::kNone) {
    return exchange.reply(throttled(attempt.verdict(), request.raw_path()));
  }
  password_login(context, std::move(attempt), std::move(user_id), std::move(password),
                 [exchange = std::move(exchange)](Result<LoggedIn> as) mutable {
                   if (!as) return exchange.fail(as.error());
                   exchange.reply(token_response(*as));
                 });
}

void login(const RouteContext& context, const Request& request, Exchange exchange) {
  switch (context.mode) {
    case Mode::kOpen:
      return login_by_name(context, request, std::move(exchange));
    case Mode::kUsers:
      return login_with_password(context, request, std::move(exchange));
    case Mode::kOidc:
      return exchange.fail(
          not_found("nobody logs in here: get an access token from the issuer; GET /auth/methods names it"));
    case Mode::kNone:
      return exchange.fail(not_found("nobody logs in here; GET /auth/methods tells how"));
  }
}

// ---- Those who are logged in ------------------------------------------------------------------------------

Reply<Ok> answer_nothing(Exchange exchange) {
  return [exchange = std::move(exchange)](Result<Ok> done) mutable {
    if (!done) return exchange.fail(done.error());
    exchange.reply({.status = 204});
  };
}

void logout(const RouteContext& context, const Request& request, Exchange exchange) {
  const auto caller = context.gate.caller(request);
  if (!caller) return exchange.fail(caller.error());
  if (caller->token_id == 0) {
    return exchange.fail(
        invalid_argument("the admin secret cannot be logged out: it is in the configuration"));
  }
  context.service.logout({caller->token_id, caller->expires}, answer_nothing(std::move(exchange)));
}

void who_am_i(const RouteContext& context, const Request& request, Exchange exchange) {
  const auto caller = context.gate.caller(request);
  if (!caller) return exchange.fail(caller.error());
  Response response = not_cached(Response::json(200, {}));
  JsonWriter json(response.body);
  json.open_object().member("userId", caller->user_id).member("role", name(caller->role));
  if (caller->expires) json.member("expiresAt", caller->expires);
  json.close_object();
  exchange.reply(std::move(response));
}

void methods(const RouteContext& context, const Request&, Exchange exchange) {
  Response response = Response::json(200, {});
  JsonWriter json(response.body);
  json.open_object().member("identity", name(context.mode));
  if (!context.oidc_issuer.empty()) json.member("issuer", context.oidc_issuer);
  json.close_object();
  exchange.reply(std::move(response));
}

// ---- For operators and admins -----------------------------------------------------------------------------

void append_user(JsonWriter& json, const UserView& user) {
  json.open_object()
      .member("userId", user.user_id)
      .member("role", name(user.role))
      .member("disabled", user.disabled)
      .member("createdAt", user.created_at);
  if (user.last_login_at) json.member("lastLoginAt", user.last_login_at);
  json.close_object();
}

void list_users(const RouteContext& context, const Request& request, Exchange exchange) {
  if (auto caller = context.gate.reader(request); !caller) return exchange.fail(caller.error());
  ListUsers command;
  if (auto query = request.query("q")) command.query = std::move(*query);
  if (auto cursor = request.query("cursor")) command.cursor = std::move(*cursor);
  if (const auto limit = request.query("limit")) {
    const auto [end, failed] = std::from_chars(limit->data(), limit->data() + limit->size(), command.limit);
    if (failed != std::errc() || end != limit->data() + limit->size() || command.limit < 1 ||
        command.limit > limits::kMaxPage) {
      return exchange.fail(
          invalid_argument(fmt::format("limit must be a whole number from 1 to {}", limits::kMaxPage)));
    }
  }
  context.service.list_users(std::move(command),
                             [exchange = std::move(exchange)](Result<UserPage> page) mutable {
                               if (!page) return exchange.fail(page.error());
                               Response response = not_cached(Response::json(200, {}));
                               JsonWriter json(response.body);
                               json.open_object().key("items").open_array();
                               for (const UserView& user : page->items) append_user(json, user);
                               json.close_array();
                               if (!page->next_cursor.empty()) json.member("nextCursor", page->next_cursor);
                               json.close_object();
                               exchange.reply(std::move(response));
                             });
}

struct PutBody {
  std::optional<Role> role;
  std::optional<bool> disabled;
  std::string password;  ///< empty: not given
};

Result<PutBody> read_put(const Request& request) {
  JsonReader body(request.body());
  PutBody put;
  if (body.has("role")) {
    put.role = parse_role(body.required_string("role", 1, 32));
    if (!put.role) body.refuse("role must be user, operator or admin");
  }
  put.disabled = body.optional_bool("disabled");
  if (body.has("password")) {
    put.password = body.required_string("password", limits::kMinPasswordBytes, limits::kMaxPasswordBytes);
  }
  if (Status read = body.status(); !read) return read.error();
  return put;
}

void store_user(const RouteContext& context, PutUser command, Exchange exchange) {
  context.service.put_user(std::move(command),
                           [exchange = std::move(exchange)](Result<UserView> user) mutable {
                             if (!user) return exchange.fail(user.error());
                             Response response = not_cached(Response::json(user->created ? 201 : 200, {}));
                             JsonWriter json(response.body);
                             append_user(json, *user);
                             exchange.reply(std::move(response));
                           });
}

void put_user(const RouteContext& context, const Request& request, Exchange exchange) {
  const auto caller = context.gate.admin(request);
  if (!caller) return exchange.fail(caller.error());
  PutUser command{.user_id = std::string(request.param(0)),
                  .actor = actor_of(request, *caller),
                  .asked_at = context.clock.wall()};
  if (!is_user_id(command.user_id)) {
    return exchange.fail(
        invalid_argument("userId must be 1 to 128 bytes of UTF-8 without control characters"));
  }
  auto body = read_put(request);
  if (!body) return exchange.fail(body.error());
  command.role = body->role;
  command.disabled = body->disabled;
  if (body->password.empty()) return store_user(context, std::move(command), std::move(exchange));

  context.passwords.hash(std::move(body->password),
                         [context, command = std::move(command),
                          exchange = std::move(exchange)](Result<std::string> hash) mutable {
                           if (!hash) return exchange.fail(hash.error());
                           command.password_hash = std::move(*hash);
                           command.asked_at = context.clock.wall();
                           store_user(context, std::move(command), std::move(exchange));
                         });
}

void sign_out(const RouteContext& context, const Request& request, Exchange exchange) {
  const auto caller = context.gate.admin(request);
  if (!caller) return exchange.fail(caller.error());
  SignOut command{std::string(request.param(0)), actor_of(request, *caller), context.clock.wall()};
  context.service.sign_out(std::move(command), answer_nothing(std::move(exchange)));
}

}  // namespace

void add_routes(http::Router& router, RouteContext context) {
  const auto add = [&](Method method, const char* pattern, auto handle) {
    router.add(method, pattern,
               [context, handle](const Request& request, Exchange exchange) {
                 handle(context, request, std::move(exchange));
               },
               {.max_body_bytes = kMaxBytes});
  };
  add(Method::kPost, "/auth/login", login);
  add(Method::kPost, "/auth/logout", logout);
  add(Method::kGet, "/auth/me", who_am_i);
  add(Method::kGet, "/auth/methods", methods);
  add(Method::kGet, "/admin/users", list_users);
  add(Method::kPut, "/admin/users/{userId}", put_user);
  add(Method::kPost, "/admin/users/{userId}/sign-out", sign_out);
}

}  // namespace spillway::identity
