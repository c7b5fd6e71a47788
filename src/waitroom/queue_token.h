#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "waitroom/queue_keys.h"
#include "waitroom/types.h"

namespace spillway::waitroom {

/// What a queue token says. Nothing in it is secret.
struct QueueToken {
  TicketRef ticket;
  std::uint8_t key = 0;
  Timestamp entered_at;
  std::string user_id;
};

/// `sq1.<payload>.<mac>`, both base64url. The payload is {version 1, type 1 (queue token), key id, concert
/// (varint), arrival number (varint), entered at (microseconds, i64), user id}; the MAC the first 16 bytes of
/// HMAC-SHA256 (RFC 2104) under the key of that id over the text before the second dot. Nothing in it is
/// drawn anew, so that who asks again is given the same token. There is no algorithm to choose, hence none to
/// confuse. It is good for limits::kQueueTokenLife from entering.
std::string make_token(const QueueKey&, TicketRef, Timestamp entered_at, std::string_view user_id);

/// queue_token_invalid: malformed, forged, or of a key that is not in force. ticket_expired: too old. Touches
/// no storage.
Result<QueueToken> verify_token(const QueueKeys&, std::string_view token, Timestamp now);

/// A JSON Web Token (RFC 7515, 7519) signed with EdDSA (RFC 8037), for whoever has GET /api/v1/queue/keys:
/// `type` is its `typ`, `claims` a JSON object.
std::string make_statement(const QueueKey&, std::string_view type, std::string_view claims);
/// The keys in force as the members of a JSON Web Key Set.
std::string public_keys_json(const QueueKeys&);

}  // namespace spillway::waitroom
