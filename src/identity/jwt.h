#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "identity/jwks.h"
#include "identity/types.h"

namespace spillway::identity {

/// What a deployment asks of outside tokens, and which of their values are roles of ours.
struct ClaimRules {
  std::string issuer;                ///< `iss`, byte for byte
  std::string audience;              ///< must be, or be among, `aud`
  std::string role_claim = "roles";  ///< a member, or a path of members with dots ("realm_access.roles")
  std::vector<std::string> operators = {};  ///< values of that claim that make an operator
  std::vector<std::string> admins = {};
};

/// A signed JWT (RFC 7519, in JWS's compact form) taken apart. Nothing of it is proven.
struct Jwt {
  JwsAlgorithm algorithm = JwsAlgorithm::kRs256;
  std::string key_id;
  std::string claims;            ///< JSON, as it came
  std::string_view signed_text;  ///< in the token
  std::string signature;
};

// Both answer `unauthenticated`, with a message that says why: for logs and tests, not for who sent the
// token.

/// Refuses what is longer than limits::kMaxOutsideTokenBytes, not the one canonical spelling, of another
/// algorithm or kind (`typ`), without a key id, or with critical extensions: we know none.
Result<Jwt> take_apart(std::string_view token);

/// Who the claims are about. `iss`, `sub`, `aud`, `exp`, `nbf` and `iat` are checked with
/// limits::kOidcLeeway. The caller's times have that leeway in them: issued_at is as early as it can have
/// been by our clock, so that a sign-out holds, and expires is when we take the token no longer. token_id is
/// 0.
Result<Caller> read_claims(std::string_view claims, const ClaimRules&, Timestamp now);

/// A subject as a user id: letters, digits, `.`, `_` and `-` stay, and every other byte becomes `~` and its
/// two hexadecimal digits. What would be longer than a user id may be becomes `~~` and the SHA-256 of the
/// subject in base64url. No two subjects become one.
std::string user_id_of(std::string_view subject);

}  // namespace spillway::identity
