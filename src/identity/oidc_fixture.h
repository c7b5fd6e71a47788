#pragma once

// An OpenID issuer for tests: private keys, their public forms, and tokens signed with them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.h"
#include "base/clock.h"
#include "identity/issuer_keys.h"

struct evp_pkey_st;

namespace spillway::identity::testing {

inline constexpr std::string_view kIssuer = "https://login.example.org/realms/main";
inline constexpr std::string_view kAudience = "spillway";

/// A private key. Generated once for each (kind, number), since those of RSA take long.
class PrivateKey {
 public:
  enum class Kind { kRsa1024, kRsa2048, kP256, kP384, kEd25519 };

  static const PrivateKey& of(Kind kind, int number = 1);
  explicit PrivateKey(Kind kind);

  std::string algorithm() const;
  /// As JWS wants it.
  std::string sign(std::string_view text) const;
  /// (r, n - s) for (r, s) of ES256: as good, and made without the private key.
  static std::string other_es256(const std::string& signature);

  /// The members of the public key: `"kty":...`, without kid.
  std::string members() const;
  std::string jwk(std::string_view kid) const;
  /// A parameter of the public key, big-endian.
  std::string number(const char* name, std::size_t size = 0) const;

 private:
  bool is_rsa() const { return kind_ == Kind::kRsa1024 || kind_ == Kind::kRsa2048; }
  std::string raw_of_der(const std::string& der) const;

  Kind kind_;
  std::shared_ptr<evp_pkey_st> key_;
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
