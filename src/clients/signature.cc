#include "clients/signature.h"

#include <fmt/core.h>
#include <sodium.h>

#include "base/check.h"

namespace spillway::clients {
namespace {

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string signature_v1(std::string_view secret, std::int64_t timestamp_s, std::string_view body) {
  CHECK(sodium_init() >= 0);
  const std::string head = fmt::format("{}.", timestamp_s);
  crypto_auth_hmacsha256_state state;
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_init(&state, bytes_of(secret), secret.size());
  crypto_auth_hmacsha256_update(&state, bytes_of(head), head.size());
  crypto_auth_hmacsha256_update(&state, bytes_of(body), body.size());
  crypto_auth_hmacsha256_final(&state, mac);
  sodium_memzero(&state, sizeof state);
  return "v1=" + hex(mac, sizeof mac);
}

std::string trace_parent(std::string_view subject, std::uint64_t n) {
  CHECK(sodium_init() >= 0);
  unsigned char trace[16], parent[crypto_generichash_BYTES_MIN];
  static_assert(sizeof trace >= crypto_generichash_BYTES_MIN && sizeof parent >= 8);
  const std::string call = fmt::format("{} {}", subject, n);
  CHECK(crypto_generichash(trace, sizeof trace, bytes_of(subject), subject.size(), nullptr, 0) == 0);
  CHECK(crypto_generichash(parent, sizeof parent, bytes_of(call), call.size(), nullptr, 0) == 0);
  return fmt::format("00-{}-{}-01", hex(trace, sizeof trace), hex(parent, 8));
}

}  // namespace spillway::clients
