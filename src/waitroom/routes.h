#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/server.h"
#include "identity/gate.h"
#include "identity/types.h"
#include "waitroom/queue_keys.h"
#include "waitroom/routes_stream.h"
#include "waitroom/service.h"

namespace spillway::waitroom {

/// The HTTP API of the waiting room, as docs/openapi.yaml describes it. All of these outlive the router.
struct RouteContext {
  Service& service;
  QueueKeys& keys;
  QueueStreams& streams;
  const identity::Gate& gate;
  const Clock& clock;
  identity::Mode identity = identity::Mode::kNone;
};

void add_routes(http::Router&, RouteContext);
/// In one word, what an operator should know of the line: OK, PAUSED, GATHERING, DRAWING or FULL.
std::string_view health(const ConcertView&, Timestamp now);

/// Where in the site somebody may be sent: an absolute path with its query and fragment, of at most
/// limits::kMaxReturnBytes, and no way to mean another site by it. Else "".
std::string_view checked_return(std::string_view path);
/// For whoever else shows tickets. The token that belongs to the view, always the same while its key is in
/// force.
std::string token_for(const QueueKeys&, const TicketView&, std::string_view user_id);
/// What is answered about a ticket. `token` may be empty: then it is not told.
http::Response ticket_response(const TicketView&, std::string_view token, Timestamp now);

/// Appends this service's part of `/metrics`.
void append_metrics(std::string& out, const Metrics&);

}  // namespace spillway::waitroom
