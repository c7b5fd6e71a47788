#include "identity/jwks.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "base/limits.h"
#include "identity/oidc_fixture.h"

namespace spillway::identity {
namespace {

using testing::jwks;
using testing::Kind;
using testing::PrivateKey;

std::string with(Kind kind, const std::string& more, const std::string& kid = "k") {
  return fmt::format(R"({{"kid":"{}",{},{}}})", kid, more, PrivateKey::of(kind).members());
}

TEST(KeySet, KeysOfThreeKindsCheckWhatTheySigned) {
  const auto set =
      KeySet::parse(jwks({PrivateKey::of(Kind::kRsa2048).jwk("r"), with(Kind::kP256, R"("alg":"ES256")", "e"),
                          with(Kind::kEd25519, R"("use":"sig","key_ops":["verify"])", "d")}));
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(set->size(), 3U);
  const struct {
    const char* kid;
    Kind kind;
    JwsAlgorithm algorithm;
  } rows[] = {{"r", Kind::kRsa2048, JwsAlgorithm::kRs256},
              {"e", Kind::kP256, JwsAlgorithm::kEs256},
              {"d", Kind::kEd25519, JwsAlgorithm::kEdDsa}};
  for (const auto& row : rows) {
    const VerifyingKey* key = set->find(row.kid);
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(key->algorithm(), row.algorithm);
    const std::string good = PrivateKey::of(row.kind).sign("a text");
    EXPECT_TRUE(key->verifies("a text", good)) << row.kid;
    EXPECT_FALSE(key->verifies("another text", good)) << row.kid;
    EXPECT_FALSE(key->verifies("a text", PrivateKey::of(row.kind, 2).sign("a text"))) << row.kid;
    EXPECT_FALSE(key->verifies("a text", "")) << row.kid;
    EXPECT_FALSE(key->verifies("a text", good + '\0')) << row.kid;
    EXPECT_FALSE(key->verifies("a text", good.substr(1))) << row.kid;
    EXPECT_FALSE(key->verifies("a text", std::string(good.size(), '\0'))) << row.kid;
    EXPECT_FALSE(key->verifies("a text", std::string(good.size(), '\xff'))) << row.kid;
    for (const auto& other : rows) {
      if (other.kind == row.kind) continue;
      EXPECT_FALSE(key->verifies("a text", PrivateKey::of(other.kind).sign("a text")))
          << row.kid << other.kid;
    }
  }
  EXPECT_EQ(set->find("x"), nullptr);
  EXPECT_EQ(set->find(""), nullptr);
  EXPECT_EQ(set->find("../r"), nullptr);
}

/// A connection's TLS asks this thread's error queue what went wrong with it.
TEST(KeySet, NothingIsLeftInTheErrorQueue) {
  ERR_clear_error();
  const auto set = KeySet::parse(jwks({PrivateKey::of(Kind::kRsa2048).jwk("r"),
                                       R"({"kid":"e","kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})"}));
  ASSERT_TRUE(set.ok());
  EXPECT_FALSE(set->find("r")->verifies("a text", std::string(256, 'x')));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(KeySet, KeysThatAreNotForUsArePassedOver) {
  const std::string zeros = base64url(std::string(32, '\0')), good = PrivateKey::of(Kind::kRsa2048).members();
  const std::string n = base64url(PrivateKey::of(Kind::kRsa2048).number("n"));
  const std::string too_large = base64url(std::string(limits::kMaxRsaBits / 8 + 1, '\xff'));
  const struct {
    const char* why;
    std::string key;
  } rows[] = {
      {"for encryption", with(Kind::kRsa2048, R"("use":"enc")")},
      {"use is no text", with(Kind::kRsa2048, R"("use":1)")},
      {"only signs", with(Kind::kRsa2048, R"("key_ops":["sign"])")},
      {"key_ops is no list", with(Kind::kRsa2048, R"("key_ops":"verify")")},
      {"RSA with PSS", with(Kind::kRsa2048, R"("alg":"PS256")")},
      {"RSA with SHA-512", with(Kind::kRsa2048, R"("alg":"RS512")")},
      {"RSA that says ES256", with(Kind::kRsa2048, R"("alg":"ES256")")},
      {"RSA that says HS256", with(Kind::kRsa2048, R"("alg":"HS256")")},
      {"RSA that says none", with(Kind::kRsa2048, R"("alg":"none")")},
      {"RSA of 1024 bits", PrivateKey::of(Kind::kRsa1024).jwk("k")},
      {"RSA too large", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}","e":"AQAB"}})", too_large)},
      {"exponent 1", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}","e":"AQ"}})", n)},
      {"exponent 2", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}","e":"Ag"}})", n)},
      {"exponent 0", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}","e":"AA"}})", n)},
      {"no exponent", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}"}})", n)},
      {"huge exponent", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}","e":"AQAAAAAB"}})", n)},
      {"modulus of ones and zeros", fmt::format(R"({{"kid":"k","kty":"RSA","n":"{}","e":"AQAB"}})",
                                                base64url("\x80" + std::string(255, '\0')))},
      {"not base64url", R"({"kid":"k","kty":"RSA","n":"+/+/","e":"AQAB"})"},
      {"symmetric", R"({"kid":"k","kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"})"},
      {"another curve", PrivateKey::of(Kind::kP384).jwk("k")},
      {"P-384 that says P-256",
       [] {
         std::string key = PrivateKey::of(Kind::kP384).jwk("k");
         return key.replace(key.find("P-384"), 5, "P-256");
       }()},
      {"P-256 that says P-384",
       [] {
         std::string key = PrivateKey::of(Kind::kP256).jwk("k");
         return key.replace(key.find("P-256"), 5, "P-384");
       }()},
      {"not on the curve",
       fmt::format(R"({{"kid":"k","kty":"EC","crv":"P-256","x":"{0}","y":"{0}"}})", zeros)},
      {"no y", R"({"kid":"k","kty":"EC","crv":"P-256","x":"AAAA"})"},
      {"Ed448", fmt::format(R"({{"kid":"k","kty":"OKP","crv":"Ed448","x":"{}"}})", zeros)},
      {"X25519", fmt::format(R"({{"kid":"k","kty":"OKP","crv":"X25519","x":"{}"}})", zeros)},
      {"Ed25519 cut short", R"({"kid":"k","kty":"OKP","crv":"Ed25519","x":"AAAA"})"},
      {"of no kind", R"({"kid":"k"})"},
      {"without id", "{" + good + "}"},
      {"empty id", R"({"kid":"",)" + good + "}"},
      {"id is a number", R"({"kid":7,)" + good + "}"},
      {"long id", fmt::format(R"({{"kid":"{}",{}}})", std::string(limits::kMaxKeyIdBytes + 1, 'k'), good)},
      {"a number", "7"},
      {"null", "null"},
  };
  for (const auto& [why, key] : rows) {
    const auto alone = KeySet::parse(jwks({key}));
    ASSERT_FALSE(alone.ok()) << why;
    EXPECT_NE(alone.error().message.find("no key for"), std::string::npos) << why << alone.error().message;
    const auto set = KeySet::parse(jwks({key, PrivateKey::of(Kind::kEd25519).jwk("good")}));
    ASSERT_TRUE(set.ok()) << why << set.error().message;
    EXPECT_EQ(set->size(), 1U) << why;
    EXPECT_EQ(set->passed_over(), 1U) << why;
  }
}

