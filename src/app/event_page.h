#pragma once

#include "http/router.h"
#include "identity/routes.h"
#include "intake/service.h"

namespace spillway::app {

/// What the page works with. All must outlive the router.
struct EventPageContext {
  intake::Service& intake;
  identity::RouteContext identity;
  bool tls = false;             ///< whether this server speaks TLS itself
  bool suggests_names = false;  ///< whether people who just look around are given a name: the demonstration
};

/// A person's page of an event, server-rendered, in English and Korean:
///
///   GET  /events/{eventId}         the event; the form, or the answer
///   POST /events/{eventId}         the form: logs in if needed, takes part; 303 back to the page
///   POST /events/{eventId}/leave   logs out: the token is refused from now on; 303 back to the page
///   GET  /events/{eventId}/stream  server-sent events: `page` with the page as it is then, at once, at each
///                                  change of status and from time to time for the place in the line; ends
///                                  when the request is final
///   GET  /event-page.css, .js      its style, and a script that shows all this without loading the page anew
///
/// Who somebody is stands in the cookie `spillway_session`: the access token, HttpOnly, SameSite=Lax,
/// Path=/events, Secure when the browser came by TLS, as long-lived as the token. Their request is found by
/// who they are. Against forged forms: page_visit.h.
void add_event_page(http::Router&, EventPageContext);

}  // namespace spillway::app
