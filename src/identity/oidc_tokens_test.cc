#include "identity/oidc_tokens.h"

#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include <atomic>
#include <thread>

#include "base/limits.h"
#include "base/manual_clock.h"
#include "identity/gate.h"
#include "identity/oidc_fixture.h"

namespace spillway::identity {
namespace {

using testing::Claims;
using testing::FakeDocuments;
using testing::header;
using testing::jwks;
using testing::Kind;
using testing::PrivateKey;
using testing::signed_with;
using testing::token;

const PrivateKey& rsa() { return PrivateKey::of(Kind::kRsa2048); }
const PrivateKey& ec() { return PrivateKey::of(Kind::kP256); }
const PrivateKey& ed() { return PrivateKey::of(Kind::kEd25519); }

std::string all_keys() { return jwks({rsa().jwk("rsa"), ec().jwk("ec"), ed().jwk("ed")}); }

std::string hmac_sha256(std::string_view secret, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EXPECT_NE(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                 reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size),
            nullptr);
  return {reinterpret_cast<const char*>(out), size};
}

class OidcTokensTest : public ::testing::Test {
 protected:
  OidcTokensTest() { publish(all_keys()); }

  void publish(std::string document) {
    documents_.serve_keys(std::move(document));
    clock_.advance(limits::kOidcRefresh);
    keys_.turn();
  }
  Claims claims(std::string_view subject = "ann") const { return Claims(clock_.wall(), subject); }
  Result<Caller> verify(std::string_view bearer) const { return tokens_.verify(bearer, clock_.wall()); }
  ErrorCode refusal(std::string_view bearer) const {
    const auto caller = verify(bearer);
    EXPECT_FALSE(caller.ok()) << bearer;
    return caller.ok() ? ErrorCode::kInternal : caller.error().code;
  }

