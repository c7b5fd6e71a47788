#include "waitroom/hmac_sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace spillway::waitroom {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr unsigned char kInnerPad = 0x36, kOuterPad = 0x5c;

}  // namespace

void HmacSha256::Free::operator()(evp_md_ctx_st* digest) const { EVP_MD_CTX_free(digest); }

HmacSha256::Digest HmacSha256::after(const std::array<unsigned char, 32>& key, unsigned char pad) {
  std::array<unsigned char, kBlockBytes> block;
  block.fill(pad);
  for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  Digest digest(EVP_MD_CTX_new());
  CHECK(digest != nullptr && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1 &&
        EVP_DigestUpdate(digest.get(), block.data(), block.size()) == 1);
  OPENSSL_cleanse(block.data(), block.size());
  return digest;
}

HmacSha256::HmacSha256(const std::array<unsigned char, 32>& key)
    : inner_(after(key, kInnerPad)), outer_(after(key, kOuterPad)) {}

HmacSha256::Mac HmacSha256::operator()(std::string_view text) const {
  thread_local const Digest digest(EVP_MD_CTX_new());
  Mac mac;
  CHECK(digest != nullptr && EVP_MD_CTX_copy_ex(digest.get(), inner_.get()) == 1 &&
        EVP_DigestUpdate(digest.get(), text.data(), text.size()) == 1 &&
        EVP_DigestFinal_ex(digest.get(), mac.data(), nullptr) == 1);
  CHECK(EVP_MD_CTX_copy_ex(digest.get(), outer_.get()) == 1 &&
        EVP_DigestUpdate(digest.get(), mac.data(), mac.size()) == 1 &&
        EVP_DigestFinal_ex(digest.get(), mac.data(), nullptr) == 1);
  return mac;
}

}  // namespace spillway::waitroom
