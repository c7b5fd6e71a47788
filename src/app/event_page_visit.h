#pragma once

// Private to event_page*.cc.

#include <memory>
#include <optional>
#include <string>

#include "app/event_page.h"
#include "app/event_page_html.h"

namespace spillway::app {

inline constexpr int kTryAgainSeconds = 2;

/// One request of a browser on its way to its answer.
struct Visit {
  explicit Visit(http::Exchange e) : exchange(std::move(e)) {}

  http::Exchange exchange;
  EventPageView view;
  int status = 200;
  std::optional<http::Header> set_cookie;
  bool secure_cookies = false;
  std::string address;
  identity::Caller caller;  ///< of whoever is signed in

  // POST
  std::string password;
  bool only_sign_in = false;
};
using VisitPtr = std::unique_ptr<Visit>;

/// Who comes, to which event, and in which language.
VisitPtr arrive(const EventPageContext&, const http::Request&, http::Exchange);
/// Whether a POST is a form of ours, and not one that another site has sent.
bool is_form_of_ours(const http::Request&);

/// With what goes with every answer here.
void reply(Visit&, http::Response);
void reply_html(Visit&, std::string html);
/// To the page, by GET: so that a reload does not send the form again.
void reply_see_page(Visit&);
void reply_missing(Visit&);

void note(Visit&, Notice, int status, int retry_after_s = 0);
/// What went wrong, in the words of the page.
void note_error(Visit&, const Error&);

/// Lets the browser keep the access token; an empty one takes the cookie away.
void set_session(Visit&, std::string_view token);

}  // namespace spillway::app
