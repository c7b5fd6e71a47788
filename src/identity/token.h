#pragma once

#include <sodium.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "identity/types.h"

namespace spillway::identity {

/// The secret that signs access tokens, 32 random bytes with a number that the tokens carry.
struct SigningKey {
  std::uint8_t id = 1;
  std::array<std::uint8_t, 32> secret{};
};

/// The key that signs, and the one before it, whose tokens still count while its file is there.
struct KeyRing {
  SigningKey current;
  std::optional<SigningKey> previous;
};

/// Reads `directory`/access-token.key, or makes one there (mode 0600, durable) when there is none, and
/// access-token.previous.key when it is there. To change the key, move the first to the name of the second
/// and start again: the new one gets the next number.
Result<KeyRing> load_or_make_keys(const std::string& directory);

/// Makes and checks access tokens: `sp2.<payload>.<mac>`, both base64url.
///
/// The payload is {version 2, type 1 (access), role, key id, expiry in seconds (u32), issued at in
/// microseconds (i64), token id (u64, random), user id}; the MAC is BLAKE2b (RFC 7693) with 16 bytes over a
/// key derived for this one purpose and realm and the text before the second dot, so a token of another kind,
/// deployment or way to log in never passes. There is no algorithm to choose, hence none to confuse.
/// docs/adr/0001. Threading: any.
class TokenAuthority {
 public:
  static constexpr std::size_t kMacBytes = 16;

  /// `realm`: how people log in ("open", "users"): a token that anybody could have had under open login is
  /// worth nothing once passwords are asked for.
  TokenAuthority(const KeyRing& keys, std::string_view realm);

  std::string issue(std::string_view user_id, Role role, Timestamp issued_at, Timestamp expires) const;
  /// unauthenticated: malformed, forged, expired, or of another kind. Says no more than that, on purpose.
  Result<Caller> verify(std::string_view token, Timestamp now) const;
  /// A token's parts, of which nothing is proven yet. They are views of the token and of memory that the next
  /// open() on this thread uses again.
  struct Opened {
    std::string_view signed_text;
    std::string_view payload;
    std::string_view mac;
    std::string_view user_id;
  };
  /// verify() in two steps, for who can use the time of the proof. Nothing: malformed.
  static std::optional<Opened> open(std::string_view token);
  Result<Caller> prove(const Opened&, Timestamp now) const;
  /// Whether `token` claims to be one of ours, good or not.
  static bool is_ours(std::string_view token);
  /// A number for a token that is not ours, that nobody can aim at: for its revocation.
  std::uint64_t fingerprint(std::string_view token) const;

 private:
  using MacBytes = std::array<unsigned char, kMacBytes>;
  struct Key {
    std::uint8_t id = 0;
    crypto_generichash_state keyed;  ///< after the key, before any text
  };
  static Key derive(const SigningKey&, std::string_view realm);
  static MacBytes mac(const Key&, std::string_view text);
  const Key* find(std::uint8_t id) const;

  Key current_;
  std::optional<Key> previous_;
};

}  // namespace spillway::identity
