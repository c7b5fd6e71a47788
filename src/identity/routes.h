#pragma once

#include <string>

#include "base/clock.h"
#include "http/router.h"
#include "identity/gate.h"
#include "identity/login_throttle.h"
#include "identity/password_pool.h"
#include "identity/service.h"
#include "identity/token.h"

namespace spillway::identity {

inline constexpr Micros kAccessTokenLifetime = 3600 * kSecond;

/// What the routes work with. All must outlive the router.
struct RouteContext {
  Service& service;
  const Gate& gate;
  const TokenAuthority& tokens;
  const RevocationView& revocations;
  PasswordPool& passwords;
  LoginThrottle& throttle;
  const Clock& clock;
  Mode mode = Mode::kNone;
  std::string oidc_issuer = {};  ///< told by /auth/methods; empty: none
};

/// POST /auth/login and /auth/logout, GET /auth/me and /auth/methods, and /admin/users. The same routes in
/// every mode; what a mode does not offer answers 404.
void add_routes(http::Router&, RouteContext);

}  // namespace spillway::identity