  ManualClock clock_;
  FakeDocuments documents_;
  IssuerKeys keys_{std::string(testing::kIssuer), documents_, clock_};
  OidcTokens tokens_{
      {std::string(testing::kIssuer), std::string(testing::kAudience), "roles", {"watcher"}, {"boss"}},
      keys_,
      256};
};

TEST_F(OidcTokensTest, TakesGoodOnesOfEveryAlgorithm) {
  const struct {
    const PrivateKey& key;
    const char* kid;
  } rows[] = {{rsa(), "rsa"}, {ec(), "ec"}, {ed(), "ed"}};
  for (const auto& [key, kid] : rows) {
    const auto caller = verify(token(key, kid, claims("ann|7").set("roles", R"(["boss"])")));
    ASSERT_TRUE(caller.ok()) << kid << caller.error().message;
    EXPECT_EQ(caller->user_id, "ann~7C7");
    EXPECT_EQ(caller->role, Role::kAdmin);
    EXPECT_NE(caller->token_id, 0U);
  }
}

TEST_F(OidcTokensTest, ForgedOnesAreRefused) {
  const std::string good = token(rsa(), "rsa", claims()), text = claims().text();
  const std::string head = header(rsa(), "rsa");
  const auto hs256 = [&](std::string_view secret) {
    const std::string part = base64url(R"({"alg":"HS256","kid":"rsa"})") + "." + base64url(text);
    return part + "." + base64url(hmac_sha256(secret, part));
  };
  const auto alg = [](const char* algorithm, const char* kid) {
    return fmt::format(R"({{"alg":"{}","kid":"{}"}})", algorithm, kid);
  };
  const std::size_t dot = good.rfind('.');
  const std::string first = good.substr(0, good.find('.'));
  const struct {
    const char* why;
    std::string token;
  } rows[] = {
      {"no signature", good.substr(0, dot + 1)},
      {"alg none", base64url(R"({"alg":"none"})") + "." + base64url(text) + "."},
      {"alg none with kid and something", base64url(alg("none", "rsa")) + "." + base64url(text) + ".AAAA"},
      {"HS256 with the modulus", hs256(rsa().number("n"))},
      {"HS256 with the key's document", hs256(rsa().jwk("rsa"))},
      {"HS256 with nothing", hs256("")},
      {"ES256 said of the RSA key", signed_with(ec(), alg("ES256", "rsa"), text)},
      {"RS256 said of the EC key", signed_with(rsa(), alg("RS256", "ec"), text)},
      {"RS256 said of the Ed25519 key", signed_with(rsa(), alg("RS256", "ed"), text)},
      {"EdDSA said of the EC key", signed_with(ed(), alg("EdDSA", "ec"), text)},
      {"signed by EC, said RS256", signed_with(ec(), alg("RS256", "rsa"), text)},
      {"a good RSA signature, said ES256", signed_with(rsa(), alg("ES256", "rsa"), text)},
      {"a good EC signature, said EdDSA", signed_with(ec(), alg("EdDSA", "ec"), text)},
      {"a good Ed25519 signature, said RS256", signed_with(ed(), alg("RS256", "ed"), text)},
      {"another RSA key", token(PrivateKey::of(Kind::kRsa2048, 2), "rsa", claims())},
      {"another EC key", token(PrivateKey::of(Kind::kP256, 2), "ec", claims())},
      {"another Ed25519 key", token(PrivateKey::of(Kind::kEd25519, 2), "ed", claims())},
      {"a key of the token's own", signed_with(PrivateKey::of(Kind::kEd25519, 2),
                                               fmt::format(R"({{"alg":"EdDSA","kid":"ed","jwk":{}}})",
                                                           PrivateKey::of(Kind::kEd25519, 2).jwk("ed")),
                                               text)},
      {"other claims", first + "." + base64url(claims("ben").text()) + good.substr(dot)},
      {"more claims",
       first + "." + base64url(claims().set("roles", R"(["boss"])").text()) + good.substr(dot)},
      {"another header", base64url(alg("RS256", "rsa")) + good.substr(good.find('.'))},
      {"signature cut short", good.substr(0, good.size() - 4)},
      {"a byte more", good + "AAAA"},
      {"the signature twice", good + good.substr(dot)},
      {"signature of zeros", good.substr(0, dot + 1) + base64url(std::string(256, '\0'))},
      {"ES256 of zeros",
       base64url(alg("ES256", "ec")) + "." + base64url(text) + "." + base64url(std::string(64, '\0'))},
      {"EdDSA of zeros",
       base64url(alg("EdDSA", "ed")) + "." + base64url(text) + "." + base64url(std::string(64, '\0'))},
      {"critical", signed_with(rsa(), R"({"alg":"RS256","kid":"rsa","crit":["exp"]})", text)},
      {"kid missing", signed_with(rsa(), R"({"alg":"RS256"})", text)},
      {"expired", token(rsa(), "rsa", claims().set("exp", clock_.wall() - limits::kOidcLeeway))},
      {"another audience", token(rsa(), "rsa", claims().set("aud", "\"other\""))},
      {"another issuer", token(rsa(), "rsa", claims().set("iss", "\"https://evil.example\""))},
      {"nested", good + good},
      {"padded", good + "="},
      {"quoted", "\"" + good + "\""},
      {"a word", "token"},
      {"nothing", ""},
      {"huge", token(rsa(), "rsa", claims().set("x", "\"" + std::string(9'000, 'x') + "\""))},
  };
  ASSERT_TRUE(verify(good).ok());
  for (const auto& [why, forged] : rows) EXPECT_EQ(refusal(forged), ErrorCode::kUnauthenticated) << why;
  EXPECT_EQ(tokens_.stats().remembered, 1U) << "only what was proven";
  EXPECT_EQ(verify("token").error().message, "a valid access token is needed") << "not why";
}

TEST_F(OidcTokensTest, UnknownKeysOfOldTokensAreRefusedAndOfNewOnesAskedFor) {
  for (const char* kid : {"new", "RSA", "../rsa", "/etc/passwd", "rsa\\u0000", "' OR 1=1 --"}) {
    clock_.advance(limits::kOidcRefresh);
    keys_.turn();
    const Claims old = claims();  // a minute older than the keys
    EXPECT_EQ(refusal(signed_with(rsa(), header(rsa(), kid), old.text())), ErrorCode::kUnauthenticated)
        << kid;
    const Claims young = claims().set("iat", clock_.wall());
    const auto answer = verify(signed_with(rsa(), header(rsa(), kid), young.text()));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, ErrorCode::kIdentityUnavailable) << kid;
    EXPECT_EQ(answer.error().retry_after_s, 10) << kid;
  }
  // The key appears.
  const PrivateKey& next = PrivateKey::of(Kind::kRsa2048, 2);
  const std::string fresh = token(next, "new", claims().set("iat", clock_.wall()));
  documents_.serve_keys(jwks({rsa().jwk("rsa"), next.jwk("new")}));
  EXPECT_EQ(refusal(fresh), ErrorCode::kIdentityUnavailable);
  clock_.advance(limits::kOidcRefreshGap);
  keys_.turn();
  EXPECT_TRUE(verify(fresh).ok());
  EXPECT_TRUE(verify(token(rsa(), "rsa", claims())).ok());
}

TEST_F(OidcTokensTest, WithoutKeysOnlyWhatCouldBeGoodIsPutOff) {
  FakeDocuments nothing;
  IssuerKeys keys(std::string(testing::kIssuer), nothing, clock_);
  const OidcTokens tokens({std::string(testing::kIssuer), std::string(testing::kAudience)}, keys);
  keys.turn();
  const auto answer = tokens.verify(token(rsa(), "rsa", claims()), clock_.wall());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kIdentityUnavailable);
  EXPECT_EQ(answer.error().retry_after_s, 1);
  EXPECT_EQ(tokens.verify("token", clock_.wall()).error().code, ErrorCode::kUnauthenticated);
  const std::string other = token(rsa(), "rsa", claims().set("aud", "\"other\""));
  EXPECT_EQ(tokens.verify(other, clock_.wall()).error().code, ErrorCode::kUnauthenticated);
}

TEST_F(OidcTokensTest, ASignatureIsCheckedOnce) {
  const std::string one = token(rsa(), "rsa", claims()), two = token(rsa(), "rsa", claims("ben"));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(verify(one)->user_id, "ann");
    EXPECT_EQ(verify(two)->user_id, "ben");
  }
  EXPECT_EQ(tokens_.stats().signatures_good, 2U);
  // A key more changes nothing.
  publish(
      jwks({rsa().jwk("rsa"), ec().jwk("ec"), ed().jwk("ed"), PrivateKey::of(Kind::kP256, 2).jwk("more")}));
  const std::string three = token(rsa(), "rsa", claims("cem"));
  ASSERT_TRUE(verify(three).ok());
  publish(
      jwks({rsa().jwk("rsa"), ec().jwk("ec"), ed().jwk("ed"), PrivateKey::of(Kind::kP256, 2).jwk("more")}));
  EXPECT_EQ(tokens_.stats().signatures_good, 3U);
}

TEST_F(OidcTokensTest, WhatIsRememberedExpires) {
  const std::string one = token(rsa(), "rsa", claims());
  ASSERT_TRUE(verify(one).ok());
  clock_.advance(600 * kSecond + limits::kOidcLeeway - 1);
  EXPECT_TRUE(verify(one).ok());
  clock_.advance(1);
  EXPECT_EQ(refusal(one), ErrorCode::kUnauthenticated);
}

TEST_F(OidcTokensTest, AKeyThatGoesTakesItsTokensWithIt) {
  Claims long_lived = claims().set("exp", clock_.wall() + 7200 * kSecond);
  const std::string by_rsa = token(rsa(), "rsa", long_lived), by_ec = token(ec(), "ec", long_lived);
  ASSERT_TRUE(verify(by_rsa).ok() && verify(by_ec).ok());
  publish(jwks({ec().jwk("ec")}));
  EXPECT_EQ(refusal(by_rsa), ErrorCode::kUnauthenticated);
  EXPECT_TRUE(verify(by_ec).ok());
  publish(jwks({ec().jwk("ec"), PrivateKey::of(Kind::kRsa2048, 2).jwk("rsa")}));
  EXPECT_EQ(refusal(by_rsa), ErrorCode::kUnauthenticated) << "the same name for another key";
}

TEST_F(OidcTokensTest, AnotherSignatureOfTheSameTokenIsTheSameToken) {
  const std::string one = token(ec(), "ec", claims());
  const std::size_t dot = one.rfind('.');
  std::string signature;
  ASSERT_TRUE(base64url_decode(one.substr(dot + 1), signature));
  const std::string other = one.substr(0, dot + 1) + base64url(PrivateKey::other_es256(signature));
  ASSERT_NE(one, other);
  ASSERT_TRUE(verify(one).ok() && verify(other).ok());
  EXPECT_EQ(verify(one)->token_id, verify(other)->token_id) << "or a logout would leave the other";
  EXPECT_NE(verify(one)->token_id, verify(token(ec(), "ec", claims("ben")))->token_id);
}

TEST_F(OidcTokensTest, ASignOutHoldsWhateverTheIssuersClockSays) {
  RevocationView revocations;
  TokenAuthority ours(KeyRing{}, "oidc");
  const Gate gate(ours, clock_, "", &revocations, &tokens_);
  // Issued now, by a clock that is as far ahead as we let it be.
  const std::string ahead = token(rsa(), "rsa", claims().set("iat", clock_.wall() + limits::kOidcLeeway));
  ASSERT_TRUE(gate.caller_of(ahead).ok());
  revocations.sign_out("ann", clock_.wall());
  EXPECT_FALSE(gate.caller_of(ahead).ok());
  clock_.advance(2 * limits::kOidcLeeway + kSecond);
  EXPECT_FALSE(gate.caller_of(ahead).ok());
  EXPECT_TRUE(gate.caller_of(token(rsa(), "rsa", claims().set("iat", clock_.wall()))).ok());
}

TEST_F(OidcTokensTest, WhatIsRememberedIsBounded) {
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(verify(token(ed(), "ed", claims(std::to_string(i)))).ok());
    ASSERT_LE(tokens_.stats().remembered, 256U);
  }
  EXPECT_GT(tokens_.stats().remembered, 64U);
}

TEST_F(OidcTokensTest, WhatIsInUseIsKeptWhileOthersComeAndGo) {
  const std::string mine = token(ed(), "ed", claims("me"));
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(verify(mine).ok());
    ASSERT_TRUE(verify(token(ed(), "ed", claims(std::to_string(i)))).ok());
  }
  EXPECT_EQ(tokens_.stats().signatures_good, 1'001U);
}

TEST_F(OidcTokensTest, ManyThreadsWhileKeysChange) {
  std::vector<std::string> good;
  for (int i = 0; i < 40; ++i) good.push_back(token(ed(), "ed", claims(std::to_string(i))));
  const std::string forged = token(PrivateKey::of(Kind::kEd25519, 2), "ed", claims());
  const std::string unknown = token(ed(), "who", claims());
  const Timestamp now = clock_.wall();
  std::vector<std::thread> threads;
  std::atomic<int> running{4};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2'000; ++i) {
        const auto caller = tokens_.verify(good[static_cast<std::size_t>(i) % good.size()], now);
        EXPECT_TRUE(caller.ok());
        if (i % 50 == 0) {
          EXPECT_FALSE(tokens_.verify(forged, now).ok());
          EXPECT_FALSE(tokens_.verify(unknown, now).ok());
        }
      }
      --running;
    });
  }
  for (int i = 0; running > 0; ++i) {
    documents_.serve_keys(jwks({ed().jwk("ed"), PrivateKey::of(Kind::kP256, i % 2 + 1).jwk("other")}));
    clock_.advance(limits::kOidcRefresh);
    keys_.turn();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace spillway::identity
