#include "app/route_classes.h"

#include <string_view>

namespace spillway::app {

http::RouteClass route_class(const http::Router::Route& route) {
  using http::Method;
  using http::RouteClass;
  const std::string_view pattern = route.pattern;
  if (pattern.starts_with("/admin/")) return RouteClass::kAdmin;
  // The form of an event's page signs in as well.
  if (pattern == "/auth/login" || pattern == "/wait/{concertId}/sign-in" ||
      (route.method == Method::kPost && pattern == "/events/{eventId}")) {
    return RouteClass::kLogin;
  }
  if (pattern.starts_with("/auth/")) return RouteClass::kRead;
  if (route.method == Method::kPost && pattern == "/events/{eventId}/participations") {
    return RouteClass::kParticipate;
  }
  if (pattern == "/requests/{requestId}/stream" || pattern == "/events/{eventId}/stream" ||
      pattern == "/wait/{concertId}/stream") {
    return RouteClass::kStream;
  }
  if (pattern == "/api/v1/queue/enter" || pattern == "/wait/{concertId}/enter")
    return RouteClass::kParticipate;
  if (pattern == "/api/v1/queue/stream") return RouteClass::kStream;
  if (pattern == "/wait/{concertId}/status") return RouteClass::kRead;
  // Not nginx' question: it is asked for every request to the site behind.
  if (pattern.starts_with("/api/v1/queue/") && pattern != "/api/v1/queue/authorize") return RouteClass::kRead;
  if (route.method == Method::kGet && pattern.starts_with("/requests/")) return RouteClass::kRead;
  return RouteClass::kNone;
}

}  // namespace spillway::app
