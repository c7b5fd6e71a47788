#include "waitroom/queue_token.h"

#include <fmt/core.h>

#include <cstring>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/json_writer.h"
#include "base/limits.h"

namespace spillway::waitroom {
namespace {

constexpr std::string_view kPrefix = "sq1.";
constexpr std::uint8_t kPayloadVersion = 1;
constexpr std::uint8_t kQueueToken = 1;
constexpr std::size_t kKeyIdAt = 2;  // in the payload
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kMacChars = 22;

std::string_view text_of(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Error refused() { return {ErrorCode::kQueueTokenInvalid, "X-Queue-Token must be one that this server gave"}; }

}  // namespace

std::string make_token(const QueueKey& key, TicketRef ticket, Timestamp entered_at,
                       std::string_view user_id) {
  thread_local std::string payload;  // reused: no allocation for it
  payload.clear();
  ByteWriter out(payload);
  out.u8(kPayloadVersion);
  out.u8(kQueueToken);
  out.u8(key.id);
  out.varint(ticket.concert);
  out.varint(ticket.number);
  out.i64(entered_at.us);
  payload.append(user_id);
  std::string token;
  token.reserve(kPrefix.size() + payload.size() * 4 / 3 + 4 + kMacChars);
  token += kPrefix;
  append_base64url(token, payload);
  const HmacSha256::Mac signature = key.mac(token);
  token += '.';
  append_base64url(token, text_of(signature.data(), kMacBytes));
  return token;
}

Result<QueueToken> verify_token(const QueueKeys& keys, std::string_view token, Timestamp now) {
  if (token.size() > limits::kMaxQueueTokenBytes || token.size() < kPrefix.size() + 1 + kMacChars) {
    return refused();
  }
  const std::size_t dot = token.size() - kMacChars - 1;
  if (!token.starts_with(kPrefix) || token[dot] != '.') return refused();
  thread_local std::string bytes, given;  // reused: no allocation for a check
  if (!base64url_decode(token.substr(kPrefix.size(), dot - kPrefix.size()), bytes) ||
      bytes.size() <= kKeyIdAt || !base64url_decode(token.substr(dot + 1), given) ||
      given.size() != kMacBytes) {
    return refused();
  }
  // Of what is not proven yet, only which key is to prove it.
  const QueueKey* key = keys.find(static_cast<std::uint8_t>(bytes[kKeyIdAt]));
  if (key == nullptr) return refused();
  const HmacSha256::Mac expected = key->mac(token.substr(0, dot));
  if (sodium_memcmp(given.data(), expected.data(), kMacBytes) != 0) return refused();

  ByteReader in(bytes);
  const auto version = in.u8();
  const auto type = in.u8();
  QueueToken found;
  found.key = in.u8();
  const std::uint64_t concert = in.varint(), number = in.varint();
  found.entered_at = {in.i64()};
  if (!in.ok() || version != kPayloadVersion || type != kQueueToken || concert > UINT32_MAX ||
      number > UINT32_MAX) {
    return refused();
  }
  found.ticket = {static_cast<std::uint32_t>(concert), static_cast<std::uint32_t>(number)};
  found.user_id = bytes.substr(bytes.size() - in.left());
  if (found.entered_at + limits::kQueueTokenLife <= now) {
    return Error{ErrorCode::kTicketExpired, fmt::format("{}: this token is too old", name(Expiry::kTooOld))};
  }
  return found;
}

std::string make_statement(const QueueKey& key, std::string_view type, std::string_view claims) {
  std::string header;
  JsonWriter(header)
      .open_object()
      .member("alg", "EdDSA")
      .member("typ", type)
      .member("kid", key.name())
      .close_object();
  std::string text = base64url(header) + '.';
  append_base64url(text, claims);
  std::array<unsigned char, crypto_sign_ed25519_BYTES> signature;
  CHECK(crypto_sign_ed25519_detached(signature.data(), nullptr, bytes_of(text), text.size(),
                                     key.private_key.data()) == 0);
  append_base64url(text += '.', text_of(signature.data(), signature.size()));
  return text;
}

std::string public_keys_json(const QueueKeys& keys) {
  std::string out;
  JsonWriter json(out);
  json.open_array();
  for (const QueueKey* key : keys.all()) {
    json.open_object().member("kty", "OKP").member("crv", "Ed25519").member("kid", key->name());
    json.member("use", "sig").member("alg", "EdDSA");
    json.member("x", base64url(text_of(key->public_key.data(), key->public_key.size())));
    json.close_object();
  }
  json.close_array();
  return out;
}

}  // namespace spillway::waitroom
