#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "identity/types.h"

namespace spillway::identity {

/// Tokens that somebody else has made, as an OpenID provider.
///
/// verify() runs on any http thread and must not block. It answers with user_id, role, issued_at and expires
/// all set, or with `unauthenticated`; whether the token has been revoked here is the Gate's to look at, and
/// so is token_id when it is left 0. The Gate takes no token that is older than limits::kMaxTokenAge,
/// whatever its `expires`, because revocations are not remembered for longer.
class OutsideTokens {
 public:
  virtual ~OutsideTokens() = default;
  virtual Result<Caller> verify(std::string_view bearer, Timestamp now) const = 0;
};

}  // namespace spillway::identity
