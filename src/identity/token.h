#pragma once

#include <sodium.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace spillway::identity {

/// What a person may do. The numbers are inside tokens: never reuse one.
enum class Role : std::uint8_t { kUser = 1, kAdmin = 3 };

/// Whoever asks, as a token or the admin secret says.
struct Caller {
  std::string user_id;
  Role role = Role::kUser;
};

/// The secret that signs access tokens, 32 random bytes with a number that the tokens carry.
struct SigningKey {
  std::uint8_t id = 1;
  std::array<std::uint8_t, 32> secret{};
};

/// Reads the key from `path`, or makes one there (mode 0600, durable) when there is none.
Result<SigningKey> load_or_make_key(const std::string& path);

/// Makes and checks access tokens: `sp1.<payload>.<mac>`, both base64url.
///
/// The payload is {version 1, type 1 (access), role, key id, expiry in seconds (u32), user id}; the MAC is
/// keyed BLAKE2b (RFC 7693) of 16 bytes over the text before the second dot, under a key derived for this one
/// purpose, so a token of another kind or deployment never passes. There is no algorithm to choose, hence
/// none to confuse. docs/adr/0001. Threading: any.
class TokenAuthority {
 public:
  static constexpr std::size_t kMacBytes = 16;

  explicit TokenAuthority(const SigningKey& key);

  std::string issue(std::string_view user_id, Role role, Timestamp expires) const;
  /// unauthenticated: malformed, forged, expired, or of another kind. Says no more than that, on purpose.
  Result<Caller> verify(std::string_view token, Timestamp now) const;

 private:
  using MacBytes = std::array<unsigned char, kMacBytes>;
  MacBytes mac(std::string_view text) const;

  std::uint8_t key_id_;
  crypto_generichash_state keyed_;  ///< after the key, before any text
};

}  // namespace spillway::identity
