#pragma once

#include "http/router.h"
#include "identity/routes.h"
#include "waitroom/routes.h"

namespace spillway::app {

/// What the page works with. All must outlive the router.
struct WaitPageContext {
  waitroom::RouteContext waitroom;
  identity::RouteContext identity;
  bool tls = false;  ///< whether this server speaks TLS itself
};

/// What people see while they wait, server-rendered, in English and Korean:
///
///   GET  /wait/{concertId}           the page; ?return=/path: where to go when it is their turn, in this
///   server
///                                    alone (default: /)
///   POST /wait/{concertId}/enter     takes a place; the same one again as long as it is not gone
///   POST /wait/{concertId}/sign-in   under identity users: signs in, then as enter
///   POST /wait/{concertId}/activate  goes in: READY becomes ACTIVE; 303 to `return` if that was given, else
///   to
///                                    the page
///   POST /wait/{concertId}/leave     gives the place up
///   GET  /wait/{concertId}/status, /stream   for the script: as /api/v1/queue/status and stream, of the
///                                    page's own ticket
///   GET  /wait/-/page.css, page.js   its style and script
///
/// So all that the page asks for is under /wait/; before a lottery it has a link to /api/v1/queue/lottery/ as
/// well.
///
/// The token of a place stands in the cookie `queue_token` of the page's own path, so that one browser may be
/// in several lines. Whoever is let in has it for Path=/ as well: that is what nginx' auth_request shows to
/// /api/v1/queue/authorize. No script sees it. Under open login whoever comes first is given a random id, in
/// the cookie `spillway_visitor` of Path=/wait: it keeps one place for reloads, tabs and double clicks. Under
/// users, who somebody is stands in `spillway_session` of Path=/wait, as on the page of an event. Under oidc
/// and none a site's own backend takes the place, and sets `queue_token`; the page shows it. All cookies are
/// HttpOnly, SameSite=Lax, and Secure when the browser came by TLS. Against forged forms: page_visit.h.
void add_wait_page(http::Router&, WaitPageContext);

}  // namespace spillway::app
