#pragma once

#include "base/clock.h"
#include "http/server.h"
#include "identity/token.h"

namespace spillway::identity {

inline constexpr Micros kAccessTokenLifetime = 3600 * kSecond;

/// `POST /auth/login` for open login: any user id, no password.
void add_open_login(http::Router&, const TokenAuthority&, const Clock&);

}  // namespace spillway::identity
