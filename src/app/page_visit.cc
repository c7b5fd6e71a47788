#include "app/page_visit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "identity/login.h"

namespace spillway::app {
namespace {

using http::Request;
using http::Response;

constexpr std::string_view kSession = "spillway_session";

constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Notes it, and shows nothing of theirs.
bool refuse(PageVisit& visit, Notice notice, ErrorCode code) {
  visit.shown.user_id.clear();
  note(visit, notice, error_info(code).http_status);
  return false;
}

}  // namespace

void arrive(PageVisit& visit, const identity::RouteContext& identity, const Request& request, bool tls) {
  PageView& view = visit.shown;
  view.mode = identity.mode;
  view.oidc_issuer = identity.oidc_issuer;
  const auto chosen = parse_language(request.query("lang").value_or(""));
  view.language = chosen.value_or(preferred_language(request.header("Accept-Language")));
  view.language_chosen = chosen.has_value();
  view.now = identity.clock.wall();
  visit.address = request.remote_address();
  // Behind a proxy that speaks TLS only the browser's own word for where it is tells.
  visit.secure_cookies = tls || request.header("Origin").starts_with("https://");
  const std::string_view session = http::cookie(request.header("Cookie"), kSession);
  auto caller =
      session.empty() ? Result<identity::Caller>(not_found("no cookie")) : identity.gate.caller_of(session);
  if (caller && caller->token_id != 0) {  // the admin secret is no person, and no cookie
    visit.caller = *caller;
    view.user_id = caller->user_id;
  }
}

bool take_form(PageVisit& visit, const Request& request) {
  if (!is_from_here(request.header("Sec-Fetch-Site"), request.header("Origin"), request.header("Host"))) {
    return refuse(visit, Notice::kFromElsewhere, ErrorCode::kForbidden);
  }
  const std::string_view type = request.header("Content-Type");
  if (!request.body().empty() && type.substr(0, type.find(';')) != "application/x-www-form-urlencoded") {
    return refuse(visit, Notice::kNotAForm, ErrorCode::kUnsupportedMediaType);
  }
  return true;
}

bool take_credentials(PageVisit& visit, const Request& request) {
  const auto name = form_field(request.body(), "userId");
  if (!name || !identity::is_user_id(*name) || *name == identity::kAdminTokenId) {
    return refuse(visit, Notice::kNameNeeded, ErrorCode::kInvalidArgument);
  }
  visit.shown.name = *name;
  visit.password = form_field(request.body(), "password").value_or("");
  const std::size_t password_bytes = visit.password.size();
  if (visit.shown.mode == identity::Mode::kUsers &&
      (password_bytes == 0 || password_bytes > limits::kMaxPasswordBytes)) {
    return refuse(visit, Notice::kWrongPassword, ErrorCode::kInvalidCredentials);
  }
  return true;
}

void sign_in(const identity::RouteContext& identity, PageVisit& visit, std::string_view path,
             UniqueFunction<void(bool)> done) {
  const auto signed_in = [&visit, path](const identity::LoggedIn& as) {
    set_session(visit, path, as.access_token);
    visit.shown.user_id = visit.shown.name;
  };
  if (visit.shown.mode == identity::Mode::kOpen) {
    signed_in(identity::open_login(identity, visit.shown.name));
    return done(true);
  }
  auto attempt = identity.throttle.begin(visit.shown.name, visit.address);
  if (attempt.verdict().limit != identity::LoginThrottle::Limit::kNone) {
    note(visit, Notice::kTooManyAttempts, error_info(ErrorCode::kTooManyRequests).http_status,
         static_cast<int>((attempt.verdict().wait_us + kSecond - 1) / kSecond));
    return done(false);
  }
  identity::password_login(
      identity, std::move(attempt), visit.shown.name, std::move(visit.password),
      [&visit, signed_in, done = std::move(done)](Result<identity::LoggedIn> as) mutable {
        if (as) {
          signed_in(*as);
        } else {
          note_error(visit, as.error());
        }
        done(as.ok());
      });
}

void set_session(PageVisit& visit, std::string_view path, std::string_view token) {
  set_cookie(visit, {kSession, token, path, token.empty() ? 0 : identity::kAccessTokenLifetime});
}

void set_cookie(PageVisit& visit, const Cookie& cookie) {
  visit.set_cookies.push_back(
      {"Set-Cookie",
       fmt::format("{}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Lax{}", cookie.name, cookie.value,
                   cookie.path, cookie.life / kSecond, visit.secure_cookies ? "; Secure" : "")});
}

void reply(PageVisit& visit, Response response) {
  response.no_store = true;
  response.headers = {{"Content-Security-Policy", std::string(kContentPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"X-Frame-Options", "DENY"},  // for browsers that do not know frame-ancestors
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Referrer-Policy", "same-origin"},  // with no-referrer, Origin would say "null"
                      {"Vary", "Accept-Language, Cookie"}};
  for (http::Header& cookie : visit.set_cookies) response.headers.push_back(std::move(cookie));
  if (response.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  visit.exchange.reply(std::move(response));
}

void reply_html(PageVisit& visit, std::string html) {
  reply(visit, {.status = visit.status,
                .content_type = "text/html; charset=utf-8",
                .body = std::move(html),
                .retry_after_s = visit.shown.retry_after_s});
}

void reply_see(PageVisit& visit, std::string location) {
  reply(visit, {.status = 303, .location = std::move(location)});
}

void note(PageVisit& visit, Notice notice, int status, int retry_after_s) {
  visit.shown.notice = notice;
  visit.shown.retry_after_s = retry_after_s;
  visit.status = status;
}

void note_error(PageVisit& visit, const Error& error) {
  const int status = error_info(error.code).http_status;
  switch (error.code) {
    case ErrorCode::kInvalidCredentials:
      return note(visit, Notice::kWrongPassword, status);
    case ErrorCode::kTooManyRequests:
      return note(visit, Notice::kTooManyAttempts, status, error.retry_after_s);
    case ErrorCode::kOutcomeUnknown:
      return note(visit, Notice::kOutcomeUnknown, status, kTryAgainSeconds);
    default:
      return note(visit, Notice::kBusy, status, std::max(error.retry_after_s, kTryAgainSeconds));
  }
}

}  // namespace spillway::app
