#include "app/route_classes.h"

#include <gtest/gtest.h>

#include <sstream>

#include "app/serve.h"

namespace spillway::app {
namespace {

using http::RouteClass;

/// Every route that there is, so that nobody adds one without looking at what limits it.
TEST(RouteClasses, EveryRouteOfTheProgram) {
  std::istringstream lines(list_routes());
  std::string method, pattern;
  std::size_t looked_at = 0;
  while (lines >> method >> pattern) {
    const bool get = method == "GET";
    const RouteClass found = route_class({get ? http::Method::kGet : http::Method::kPost, pattern});
    RouteClass expected = RouteClass::kNone;
    if (pattern.starts_with("/admin/")) expected = RouteClass::kAdmin;
    if (pattern.starts_with("/auth/"))
      expected = pattern == "/auth/login" ? RouteClass::kLogin : RouteClass::kRead;
    if (pattern == "/events/{eventId}/participations") expected = RouteClass::kParticipate;
    if (pattern == "/requests/{requestId}") expected = RouteClass::kRead;
    if (pattern == "/requests/{requestId}/stream") expected = RouteClass::kStream;
    if (pattern == "/events/{eventId}" && !get) expected = RouteClass::kLogin;
    if (pattern == "/events/{eventId}/stream") expected = RouteClass::kStream;
    // A place in line is asked for now and then, and asked after all the time; nginx asks for every request.
    if (pattern.starts_with("/api/v1/queue/")) {
      expected = pattern == "/api/v1/queue/enter"       ? RouteClass::kParticipate
                 : pattern == "/api/v1/queue/stream"    ? RouteClass::kStream
                 : pattern == "/api/v1/queue/authorize" ? RouteClass::kNone
                                                        : RouteClass::kRead;
    }
    if (pattern == "/wait/{concertId}/sign-in") expected = RouteClass::kLogin;
    if (pattern == "/wait/{concertId}/enter") expected = RouteClass::kParticipate;
    if (pattern == "/wait/{concertId}/status") expected = RouteClass::kRead;
    if (pattern == "/wait/{concertId}/stream") expected = RouteClass::kStream;
    EXPECT_EQ(name(found), name(expected)) << method << " " << pattern;
    ++looked_at;
  }
  EXPECT_GT(looked_at, 20U);
}

TEST(RouteClasses, ProbesAreNeverLimited) {
  for (const char* pattern : {"/livez", "/readyz", "/metrics", "/", "/console"}) {
    EXPECT_EQ(route_class({http::Method::kGet, pattern}), RouteClass::kNone) << pattern;
  }
}

}  // namespace
}  // namespace spillway::app
