#include "app/event_page_visit.h"

#include <fmt/format.h>

#include <algorithm>

namespace spillway::app {
namespace {

using http::Exchange;
using http::Request;
using http::Response;

constexpr std::string_view kSession = "spillway_session";

constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

}  // namespace

void reply(Visit& visit, Response response) {
  response.no_store = true;
  response.headers = {{"Content-Security-Policy", std::string(kContentPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"X-Frame-Options", "DENY"},  // for browsers that do not know frame-ancestors
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Referrer-Policy", "same-origin"},  // with no-referrer, Origin would say "null"
                      {"Vary", "Accept-Language, Cookie"}};
  if (visit.set_cookie) response.headers.push_back(std::move(*visit.set_cookie));
  if (response.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  visit.exchange.reply(std::move(response));
}

void reply_html(Visit& visit, std::string html) {
  reply(visit, {.status = visit.status,
                .content_type = "text/html; charset=utf-8",
                .body = std::move(html),
                .retry_after_s = visit.view.retry_after_s});
}

void reply_see_page(Visit& visit) {
  std::string page = "/events/" + visit.view.event_id;
  if (visit.view.language_chosen) page += visit.view.language == Language::kKorean ? "?lang=ko" : "?lang=en";
  reply(visit, {.status = 303, .location = std::move(page)});
}

void reply_missing(Visit& visit) {
  visit.status = 404;
  reply_html(visit, no_such_event_html(visit.view.language));
}

void note(Visit& visit, Notice notice, int status, int retry_after_s) {
  visit.view.notice = notice;
  visit.view.retry_after_s = retry_after_s;
  visit.status = status;
}

void note_error(Visit& visit, const Error& error) {
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

void set_session(Visit& visit, std::string_view token) {
  visit.set_cookie = {
      "Set-Cookie", fmt::format("{}={}; Path=/events; Max-Age={}; HttpOnly; SameSite=Lax{}", kSession, token,
                                token.empty() ? 0 : identity::kAccessTokenLifetime / kSecond,
                                visit.secure_cookies ? "; Secure" : "")};
}

VisitPtr arrive(const EventPageContext& context, const Request& request, Exchange exchange) {
  auto visit = std::make_unique<Visit>(std::move(exchange));
  EventPageView& view = visit->view;
  view.event_id = request.param(0);
  view.mode = context.identity.mode;
  view.oidc_issuer = context.identity.oidc_issuer;
  const auto chosen = parse_language(request.query("lang").value_or(""));
  view.language = chosen.value_or(preferred_language(request.header("Accept-Language")));
  view.language_chosen = chosen.has_value();
  visit->address = request.remote_address();
  // Behind a proxy that speaks TLS only the browser's own word for where it is tells.
  visit->secure_cookies = context.tls || request.header("Origin").starts_with("https://");
  const std::string_view session = cookie(request.header("Cookie"), kSession);
  auto caller = session.empty() ? Result<identity::Caller>(not_found("no cookie"))
                                : context.identity.gate.caller_of(session);
  if (caller && caller->token_id != 0) {  // the admin secret is no person, and no cookie
    visit->caller = *caller;
    view.user_id = caller->user_id;
  }
  return visit;
}

bool is_form_of_ours(const Request& request) {
  return is_from_here(request.header("Sec-Fetch-Site"), request.header("Origin"), request.header("Host"));
}

}  // namespace spillway::app
