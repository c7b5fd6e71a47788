#include "cli/session.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

bool is_success(int status) { return status >= 200 && status < 300; }

}  // namespace

Target& Target::segment(std::string_view part) {
  text_.push_back('/');
  percent_encode(text_, part);
  return *this;
}

Target& Target::query(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  text_.push_back(has_query_ ? '&' : '?');
  has_query_ = true;
  percent_encode(text_, name);
  text_.push_back('=');
  percent_encode(text_, value);
  return *this;
}

int Session::fail(int exit_code, std::string_view message) {
  errors_ << "spillway: " << message << '\n';
  return exit_code_ = exit_code;
}

void Session::refused(const Reply& reply) {
  const auto problem = Json::parse(reply.body);
  if (!problem || (*problem)["code"].is_null()) {
    fail(kExitNotReachable,
         fmt::format("what answered ({}) is not Spillway's API: look at --server", reply.status));
    return;
  }
  std::string message = printable((*problem)["detail"].text());
  if (message.empty()) message = printable((*problem)["title"].text());
  message += fmt::format(" ({}, {})", printable((*problem)["code"].text()), reply.status);
  if (!reply.retry_after.empty()) message += fmt::format("; again in {} s", printable(reply.retry_after));
  const bool not_allowed = reply.status == 401 || reply.status == 403;
  if ((*problem)["code"].text() == "unauthenticated") {
    message += token_.empty() ? "; no token was given: see `spillway admin login --help`"
                              : "; the token is not good here (any more)";
  }
  fail(not_allowed ? kExitNotAllowed : kExitRefused, message);
}

std::optional<Answer> Session::call(std::string method, const Target& target, std::string body,
                                    int expected) {
  const Result<Reply> reply = transport_.send({std::move(method), target.text(), std::move(body), token_});
  if (!reply) {
    fail(kExitNotReachable, printable(reply.error().message));
    return std::nullopt;
  }
  if (!is_success(reply->status) && reply->status != expected) {
    refused(*reply);
    return std::nullopt;
  }
  auto json = Json::parse(reply->body.empty() ? "null" : reply->body);
  const bool ours = json && (is_success(reply->status) || !(*json)["code"].is_null());
  if (!ours) {
    fail(kExitNotReachable,
         fmt::format("what answered ({}) is not Spillway's API: look at --server", reply->status));
    return std::nullopt;
  }
  return Answer{reply->status, reply->body, std::move(*json)};
}

bool Session::end_token(const std::string& token) {
  const Result<Reply> reply = transport_.send({"POST", "/auth/logout", "", token});
  if (!reply) {
    fail(kExitNotReachable, printable(reply.error().message));
    return false;
  }
  if (is_success(reply->status) || reply->status == 401) return true;
  refused(*reply);
  return false;
}

bool Session::stream(const Target& target, const std::function<bool(std::string_view)>& take) {
  bool enough = false;
  const Result<Reply> reply =
      transport_.stream({"GET", target.text(), "", token_}, [&](std::string_view piece) {
        enough = enough || !take(piece);
        return !enough;
      });
  if (enough) return true;
  if (!reply) {
    fail(kExitNotReachable, printable(reply.error().message));
  } else if (reply->status != 200) {
    refused(*reply);
  } else {
    fail(kExitNotReachable, "the server ended the stream: it stops, or the token is no longer good");
  }
  return false;
}

}  // namespace spillway::cli
