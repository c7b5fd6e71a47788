#define OPENSSL_SUPPRESS_DEPRECATED  // of SHA256_CTX: the header says why
#include "waitroom/hmac_sha256.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/check.h"

namespace spillway::waitroom {
namespace {

constexpr unsigned char kInnerPad = 0x36, kOuterPad = 0x5c;

SHA256_CTX after(const std::array<unsigned char, 32>& key, unsigned char pad) {
  std::array<unsigned char, SHA256_CBLOCK> block;
  block.fill(pad);
  for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  SHA256_CTX state;
  CHECK(SHA256_Init(&state) == 1 && SHA256_Update(&state, block.data(), block.size()) == 1);
  OPENSSL_cleanse(block.data(), block.size());
  return state;
}

/// Of what is hashed after `state`.
HmacSha256::Mac finish(SHA256_CTX state, const void* bytes, std::size_t size) {
  HmacSha256::Mac mac;
  CHECK(SHA256_Update(&state, bytes, size) == 1 && SHA256_Final(mac.data(), &state) == 1);
  return mac;
}

}  // namespace

/// After the key, before any text.
struct HmacSha256::States {
  SHA256_CTX inner, outer;
};

HmacSha256::HmacSha256(const std::array<unsigned char, 32>& key)
    : states_(new States{after(key, kInnerPad), after(key, kOuterPad)}) {}
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;
HmacSha256::~HmacSha256() = default;

HmacSha256::Mac HmacSha256::operator()(std::string_view text) const {
  const Mac inside = finish(states_->inner, text.data(), text.size());
  return finish(states_->outer, inside.data(), inside.size());
}

}  // namespace spillway::waitroom
