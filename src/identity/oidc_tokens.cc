#include "identity/oidc_tokens.h"

#include <sodium.h>

#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/prometheus.h"

namespace spillway::identity {
namespace {

Error refused() { return {ErrorCode::kUnauthenticated, "a valid access token is needed"}; }

/// For logout. Of what is signed, not of the signature: with ES256 whoever has a token can make another good
/// signature of it (n - s for s), and must not have a second token by that. Without a key, so that it is the
/// same after our own key was changed; an aim at somebody else's would need the issuer's signature.
std::uint64_t token_id_of(std::string_view signed_text) {
  std::uint8_t hash[16];
  CHECK(crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(signed_text.data()),
                           signed_text.size(), nullptr, 0) == 0);
  std::uint64_t id = 0;
  std::memcpy(&id, hash, sizeof id);
  return id == 0 ? 1 : id;
}

}  // namespace

Result<Caller> OidcTokens::verify(std::string_view bearer, Timestamp now) const {
  if (bearer.empty() || bearer.size() > limits::kMaxOutsideTokenBytes) return refused();
  const VerifiedTokens::Key key = verified_.key_of(bearer);
  if (auto known = verified_.find(key, keys_.epoch(), now)) return std::move(*known);
  auto found = look_at(bearer, key, now);
  if (!found && found.error().code == ErrorCode::kUnauthenticated) {
    log::debug("a token of the issuer was refused", {{"why", found.error().message}});
    return refused();
  }
  return found;
}

Result<Caller> OidcTokens::look_at(std::string_view bearer, const VerifiedTokens::Key& hash,
                                   Timestamp now) const {
  const auto jwt = take_apart(bearer);
  if (!jwt) return jwt.error();
  // Before the signature, because it is the dear part; nothing of it is told or kept unless that is good.
  auto caller = read_claims(jwt->claims, rules_, now);
  if (!caller) return caller;
  const IssuerKeys::Snapshot snapshot = keys_.snapshot();
  if (snapshot.keys == nullptr) {
    return Error{ErrorCode::kIdentityUnavailable, "the issuer's keys could not be fetched yet",
                 keys_.retry_after_s()};
  }
  const VerifyingKey* key = snapshot.keys->find(jwt->key_id);
  if (key == nullptr) return unknown_key(snapshot, *caller);
  if (key->algorithm() != jwt->algorithm) return Error{ErrorCode::kUnauthenticated, "alg: not the key's"};
  if (!key->verifies(jwt->signed_text, jwt->signature)) {
    ++bad_;
    return Error{ErrorCode::kUnauthenticated, "the signature is wrong"};
  }
  ++good_;
  caller->token_id = token_id_of(jwt->signed_text);
  verified_.put(hash, snapshot.epoch, *caller);
  return caller;
}

Error OidcTokens::unknown_key(const IssuerKeys::Snapshot& snapshot, const Caller& caller) const {
  keys_.ask_for_refresh();
  // issued_at is early by the leeway; add it twice, to be late by it.
  if (caller.issued_at + 2 * limits::kOidcLeeway < snapshot.asked_at) {
    return {ErrorCode::kUnauthenticated, "kid: no such key, though the token is older than the keys"};
  }
  return {ErrorCode::kIdentityUnavailable, "the key of this token is being asked for", keys_.retry_after_s()};
}

OidcTokens::Stats OidcTokens::stats() const { return {good_, bad_, verified_.size()}; }

void append_oidc_metrics(std::string& out, const IssuerKeys::Stats& keys, const OidcTokens::Stats& tokens) {
  append_metric(out, "spillway_oidc_keys", "gauge", "Keys of the issuer that count.", keys.keys);
  append_metric(out, "spillway_oidc_keys_fetched_timestamp_seconds", "gauge",
                "When the issuer's keys were last fetched, since 1970; 0: never.",
                static_cast<double>(keys.fetched_at.us) / kSecond);
  append_metric_head(out, "spillway_oidc_key_fetches_total", "counter", "Fetches of the issuer's keys.");
  fmt::format_to(std::back_inserter(out),
                 "spillway_oidc_key_fetches_total{{result=\"ok\"}} {}\n"
                 "spillway_oidc_key_fetches_total{{result=\"failed\"}} {}\n",
                 keys.fetched, keys.failed);
  append_metric_head(out, "spillway_oidc_signatures_total", "counter",
                     "Signatures of tokens that were checked.");
  fmt::format_to(std::back_inserter(out),
                 "spillway_oidc_signatures_total{{result=\"good\"}} {}\n"
                 "spillway_oidc_signatures_total{{result=\"bad\"}} {}\n",
                 tokens.signatures_good, tokens.signatures_bad);
  append_metric(out, "spillway_oidc_tokens_remembered", "gauge",
                "Tokens whose signature need not be checked again.", tokens.remembered);
}

}  // namespace spillway::identity
