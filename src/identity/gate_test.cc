#include "identity/gate.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/base64.h"
#include "base/limits.h"
#include "base/manual_clock.h"
#include "http/test_support.h"

namespace spillway::identity {
namespace {

constexpr std::string_view kSecret = "an admin secret of more than 32 characters";
constexpr Timestamp kNow{1'800'000'000 * kSecond};
constexpr Timestamp kLater = {kNow.us + 3600 * kSecond};

KeyRing keys_of(std::uint8_t fill) {
  KeyRing keys;
  keys.current.secret.fill(fill);
  return keys;
}

/// Knows one bearer text.
class OneOutsider final : public OutsideTokens {
 public:
  Result<Caller> verify(std::string_view bearer, Timestamp) const override {
    if (bearer != "outside" || !caller) return Error{ErrorCode::kUnauthenticated, "not mine"};
    return *caller;
  }
  std::optional<Caller> caller;
};

class GateTest : public ::testing::Test {
 protected:
  std::string token(Role role = Role::kUser, std::string_view user = "u1") {
    return authority_.issue(user, role, kNow, kLater);
  }
  bool lets_in(std::string_view bearer) { return gate_.caller_of(bearer).ok(); }

  ManualClock clock_{kNow};
  TokenAuthority authority_{keys_of(1), "users"};
  RevocationView revocations_;
  OneOutsider outside_;
  Gate gate_{authority_, clock_, std::string(kSecret), &revocations_, &outside_};
};

/// The payload of a token with one byte changed, and its MAC as it was or made with another key.
std::string with_payload_byte(const std::string& token, std::size_t at, char value) {
  const std::size_t dot = token.rfind('.');
  std::string payload;
  EXPECT_TRUE(base64url_decode(std::string_view(token).substr(4, dot - 4), payload));
  payload[at] = value;
  return "sp2." + base64url(payload) + token.substr(dot);
}

TEST_F(GateTest, forged_tokens_are_refused) {
  const std::string good = token();
  ASSERT_TRUE(lets_in(good));
  const std::string body = good.substr(4);
  std::string other_mac = good;
  other_mac.back() = other_mac.back() == 'A' ? 'Q' : 'A';
  const struct {
    const char* why;
    std::string bearer;
  } forged[] = {
      {"none", ""},
      {"a word", "token"},
      {"wrong prefix", "sp1." + body},
      {"prefix of another kind", "sp3." + body},
      {"no prefix", body},
      {"only the prefix", "sp2."},
      {"another MAC", other_mac},
      {"no MAC", good.substr(0, good.rfind('.') + 1)},
      {"role raised", with_payload_byte(good, 2, 3)},
      {"another version", with_payload_byte(good, 0, 1)},
      {"another kind", with_payload_byte(good, 1, 2)},
      {"an unknown key id", with_payload_byte(good, 3, 9)},
      {"a longer life", with_payload_byte(good, 7, '\x7f')},
      {"somebody else", with_payload_byte(good, 25, '2')},
      {"expired", authority_.issue("u1", Role::kUser, {kNow.us - 7200 * kSecond}, kNow)},
      {"another deployment's", TokenAuthority(keys_of(2), "users").issue("u1", Role::kUser, kNow, kLater)},
      {"open login's", TokenAuthority(keys_of(1), "open").issue("u1", Role::kUser, kNow, kLater)},
      {"a JWT without algorithm", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImV4cCI6NDEwMjQ0NDgwMH0."},
      {"very long", "sp2." + std::string(100'000, 'A')},
      {"more behind it", good + "A"},
      {"the secret cut short", std::string(kSecret.substr(1))},
      {"the secret with more", std::string(kSecret) + "x"},
  };
  for (const auto& [why, bearer] : forged) {
    const auto caller = gate_.caller_of(bearer);
    ASSERT_FALSE(caller.ok()) << why;
    EXPECT_EQ(caller.error().code, ErrorCode::kUnauthenticated) << why;
  }
}

TEST_F(GateTest, the_admin_secret_is_an_admin_that_nobody_can_sign_out) {
  revocations_.sign_out(kAdminTokenId, kLater);
  const auto caller = gate_.caller_of(kSecret);
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->user_id, kAdminTokenId);
  EXPECT_EQ(caller->role, Role::kAdmin);
  EXPECT_FALSE(caller->expires);
  EXPECT_FALSE(Gate(authority_, clock_, "").caller_of("").ok());  // an empty secret is none
}

TEST_F(GateTest, a_revoked_token_is_refused_and_no_other) {
  const std::string one = token(), two = token();
  revocations_.revoke_token(gate_.caller_of(one)->token_id, kLater);
  EXPECT_FALSE(lets_in(one));
  EXPECT_TRUE(lets_in(two));
}

TEST_F(GateTest, a_sign_out_ends_what_was_issued_until_then) {
  const std::string before = token();
  revocations_.sign_out("u1", kNow);
  EXPECT_FALSE(lets_in(before));
  EXPECT_TRUE(lets_in(authority_.issue("u1", Role::kUser, {kNow.us + 1}, kLater)));
  EXPECT_TRUE(lets_in(token(Role::kUser, "u2")));
}

TEST_F(GateTest, tokens_from_outside_are_looked_at_when_they_do_not_claim_to_be_ours) {
  outside_.caller = Caller{"ann", Role::kOperator, 0, kNow - kSecond, kLater};
  const auto caller = gate_.caller_of("outside");
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->role, Role::kOperator);
  EXPECT_EQ(caller->expires, kLater);
  EXPECT_NE(caller->token_id, 0u);
  EXPECT_FALSE(lets_in("inside"));
  revocations_.revoke_token(caller->token_id, kLater);
  EXPECT_FALSE(lets_in("outside"));
}

TEST_F(GateTest, tokens_from_outside_can_be_signed_out) {
  outside_.caller = Caller{"ann", Role::kUser, 0, kNow - kSecond, kLater};
  revocations_.sign_out("ann", kNow);
  EXPECT_FALSE(lets_in("outside"));
  outside_.caller->issued_at = kNow + 1;
  EXPECT_TRUE(lets_in("outside"));
}

TEST_F(GateTest, tokens_from_outside_that_could_not_be_revoked_are_refused) {
  outside_.caller = Caller{"ann", Role::kUser, 0, {}, kLater};
  EXPECT_FALSE(lets_in("outside")) << "no time of issue";
  outside_.caller = Caller{std::string(kAdminTokenId), Role::kAdmin, 0, kNow, kLater};
  EXPECT_FALSE(lets_in("outside")) << "the deployment's own name";
  // Longer than revocations are remembered: then no longer than those.
  outside_.caller = Caller{"ann", Role::kUser, 0, kNow, kNow + 30 * limits::kMaxTokenAge};
  ASSERT_TRUE(lets_in("outside"));
  EXPECT_EQ(gate_.caller_of("outside")->expires, kNow + limits::kMaxTokenAge);
  clock_.advance(limits::kMaxTokenAge);
  EXPECT_FALSE(lets_in("outside"));
}

TEST_F(GateTest, roles_open_doors) {
  std::vector<std::string> answers;
  http::Router router;
  router.add(http::Method::kGet, "/", [&](const http::Request& request, http::Exchange exchange) {
    const auto word = [](const Result<Caller>& caller) -> std::string {
      return caller ? "yes" : std::string(error_info(caller.error().code).code);
    };
    answers = {word(gate_.caller(request)), word(gate_.reader(request)), word(gate_.admin(request))};
    if (const auto caller = gate_.caller(request)) {
      const Actor actor = actor_of(request, *caller);
      answers.push_back(actor.id + "@" + actor.address);
    }
    exchange.reply({.status = 204});
  });
  http::SessionBench bench(std::move(router));
  const auto ask = [&](std::string_view bearer) {
    bench.open();
    bench.feed("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + std::string(bearer) + "\r\n\r\n");
    return answers;
  };
  using Answers = std::vector<std::string>;
  EXPECT_EQ(ask(token(Role::kUser)), (Answers{"yes", "forbidden", "forbidden", "u1@192.0.2.1"}));
  EXPECT_EQ(ask(token(Role::kOperator)), (Answers{"yes", "yes", "forbidden", "u1@192.0.2.1"}));
  EXPECT_EQ(ask(token(Role::kAdmin)), (Answers{"yes", "yes", "yes", "u1@192.0.2.1"}));
  EXPECT_EQ(ask(kSecret.substr(0, 9)), (Answers{"unauthenticated", "unauthenticated", "unauthenticated"}));
}

}  // namespace
}  // namespace spillway::identity
