#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "identity/token.h"

namespace spillway::identity {

inline constexpr std::size_t kMinAdminSecretBytes = 32;

/// Decides who sends a request. Shared by all http threads; see TokenAuthority for threading.
class Gate {
 public:
  /// `admin_secret`: a bearer secret that counts as an admin; empty: none.
  Gate(const TokenAuthority& tokens, const Clock& clock, std::string admin_secret)
      : tokens_(tokens), clock_(clock), admin_secret_(std::move(admin_secret)) {}

  /// unauthenticated: no token, or none that is good.
  Result<Caller> caller(const http::Request&) const;
  /// forbidden: a good token without the admin role.
  Result<Caller> admin(const http::Request&) const;

 private:
  const TokenAuthority& tokens_;
  const Clock& clock_;
  std::string admin_secret_;
};

}  // namespace spillway::identity
