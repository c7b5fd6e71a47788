#pragma once

#include <string>

#include "base/audit.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "identity/outside_tokens.h"
#include "identity/revocation_view.h"
#include "identity/token.h"

namespace spillway::identity {

inline constexpr std::size_t kMinAdminSecretBytes = 32;

/// Decides who sends a request. Shared by all http threads; see TokenAuthority for threading.
///
/// In this order: the admin secret; our own tokens; tokens of an outside issuer, when there is one; then
/// whether the token, or everything of its user, has been revoked. No storage is touched.
class Gate {
 public:
  /// `admin_secret`: a bearer secret that counts as an admin with the id kAdminTokenId; empty: none.
  /// `revocations`, `outside`: null: none. All must outlive the gate.
  Gate(const TokenAuthority& tokens, const Clock& clock, std::string admin_secret,
       const RevocationView* revocations = nullptr, const OutsideTokens* outside = nullptr)
      : tokens_(tokens),
        clock_(clock),
        admin_secret_(std::move(admin_secret)),
        revocations_(revocations),
        outside_(outside) {}

  /// unauthenticated: no token, or none that is good. rate_limited: the account has asked too often; the
  /// request is counted here.
  Result<Caller> caller(const http::Request& request) const;
  /// Whoever may read under /admin. forbidden: a good token of somebody who is neither operator nor admin.
  Result<Caller> reader(const http::Request&) const;
  /// Whoever may change things under /admin. forbidden: a good token without the role admin.
  Result<Caller> admin(const http::Request&) const;

  /// For answers that are held: how long `caller`, whom this gate has let in, may still be told things; 0
  /// when the token has expired or was revoked. Ask again every limits::kHeldTokenCheckEvery: it may be
  /// revoked sooner. Costs no check of the token itself.
  Micros remaining(const Caller& caller) const;

  /// caller(), where the request is counted later.
  Result<Caller> uncounted_caller(const http::Request&) const;
  /// caller(), for what came as a bearer token. Counts nothing.
  Result<Caller> caller_of(std::string_view bearer) const;

 private:
  Result<Caller> check(std::string_view bearer, const http::Request*) const;
  Result<Caller> ours(std::string_view bearer, Timestamp now, const http::Request*) const;
  Result<Caller> outsider(std::string_view bearer, Timestamp now) const;

  const TokenAuthority& tokens_;
  const Clock& clock_;
  std::string admin_secret_;
  const RevocationView* revocations_;
  const OutsideTokens* outside_;
};

/// Who asks, as the audit log names them.
Actor actor_of(const http::Request&, const Caller&);

}  // namespace spillway::identity
