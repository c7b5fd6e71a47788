#include "identity/jwt.h"

#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"
#include "identity/oidc_fixture.h"

namespace spillway::identity {
namespace {

using testing::Claims;

constexpr Timestamp kNow{1'800'000'000 * kSecond};

ClaimRules rules() {
  return {std::string(testing::kIssuer),
          std::string(testing::kAudience),
          "roles",
          {"watcher"},
          {"boss", "owner"}};
}

std::string made_of(std::string_view header, std::string_view claims = "{}",
                    std::string_view signature = "s") {
  return base64url(header) + "." + base64url(claims) + "." + base64url(signature);
}

TEST(Jwt, IsTakenApart) {
  const std::string token = made_of(
      R"({"alg":"ES256","typ":"JWT","kid":"../../etc/passwd","jku":"http://evil"})", R"({"sub":"a"})", "sig");
  const auto jwt = take_apart(token);
  ASSERT_TRUE(jwt.ok()) << jwt.error().message;
  EXPECT_EQ(jwt->algorithm, JwsAlgorithm::kEs256);
  EXPECT_EQ(jwt->key_id, "../../etc/passwd") << "a name and nothing else";
  EXPECT_EQ(jwt->claims, R"({"sub":"a"})");
  EXPECT_EQ(jwt->signature, "sig");
  EXPECT_EQ(jwt->signed_text, token.substr(0, token.rfind('.')));
  for (const char* type : {"jwt", "AT+JWT", "application/at+jwt", "Application/JWT"}) {
    EXPECT_TRUE(take_apart(made_of(fmt::format(R"({{"alg":"EdDSA","typ":"{}","kid":"k"}})", type))).ok())
        << type;
  }
  EXPECT_TRUE(take_apart(made_of(R"({"alg":"RS256","kid":"k"})")).ok()) << "typ may be absent";
}

TEST(Jwt, RefusesOtherForms) {
  const std::string head = R"({"alg":"RS256","kid":"k"})", good = made_of(head);
  const struct {
    std::string token;
    const char* expected;
  } rows[] = {
      {"", "not three parts"},
      {"eyJhbGciOiJub25lIn0", "not three parts"},
      {base64url(head) + "." + base64url("{}"), "not three parts"},
      {good + ".", "not three parts"},
      {good + "..", "not three parts"},
      {"." + good, "not three parts"},
      {good + ".a.b", "not three parts"},  // an encrypted one has five
      {"..", "the header"},
      {"a." + base64url("{}") + ".AA", "not base64url"},
      {base64url(head) + ".a.AA", "not base64url"},
      {base64url(head) + ".e30.A", "not base64url"},
      {good + "=", "not base64url"},
      {good + " ", "not base64url"},
      {base64url(head) + ".e30.A+/_", "not base64url"},
      {base64url(head) + ".e30.AB", "not base64url"},  // a second spelling of AA
      {base64url(head) + ".e30.", "not signed"},
      {"." + base64url("{}") + ".AA", "the header"},
      {made_of("[]"), "the header is no JSON object"},
      {made_of("null"), "the header is no JSON object"},
      {made_of(R"({"alg":"RS256","kid":"k"}x)"), "the header"},
      {made_of("{\"alg\":\"RS256\",\"kid\":\"\xff\"}"), "the header"},
      {made_of(R"({"alg":"none","alg":"RS256","kid":"k"})"), "there twice"},
      {made_of(std::string(100, '[')), "the header"},
      {made_of(R"({"kid":"k"})"), "alg"},
      {made_of(R"({"alg":"none","kid":"k"})"), "alg"},
      {made_of(R"({"alg":"None","kid":"k"})"), "alg"},
      {made_of(R"({"alg":"","kid":"k"})"), "alg"},
      {made_of(R"({"alg":"HS256","kid":"k"})"), "alg"},
      {made_of(R"({"alg":"rs256","kid":"k"})"), "alg"},
      {made_of(R"({"alg":"PS256","kid":"k"})"), "alg"},
      {made_of(R"({"alg":"ES384","kid":"k"})"), "alg"},
      {made_of(R"({"alg":["RS256"],"kid":"k"})"), "alg"},
      {made_of(R"({"alg":"RS256"})"), "kid is missing"},
      {made_of(R"({"alg":"RS256","kid":""})"), "kid is missing"},
      {made_of(R"({"alg":"RS256","kid":7})"), "kid is missing"},
      {made_of(fmt::format(R"({{"alg":"RS256","kid":"{}"}})", std::string(257, 'k'))), "kid is too long"},
      {made_of(R"({"alg":"RS256","kid":"k","typ":"logout+jwt"})"), "typ"},
      {made_of(R"({"alg":"RS256","kid":"k","typ":"dpop+jwt"})"), "typ"},
      {made_of(R"({"alg":"RS256","kid":"k","typ":""})"), "typ"},
      {made_of(R"({"alg":"RS256","kid":"k","typ":null})"), "typ"},
      {made_of(R"({"alg":"RS256","kid":"k","crit":["b64"],"b64":false})"), "crit"},
      {made_of(R"({"alg":"RS256","kid":"k","crit":[]})"), "crit"},
      {made_of(head, std::string(limits::kMaxOutsideTokenBytes, 'x')), "too long"},
      {std::string(100'000, '.'), "too long"},
  };
  for (const auto& [token, expected] : rows) {
    const auto jwt = take_apart(token);
    ASSERT_FALSE(jwt.ok()) << token.substr(0, 200);
    EXPECT_EQ(jwt.error().code, ErrorCode::kUnauthenticated);
    EXPECT_NE(jwt.error().message.find(expected), std::string::npos)
        << token.substr(0, 200) << ": " << jwt.error().message;
  }
}

TEST(JwtClaims, MakeACaller) {
  const auto caller = read_claims(Claims(kNow).text(), rules(), kNow);
  ASSERT_TRUE(caller.ok()) << caller.error().message;
  EXPECT_EQ(caller->user_id, "ann");
  EXPECT_EQ(caller->role, Role::kUser);
  EXPECT_EQ(caller->issued_at, kNow - 60 * kSecond - limits::kOidcLeeway);
  EXPECT_EQ(caller->expires, kNow + 600 * kSecond + limits::kOidcLeeway);
  EXPECT_EQ(caller->token_id, 0U);
}

TEST(JwtClaims, AreTakenWithinTheLeeway) {
  const auto at = [](Micros by) { return kNow + by; };
  const Micros leeway = limits::kOidcLeeway;
  const std::string good[] = {
      Claims(kNow).set("aud", R"(["other","spillway"])").text(),
      Claims(kNow).set("exp", at(kSecond - leeway)).text(),
      Claims(kNow).set("nbf", at(leeway)).text(),
      Claims(kNow).set("iat", at(leeway)).text(),
      Claims(kNow).set("exp", fmt::format("{}.5", kNow.us / kSecond)).text(),
      Claims(kNow).set("exp", "1.8000006e9").text(),
      Claims(kNow).set("typ", "\"Bearer\"").text(),
      Claims(kNow).set("nonce", "\"n\"").set("azp", "\"app\"").text(),
      Claims(kNow, std::string(limits::kMaxSubjectBytes, 's')).text(),
  };
  for (const std::string& claims : good) {
    const auto caller = read_claims(claims, rules(), kNow);
    EXPECT_TRUE(caller.ok()) << claims << caller.error().message;
  }
}

TEST(JwtClaims, EachWrongOneIsRefused) {
  const auto at = [](Micros by) { return kNow + by; };
  const Micros leeway = limits::kOidcLeeway;
  const std::string issuer = R"("https://login.example.org/realms/main)";
  const struct {
    std::string claims;
    const char* expected;
  } rows[] = {
      {"", "the claims"},
      {"[]", "the claims is no JSON object"},
      {R"({"sub":"a","sub":"b"})", "there twice"},
      {Claims(kNow).set("iss", "").text(), "iss"},
      {Claims(kNow).set("iss", "\"https://login.example.org\"").text(), "iss"},
      {Claims(kNow).set("iss", issuer + "/\"").text(), "iss"},
      {Claims(kNow).set("iss", issuer + "\\u0000\"").text(), "iss"},
      {Claims(kNow).set("iss", "[" + issuer + "\"]").text(), "iss"},
      {Claims(kNow).set("aud", "").text(), "aud is missing"},
      {Claims(kNow).set("aud", "\"other\"").text(), "aud: for somebody else"},
      {Claims(kNow).set("aud", "\"spillway2\"").text(), "aud: for somebody else"},
      {Claims(kNow).set("aud", "\"Spillway\"").text(), "aud: for somebody else"},
      {Claims(kNow).set("aud", "[]").text(), "aud: for somebody else"},
      {Claims(kNow).set("aud", R"(["a",["spillway"],7])").text(), "aud: for somebody else"},
      {Claims(kNow).set("aud", R"({"spillway":1})").text(), "aud is no list"},
      {Claims(kNow).set("aud", "7").text(), "aud is no list"},
      {Claims(kNow).set("exp", "").text(), "exp is missing"},
      {Claims(kNow).set("exp", at(-leeway)).text(), "exp: expired"},
      {Claims(kNow).set("exp", at(-3600 * kSecond)).text(), "exp: expired"},
      {Claims(kNow).set("exp", "\"4102444800\"").text(), "exp is missing or no time"},
      {Claims(kNow).set("exp", "-1").text(), "exp is missing or no time"},
      {Claims(kNow).set("exp", "1e300").text(), "exp is missing or no time"},
      {Claims(kNow).set("exp", "18446744073709551615").text(), "exp is missing or no time"},
      {Claims(kNow).set("exp", "null").text(), "exp is missing or no time"},
      {Claims(kNow).set("exp", "true").text(), "exp is missing or no time"},
      {Claims(kNow).set("nbf", at(leeway + kSecond)).text(), "nbf: not yet"},
      {Claims(kNow).set("nbf", "\"soon\"").text(), "nbf is no time"},
      {Claims(kNow).set("nbf", "null").text(), "nbf is no time"},
      {Claims(kNow).set("iat", "").text(), "iat is missing"},
      {Claims(kNow).set("iat", at(leeway + kSecond)).text(), "iat: from the future"},
      {Claims(kNow).set("iat", "{}").text(), "iat is missing or no time"},
      {Claims(kNow).set("sub", "").text(), "sub"},
      {Claims(kNow).set("sub", "\"\"").text(), "sub"},
      {Claims(kNow).set("sub", "7").text(), "sub"},
      {Claims(kNow, std::string(limits::kMaxSubjectBytes + 1, 's')).text(), "sub"},
      {Claims(kNow).set("typ", "\"ID\"").text(), "typ"},
      {Claims(kNow).set("typ", "\"Refresh\"").text(), "typ"},
      {Claims(kNow).set("events", R"({"http://schemas.openid.net/event/backchannel-logout":{}})").text(),
       "events"},
      {Claims(kNow).set("cnf", R"({"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})").text(), "cnf"},
  };
  for (const auto& [claims, expected] : rows) {
    const auto caller = read_claims(claims, rules(), kNow);
    ASSERT_FALSE(caller.ok()) << claims;
    EXPECT_EQ(caller.error().code, ErrorCode::kUnauthenticated);
    EXPECT_NE(caller.error().message.find(expected), std::string::npos)
        << claims << ": " << caller.error().message;
  }
}

TEST(JwtClaims, RolesComeFromTheClaim) {
  ClaimRules by_path = rules(), by_url = rules();
  by_path.role_claim = "realm_access.roles";
  by_url.role_claim = "https://example.org/roles";
  const struct {
    ClaimRules rules;
    const char* name;
    std::string json;
    Role expected;
  } rows[] = {
      {rules(), "roles", R"(["watcher"])", Role::kOperator},
      {rules(), "roles", R"(["x","boss","watcher"])", Role::kAdmin},
      {rules(), "roles", R"("owner")", Role::kAdmin},
      {rules(), "roles", R"("watcher boss")", Role::kUser},  // one value, whatever is in it
      {rules(), "roles", R"(["Boss","boss "," boss","admin"])", Role::kUser},
      {rules(), "roles", R"([["boss"],{"boss":true},7,null])", Role::kUser},
      {rules(), "roles", R"({"boss":true})", Role::kUser},
      {rules(), "roles", "true", Role::kUser},
      {rules(), "role", R"(["boss"])", Role::kUser},
      {by_path, "realm_access", R"({"roles":["boss"]})", Role::kAdmin},
      {by_path, "realm_access", R"({"roles":{"roles":["boss"]}})", Role::kUser},
      {by_path, "realm_access", R"(["boss"])", Role::kUser},
      {by_path, "roles", R"(["boss"])", Role::kUser},
      {by_path, "realm_access.roles", R"(["watcher"])", Role::kOperator},
      {by_url, "https://example.org/roles", R"(["watcher"])", Role::kOperator},
  };
  for (const auto& row : rows) {
    const auto caller = read_claims(Claims(kNow).set(row.name, row.json).text(), row.rules, kNow);
    ASSERT_TRUE(caller.ok()) << caller.error().message;
    EXPECT_EQ(caller->role, row.expected) << row.name << row.json;
  }
  ClaimRules none = rules();
  none.operators.clear();
  none.admins.clear();
  EXPECT_EQ(read_claims(Claims(kNow).set("roles", R"(["","admin"])").text(), none, kNow)->role, Role::kUser);
}

/// As Keycloak 26 makes them: the header's typ is JWT for all, the claim of that name tells them apart.
TEST(JwtClaims, OfKeycloak) {
  ClaimRules keycloak{
      "https://login.example.org/realms/main", "spillway", "realm_access.roles", {}, {"spillway-admin"}};
  const auto claims = [](const char* type, const char* audience) {
    return fmt::format(
        R"({{"exp":1800000300,"iat":1800000000,"auth_time":1799999999,"jti":"onrtac:3a1c","iss":)"
        R"("https://login.example.org/realms/main","aud":{},"sub":"f81d4fae-7dec-11d0-a765-00a0c91e6bf6",)"
        R"("typ":"{}","azp":"web","sid":"b7","acr":"1","allowed-origins":["https://shop.example.org"],)"
        R"("realm_access":{{"roles":["offline_access","spillway-admin"]}},"resource_access":{{"account":)"
        R"({{"roles":["view-profile"]}}}},"scope":"openid email","email_verified":true,"name":"Ann"}})",
        audience, type);
  };
  const auto caller = read_claims(claims("Bearer", R"(["spillway","account"])"), keycloak, kNow);
  ASSERT_TRUE(caller.ok()) << caller.error().message;
  EXPECT_EQ(caller->user_id, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
  EXPECT_EQ(caller->role, Role::kAdmin);
  EXPECT_FALSE(read_claims(claims("Bearer", "\"account\""), keycloak, kNow).ok()) << "without the mapper";
  for (const char* type : {"ID", "Refresh", "Offline", "Logout"}) {
    EXPECT_FALSE(read_claims(claims(type, "\"spillway\""), keycloak, kNow).ok()) << type;
  }
}

TEST(JwtSubject, BecomesAUserId) {
  const std::string long_one(200, 'a'), with_bars(60, '|');
  const struct {
    std::string subject, expected;
  } rows[] = {
      {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
      {"A.b_c-9", "A.b_c-9"},
      {"auth0|5f7c", "auth0~7C5f7c"},
      {"ann@example.org", "ann~40example.org"},
      {"a~b", "a~7Eb"},
      {"a/../b", "a~2F..~2Fb"},
      {std::string("a\0b", 3), "a~00b"},
      {"\xc3\xa9", "~C3~A9"},
      {std::string(128, 'a'), std::string(128, 'a')},
      {long_one, "~~wqkI2Y9d-Yet5BtfziEwZ--8wh7yJAISpB5UtefCiuU"},
  };
  for (const auto& [subject, expected] : rows) EXPECT_EQ(user_id_of(subject), expected);
  EXPECT_TRUE(user_id_of(with_bars).starts_with("~~")) << "180 bytes when written out";
}

TEST(JwtSubject, NoTwoBecomeOne) {
  const std::string subjects[] = {"a|b",
                                  "a~7Cb",
                                  "a~7cb",
                                  "a~7C|b",
                                  "~",
                                  "~~",
                                  "~7E",
                                  "~7E~7E",
                                  "|",
                                  "~7C",
                                  "A",
                                  "a",
                                  std::string(200, 'a'),
                                  std::string(201, 'a'),
                                  std::string(43, '|'),
                                  user_id_of(std::string(200, 'a'))};
  std::set<std::string> ids;
  for (const std::string& subject : subjects) {
    const std::string id = user_id_of(subject);
    EXPECT_TRUE(is_user_id(id)) << id;
    EXPECT_TRUE(ids.insert(id).second) << subject << " became " << id;
  }
}

}  // namespace
}  // namespace spillway::identity