TEST(KeySet, RefusesWhatIsNoSet) {
  const std::string key = PrivateKey::of(Kind::kEd25519).jwk("k");
  const struct {
    std::string document;
    const char* expected;
  } rows[] = {
      {"", "not valid JSON"},
      {"<html>", "not valid JSON"},
      {"[]", "no list \"keys\""},
      {"{}", "no list \"keys\""},
      {R"({"keys":{}})", "no list \"keys\""},
      {R"({"keys":[]})", "no key for"},
      {R"({"keys":[],"keys":[]})", "there twice"},
      {jwks({key, key}), "two keys of one id"},
      {jwks(std::vector<std::string>(limits::kMaxJwksKeys + 1, "{}")), "more than 64 keys"},
      {std::string(limits::kMaxJwksBytes + 1, ' '), "larger than"},
      {R"({"keys":[{"kid":"k","kid":"j"}]})", "there twice"},
  };
  for (const auto& [document, expected] : rows) {
    const auto set = KeySet::parse(document);
    ASSERT_FALSE(set.ok()) << expected;
    EXPECT_NE(set.error().message.find(expected), std::string::npos) << set.error().message;
  }
}

TEST(KeySet, KnowsWhetherKeysHaveGone) {
  const auto a = KeySet::parse(jwks({PrivateKey::of(Kind::kEd25519).jwk("a")}));
  const auto ab = KeySet::parse(
      jwks({PrivateKey::of(Kind::kEd25519).jwk("a"), PrivateKey::of(Kind::kEd25519, 2).jwk("b")}));
  const auto other_a = KeySet::parse(jwks({PrivateKey::of(Kind::kEd25519, 2).jwk("a")}));
  EXPECT_TRUE(ab->has_all_of(*a));
  EXPECT_FALSE(a->has_all_of(*ab));
  EXPECT_FALSE(other_a->has_all_of(*a)) << "the same name for another key";
}

}  // namespace
}  // namespace spillway::identity
