#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace spillway::identity {

/// What outside tokens may be signed with. Nothing symmetric, and no "none", on purpose.
enum class JwsAlgorithm : std::uint8_t { kRs256, kEs256, kEdDsa };
/// "RS256", "ES256", "EdDSA", as a token's header names them.
std::string_view name(JwsAlgorithm);
std::optional<JwsAlgorithm> parse_jws_algorithm(std::string_view);

/// One public key of an issuer. It checks signatures of the one algorithm that its own kind, not the token,
/// decides: RSA of 2048 to 8192 bits RS256, P-256 ES256, Ed25519 EdDSA. Immutable; any thread.
class VerifyingKey {
 public:
  VerifyingKey(std::string key_id, JwsAlgorithm algorithm, std::shared_ptr<evp_pkey_st> key)
      : key_id_(std::move(key_id)), algorithm_(algorithm), key_(std::move(key)) {}

  const std::string& key_id() const { return key_id_; }
  JwsAlgorithm algorithm() const { return algorithm_; }
  /// `signature` as JWS has it (RFC 7518, 3.4: r and s of 32 bytes each for ES256).
  bool verifies(std::string_view signed_text, std::string_view signature) const;
  bool is_same(const VerifyingKey& other) const;

 private:
  std::string key_id_;
  JwsAlgorithm algorithm_;
  std::shared_ptr<evp_pkey_st> key_;
};

/// The keys that an issuer signs with at a time. Immutable; any thread.
class KeySet {
 public:
  /// A JSON Web Key Set (RFC 7517). Keys that are not for us (encryption, another algorithm, symmetric, too
  /// small, without an id) are passed over. invalid_argument: larger than the limits, not such a set, two
  /// keys of one id, or none that we can use.
  static Result<KeySet> parse(std::string_view jwks);

  /// Null: no such key. Any text may be asked for.
  const VerifyingKey* find(std::string_view key_id) const;
  std::size_t size() const { return keys_.size(); }
  std::size_t passed_over() const { return passed_over_; }
  /// Whether every key of `other` is here too.
  bool has_all_of(const KeySet& other) const;

 private:
  std::vector<VerifyingKey> keys_;
  std::size_t passed_over_ = 0;
};

}  // namespace spillway::identity
