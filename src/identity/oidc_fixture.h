#pragma once

// An OpenID issuer for tests: private keys, their public forms, and tokens signed with them.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/clock.h"
#include "identity/issuer_keys.h"

namespace spillway::identity::testing {

inline constexpr std::string_view kIssuer = "https://login.example.org/realms/main";
inline constexpr std::string_view kAudience = "spillway";

/// A private key. Generated once for each (kind, number), since those of RSA take long.
class PrivateKey {
 public:
  enum class Kind { kRsa1024, kRsa2048, kP256, kP384, kEd25519 };

  static const PrivateKey& of(Kind kind, int number = 1) {
    static std::map<std::pair<Kind, int>, PrivateKey> keys;
    return keys.try_emplace({kind, number}, kind).first->second;
  }

  explicit PrivateKey(Kind kind) : kind_(kind) {
    EVP_PKEY* key = nullptr;
    switch (kind) {
      case Kind::kRsa1024:
        key = EVP_RSA_gen(1024U);
        break;
      case Kind::kRsa2048:
        key = EVP_RSA_gen(2048U);
        break;
      case Kind::kP256:
        key = EVP_EC_gen("P-256");
        break;
      case Kind::kP384:
        key = EVP_EC_gen("P-384");
        break;
      case Kind::kEd25519:
        key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }
    EXPECT_NE(key, nullptr);
    key_.reset(key, EVP_PKEY_free);
  }

  std::string algorithm() const {
    return kind_ == Kind::kEd25519 ? "EdDSA" : is_rsa() ? "RS256" : kind_ == Kind::kP256 ? "ES256" : "ES384";
  }

  /// As JWS wants it.
  std::string sign(std::string_view text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    const char* digest = kind_ == Kind::kEd25519 ? nullptr : "SHA256";
    EXPECT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key_.get(), nullptr),
              1);
    std::size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()), 1);
    std::string out(size, '\0');
    EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes,
                             text.size()),
              1);
    out.resize(size);
    return is_rsa() || kind_ == Kind::kEd25519 ? out : raw_of_der(out);
  }

  /// The same for (r, n - s): as good as (r, s), and made without the private key.
  static std::string other_es256(const std::string& signature) {
    BIGNUM* order = nullptr;
    BN_hex2bn(&order, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    BIGNUM* s = BN_bin2bn(reinterpret_cast<const unsigned char*>(signature.data()) + 32, 32, nullptr);
    EXPECT_EQ(BN_sub(s, order, s), 1);
    std::string out = signature.substr(0, 32) + padded(s, 32);
    BN_free(order);
    BN_free(s);
    return out;
  }

  /// The members of the public key: `"kty":...`, without kid.
  std::string members() const {
    if (is_rsa()) {
      return fmt::format(R"("kty":"RSA","n":"{}","e":"{}")", base64url(number("n")), base64url(number("e")));
    }
    if (kind_ == Kind::kEd25519) {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size),
                1);
      return fmt::format(R"("kty":"OKP","crv":"Ed25519","x":"{}")", base64url(raw));
    }
    const std::size_t size = kind_ == Kind::kP256 ? 32 : 48;
    return fmt::format(R"("kty":"EC","crv":"P-{}","x":"{}","y":"{}")", size * 8,
                       base64url(number(OSSL_PKEY_PARAM_EC_PUB_X, size)),
                       base64url(number(OSSL_PKEY_PARAM_EC_PUB_Y, size)));
  }
  std::string jwk(std::string_view kid) const { return fmt::format(R"({{"kid":"{}",{}}})", kid, members()); }

  /// A parameter of the public key, big-endian.
  std::string number(const char* name, std::size_t size = 0) const {
    BIGNUM* value = nullptr;
    EXPECT_EQ(EVP_PKEY_get_bn_param(key_.get(), name, &value), 1);
    std::string out = padded(value, size);
    BN_free(value);
    return out;
  }

 private:
  bool is_rsa() const { return kind_ == Kind::kRsa1024 || kind_ == Kind::kRsa2048; }
  static std::string padded(const BIGNUM* value, std::size_t size) {
    std::string out(std::max(size, static_cast<std::size_t>(BN_num_bytes(value))), '\0');
    EXPECT_GE(BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())),
              0);
    return out;
  }
  std::string raw_of_der(const std::string& der) const {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* both = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    const std::size_t size = kind_ == Kind::kP256 ? 32 : 48;
    std::string out = padded(ECDSA_SIG_get0_r(both), size) + padded(ECDSA_SIG_get0_s(both), size);
    ECDSA_SIG_free(both);
    return out;
  }

  Kind kind_;
  std::shared_ptr<EVP_PKEY> key_;
};

using Kind = PrivateKey::Kind;

inline std::string jwks(const std::vector<std::string>& keys) {
  return fmt::format(R"({{"keys":[{}]}})", fmt::join(keys, ","));
}

/// A token of these two texts, whatever they are.
inline std::string signed_with(const PrivateKey& key, std::string_view header, std::string_view claims) {
  const std::string text = base64url(header) + "." + base64url(claims);
  return text + "." + base64url(key.sign(text));
}

/// Claims of a good token, member by member as JSON, so that each can be replaced; "" takes one out.
class Claims {
 public:
  explicit Claims(Timestamp now, std::string_view subject = "ann") {
    set("iss", fmt::format("\"{}\"", kIssuer)).set("aud", fmt::format("\"{}\"", kAudience));
    set("sub", fmt::format("\"{}\"", subject));
    set("iat", now - 60 * kSecond).set("exp", now + 600 * kSecond);
  }
  Claims& set(const std::string& name, const std::string& json) {
    members_[name] = json;
    return *this;
  }
  Claims& set(const std::string& name, Timestamp time) {
    return set(name, std::to_string(time.us / kSecond));
  }
  std::string text() const {
    std::string out;
    for (const auto& [name, json] : members_) {
      if (!json.empty()) out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", name, json);
    }
    return "{" + out + "}";
  }

 private:
  std::map<std::string, std::string> members_;
};

inline std::string header(const PrivateKey& key, std::string_view kid) {
  return fmt::format(R"({{"alg":"{}","typ":"at+jwt","kid":"{}"}})", key.algorithm(), kid);
}
inline std::string token(const PrivateKey& key, std::string_view kid, const Claims& claims) {
  return signed_with(key, header(key, kid), claims.text());
}

/// Documents by URL; what is not there fails.
class FakeDocuments final : public DocumentSource {
 public:
  FakeDocuments() {
    serve_discovery(fmt::format(R"({{"issuer":"{}","jwks_uri":"{}/keys"}})", kIssuer, kIssuer));
  }

  Result<std::string> get(const std::string& url, std::size_t) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(url);
    const auto it = documents_.find(url);
    if (cancelled_ || it == documents_.end()) return Error{ErrorCode::kInternal, url + ": refused"};
    return it->second;
  }
  void cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }

  void serve(const std::string& url, std::string document) {
    const std::lock_guard lock(mutex_);
    documents_[url] = std::move(document);
  }
  void serve_discovery(std::string document) {
    serve(std::string(kIssuer) + "/.well-known/openid-configuration", std::move(document));
  }
  void serve_keys(std::string document) { serve(std::string(kIssuer) + "/keys", std::move(document)); }
  void serve_nothing() {
    const std::lock_guard lock(mutex_);
    documents_.clear();
  }
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> documents_;
  std::vector<std::string> asked_;
  bool cancelled_ = false;
};

}  // namespace spillway::identity::testing
