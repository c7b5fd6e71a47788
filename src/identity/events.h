#pragma once

// What can happen to identity: the only things that change a Machine, and what the journal keeps. This is a
// durable format: a type's number is never reused, a field's meaning never changed; what must change gets a
// new number or a greater version, and old ones stay readable.
//
// Layout of a payload (base/bytes.h: integers little-endian; `varint` LEB128; `str` a varint length and the
// bytes; `time` 8 bytes, microseconds since 1970, signed):
//   1 UserPut       time at, str user, u8 role, u8 disabled (0 or 1), str password hash (empty: as it was)
//   2 LoggedIn      time at, str user
//   3 SignedOut     time at, str user, time valid from
//   4 TokenRevoked  time at, u64 token, time until
//   5 Forgotten     time at, varint tokens, varint users

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "identity/types.h"

namespace spillway::identity {

inline constexpr std::uint8_t kVersion = 1;

/// An account was made or changed; these are its values now.
struct UserPut {
  Timestamp at;
  std::string_view user_id;
  Role role = Role::kUser;
  bool disabled = false;
  std::string_view password_hash;  ///< empty: as it was
};
/// With a password. A commit each: comparing the password has cost a hundred times as much.
struct LoggedIn {
  Timestamp at;
  std::string_view user_id;
};
/// Tokens of this user that were issued at `valid_from` or before are refused.
struct SignedOut {
  Timestamp at;
  std::string_view user_id;
  Timestamp valid_from;
};
/// One token is refused. It ends by itself at `until`.
struct TokenRevoked {
  Timestamp at;
  std::uint64_t token_id = 0;
  Timestamp until;
};
/// The first `tokens` revocations by (until, token) and the first `users` sign-outs by (valid from, user) are
/// of no use any more. Counts, not times, so that a change of a limit never changes what an old record means.
struct Forgotten {
  Timestamp at;
  std::uint64_t tokens = 0;
  std::uint64_t users = 0;
};

using Event = std::variant<UserPut, LoggedIn, SignedOut, TokenRevoked, Forgotten>;
using Events = std::vector<Event>;

std::uint8_t type(const Event&);
/// Appends the payload.
void encode(const Event&, std::string& out);
/// The event's texts point into `payload`.
Result<Event> decode(std::uint8_t type, std::uint8_t version, std::string_view payload);

}  // namespace spillway::identity
