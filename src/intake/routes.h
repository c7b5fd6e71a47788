#pragma once

#include <functional>

#include "http/server.h"
#include "identity/gate.h"
#include "intake/service.h"

namespace spillway::intake {

/// The HTTP API of intake, as docs/openapi.yaml describes it. All of these outlive the router.
struct RouteContext {
  Service& service;
  const identity::Gate& gate;
  std::size_t workers = 0;     ///< of this deployment, running or paused
  bool has_http_work = false;  ///< events may ask for it
  /// Whether an event may name this webhook; errors are invalid_argument and name the member.
  std::function<Status(const Webhook&)> check_webhook;
};

void add_routes(http::Router&, RouteContext);
/// Appends this service's part of `/metrics`.
void append_metrics(std::string& out, const Metrics&);

}  // namespace spillway::intake
