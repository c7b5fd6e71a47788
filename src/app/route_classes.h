#pragma once

#include "http/router.h"

namespace spillway::app {

/// Which limits hold for a route. One table for all services, by pattern, so that a new route under /admin or
/// /auth is limited without a thought; probes, metrics, pages and what is not named are kNone.
http::RouteClass route_class(const http::Router::Route&);

}  // namespace spillway::app
