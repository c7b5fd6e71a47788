// The part of oidc_fixture.h that needs OpenSSL. By its name it is of the tests, though it has none.

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "identity/oidc_fixture.h"

namespace spillway::identity::testing {
namespace {

std::string padded(const BIGNUM* value, std::size_t size) {
  std::string out(std::max(size, static_cast<std::size_t>(BN_num_bytes(value))), '\0');
  EXPECT_GE(BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())),
            0);
  return out;
}

EVP_PKEY* generate(PrivateKey::Kind kind) {
  switch (kind) {
    case Kind::kRsa1024:
      return EVP_RSA_gen(1024U);
    case Kind::kRsa2048:
      return EVP_RSA_gen(2048U);
    case Kind::kP256:
      return EVP_EC_gen("P-256");
    case Kind::kP384:
      return EVP_EC_gen("P-384");
    case Kind::kEd25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }
  return nullptr;
}

}  // namespace

const PrivateKey& PrivateKey::of(Kind kind, int number) {
  static std::map<std::pair<Kind, int>, PrivateKey> keys;
  return keys.try_emplace({kind, number}, kind).first->second;
}

PrivateKey::PrivateKey(Kind kind) : kind_(kind), key_(generate(kind), EVP_PKEY_free) {
  EXPECT_NE(key_, nullptr);
}

std::string PrivateKey::algorithm() const {
  return kind_ == Kind::kEd25519 ? "EdDSA" : is_rsa() ? "RS256" : kind_ == Kind::kP256 ? "ES256" : "ES384";
}

std::string PrivateKey::sign(std::string_view text) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const char* digest = kind_ == Kind::kEd25519 ? nullptr : "SHA256";
  EXPECT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key_.get(), nullptr), 1);
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()), 1);
  std::string out(size, '\0');
  auto* into = reinterpret_cast<unsigned char*>(out.data());
  EXPECT_EQ(EVP_DigestSign(context.get(), into, &size, bytes, text.size()), 1);
  out.resize(size);
  return is_rsa() || kind_ == Kind::kEd25519 ? out : raw_of_der(out);
}

std::string PrivateKey::other_es256(const std::string& signature) {
  BIGNUM* order = nullptr;
  BN_hex2bn(&order, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
  BIGNUM* s = BN_bin2bn(reinterpret_cast<const unsigned char*>(signature.data()) + 32, 32, nullptr);
  EXPECT_EQ(BN_sub(s, order, s), 1);
  std::string out = signature.substr(0, 32) + padded(s, 32);
  BN_free(order);
  BN_free(s);
  return out;
}

std::string PrivateKey::members() const {
  if (is_rsa()) {
    return fmt::format(R"("kty":"RSA","n":"{}","e":"{}")", base64url(number("n")), base64url(number("e")));
  }
  if (kind_ == Kind::kEd25519) {
    std::string raw(32, '\0');
    std::size_t size = raw.size();
    auto* into = reinterpret_cast<unsigned char*>(raw.data());
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_.get(), into, &size), 1);
    return fmt::format(R"("kty":"OKP","crv":"Ed25519","x":"{}")", base64url(raw));
  }
  const std::size_t size = kind_ == Kind::kP256 ? 32 : 48;
  return fmt::format(R"("kty":"EC","crv":"P-{}","x":"{}","y":"{}")", size * 8,
                     base64url(number(OSSL_PKEY_PARAM_EC_PUB_X, size)),
                     base64url(number(OSSL_PKEY_PARAM_EC_PUB_Y, size)));
}

std::string PrivateKey::jwk(std::string_view kid) const {
  return fmt::format(R"({{"kid":"{}",{}}})", kid, members());
}

std::string PrivateKey::number(const char* name, std::size_t size) const {
  BIGNUM* value = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key_.get(), name, &value), 1);
  std::string out = padded(value, size);
  BN_free(value);
  return out;
}

std::string PrivateKey::raw_of_der(const std::string& der) const {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* both = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  const std::size_t size = kind_ == Kind::kP256 ? 32 : 48;
  std::string out = padded(ECDSA_SIG_get0_r(both), size) + padded(ECDSA_SIG_get0_s(both), size);
  ECDSA_SIG_free(both);
  return out;
}

}  // namespace spillway::identity::testing
