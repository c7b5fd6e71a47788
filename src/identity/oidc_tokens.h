#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "identity/issuer_keys.h"
#include "identity/jwt.h"
#include "identity/outside_tokens.h"
#include "identity/verified_tokens.h"

namespace spillway::identity {

/// Access tokens of an OpenID provider: JWTs, checked against its keys. docs/adr/0010.
///
/// Operation: a token that was found good before is known by its hash; any other is taken apart, its claims
/// are checked, and then its signature, with the key and the algorithm of its key id. Errors:
/// unauthenticated, which says no more than that; identity_unavailable (503, with when to ask again) for a
/// token that only the issuer's keys could prove while we have none, and for one with an unknown key id that
/// is newer than the keys: they are being fetched. Concurrency: any thread, without waiting for the issuer.
class OidcTokens final : public OutsideTokens {
 public:
  /// `keys` must outlive this.
  OidcTokens(ClaimRules rules, IssuerKeys& keys, std::size_t max_remembered = limits::kMaxVerifiedTokens)
      : rules_(std::move(rules)), keys_(keys), verified_(max_remembered) {}

  Result<Caller> verify(std::string_view bearer, Timestamp now) const override;

  struct Stats {
    std::uint64_t signatures_good = 0;
    std::uint64_t signatures_bad = 0;
    std::size_t remembered = 0;
  };
  Stats stats() const;

 private:
  Result<Caller> look_at(std::string_view bearer, const VerifiedTokens::Key&, Timestamp now) const;
  Error unknown_key(const IssuerKeys::Snapshot&, const Caller&) const;

  const ClaimRules rules_;
  IssuerKeys& keys_;
  mutable VerifiedTokens verified_;
  mutable std::atomic<std::uint64_t> good_{0};
  mutable std::atomic<std::uint64_t> bad_{0};
};

/// Lines for /metrics, in Prometheus' text format.
void append_oidc_metrics(std::string& out, const IssuerKeys::Stats&, const OidcTokens::Stats&);

}  // namespace spillway::identity
