#include "identity/events.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::identity {
namespace {

constexpr Timestamp kAt{1'800'000'000'123'456};

std::string payload_of(const Event& event) {
  std::string out;
  encode(event, out);
  return out;
}

/// Every field, so that what is not written shows.
std::string describe(const Event& event) {
  const auto text = [](std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) out += part + "|";
    return out;
  };
  const auto number = [](auto n) { return std::to_string(n); };
  struct Visitor {
    decltype(text)& t;
    decltype(number)& n;
    std::string operator()(const UserPut& e) const {
      return t({"put", n(e.at.us), std::string(e.user_id), std::string(name(e.role)), n(int{e.disabled}),
                std::string(e.password_hash)});
    }
    std::string operator()(const LoggedIn& e) const {
      return t({"login", n(e.at.us), std::string(e.user_id)});
    }
    std::string operator()(const SignedOut& e) const {
      return t({"out", n(e.at.us), std::string(e.user_id), n(e.valid_from.us)});
    }
    std::string operator()(const TokenRevoked& e) const {
      return t({"revoked", n(e.at.us), n(e.token_id), n(e.until.us)});
    }
    std::string operator()(const Forgotten& e) const {
      return t({"forgotten", n(e.at.us), n(e.tokens), n(e.users)});
    }
  };
  return std::visit(Visitor{text, number}, event);
}

std::vector<Event> one_of_each() {
  return {UserPut{kAt, "ann", Role::kOperator, true, "$argon2id$x"},
          UserPut{kAt, "bob", Role::kUser, false, ""},
          LoggedIn{kAt, "ann"},
          SignedOut{kAt, "u\xc3\xa9", {kAt.us + 9}},
          TokenRevoked{kAt, 0xfedcba9876543210, {kAt.us + 7}},
          Forgotten{kAt, 300, 7}};
}

TEST(IdentityEvents, come_back_as_they_were) {
  for (const Event& event : one_of_each()) {
    const std::string payload = payload_of(event);
    const auto read = decode(type(event), kVersion, payload);
    ASSERT_TRUE(read.ok()) << describe(event);
    EXPECT_EQ(describe(*read), describe(event));
    EXPECT_EQ(type(*read), type(event));
  }
}

TEST(IdentityEvents, numbers_are_for_ever) {
  EXPECT_EQ(type(UserPut{}), 1);
  EXPECT_EQ(type(LoggedIn{}), 2);
  EXPECT_EQ(type(SignedOut{}), 3);
  EXPECT_EQ(type(TokenRevoked{}), 4);
  EXPECT_EQ(type(Forgotten{}), 5);
}

TEST(IdentityEvents, bytes_are_for_ever) {
  const auto hex = [](const Event& event) {
    std::string out;
    for (const char c : payload_of(event)) {
      constexpr char kDigits[] = "0123456789abcdef";
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return out;
  };
  EXPECT_EQ(hex(UserPut{{1}, "a", Role::kAdmin, true, "h"}),
            "0100000000000000"
            "0161"
            "03"
            "01"
            "0168");
  EXPECT_EQ(hex(LoggedIn{{1}, "a"}),
            "0100000000000000"
            "0161");
  EXPECT_EQ(hex(SignedOut{{1}, "a", {2}}),
            "0100000000000000"
            "0161"
            "0200000000000000");
  EXPECT_EQ(hex(TokenRevoked{{1}, 3, {2}}),
            "0100000000000000"
            "0300000000000000"
            "0200000000000000");
  EXPECT_EQ(hex(Forgotten{{1}, 300, 7}),
            "0100000000000000"
            "ac02"
            "07");
}

TEST(IdentityEvents, broken_payloads_are_refused) {
  for (const Event& event : one_of_each()) {
    const std::string payload = payload_of(event);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      EXPECT_FALSE(decode(type(event), kVersion, payload.substr(0, size)).ok()) << describe(event) << size;
    }
    EXPECT_FALSE(decode(type(event), kVersion, payload + "x").ok()) << describe(event);
    EXPECT_FALSE(decode(type(event), kVersion + 1, payload).ok());
  }
  EXPECT_FALSE(decode(0, kVersion, "").ok());
  EXPECT_FALSE(decode(6, kVersion, payload_of(Forgotten{})).ok());
  for (const int role : {0, 4}) {
    EXPECT_FALSE(
        decode(1, kVersion, payload_of(UserPut{kAt, "a", static_cast<Role>(role), false, "h"})).ok());
  }
  EXPECT_FALSE(decode(2, kVersion, payload_of(LoggedIn{kAt, ""})).ok());
  EXPECT_FALSE(decode(4, kVersion, payload_of(TokenRevoked{kAt, 0, kAt})).ok());
}

}  // namespace
}  // namespace spillway::identity
