#pragma once

#include <string>

#include "base/unique_function.h"
#include "identity/routes.h"

namespace spillway::identity {

struct LoggedIn {
  std::string access_token;
  Role role = Role::kUser;
};

/// Under open login: whoever they say they are.
LoggedIn open_login(const RouteContext&, std::string_view user_id);

/// With a password: `attempt` is one that the throttle lets pass, and told how it went. invalid_credentials,
/// the same and at the same cost for an account that does not exist; and the errors of Service and
/// PasswordPool. On the thread of a base::Loop, as the reply.
void password_login(const RouteContext&, LoginThrottle::Attempt attempt, std::string user_id,
                    std::string password, UniqueFunction<void(Result<LoggedIn>)> reply);

}  // namespace spillway::identity
