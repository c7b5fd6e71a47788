#include "intake/request_id.h"

#include <gtest/gtest.h>

#include <set>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

TEST(RequestId, golden) {
  // These are in people's bookmarks: they must never change.
  EXPECT_EQ(request_id(kTestSeed, 1), "00000001q4djp22ydmfp");
  EXPECT_EQ(request_id(kTestSeed, 1'000'000), "0000ygj00rk9rs5zq1yh");
  EXPECT_EQ(request_id(kTestSeed, kMaxRequestNumber), "zzzzzzzz8d47hdha5k3e");
}

TEST(RequestId, leads_back_to_its_number_and_sorts_as_numbers_do) {
  std::string before;
  for (std::uint64_t number = 1; number < kMaxRequestNumber; number = number * 3 + 1) {
    const std::string text = id(number);
    EXPECT_EQ(text.size(), kRequestIdBytes);
    EXPECT_EQ(request_number(kTestSeed, text), number);
    EXPECT_LT(before, text);
    before = text;
  }
}

TEST(RequestId, a_forged_one_is_nobody) {
  const std::string real = id(77);
  for (std::size_t i = 0; i < real.size(); ++i) {
    for (const char c : std::string("0123456789abcdefghjkmnpqrstvwxyz")) {
      if (c == real[i]) continue;
      std::string forged = real;
      forged[i] = c;
      EXPECT_EQ(request_number(kTestSeed, forged), std::nullopt) << forged;
    }
  }
  std::string shouted = real;
  for (char& c : shouted) c = static_cast<char>(std::toupper(c));
  std::string letter_l = real;
  letter_l[0] = 'l';
  const std::string bad[] = {"", real + "0", real.substr(1), shouted, letter_l, std::string(20, '\xff')};
  for (const std::string& text : bad) EXPECT_EQ(request_number(kTestSeed, text), std::nullopt) << text;
  Seed other = kTestSeed;
  other[0] ^= 1;
  EXPECT_EQ(request_number(other, real), std::nullopt);
}

TEST(RequestId, number_text) {
  char text[8];
  write_number(0xdeadbeef42, text);
  EXPECT_EQ(parse_number(std::string_view(text, 8)), 0xdeadbeef42);
  EXPECT_EQ(parse_number("0000000"), std::nullopt);
  EXPECT_EQ(parse_number("0000000u"), std::nullopt);
}

TEST(RequestId, a_person_is_an_event_and_a_user) {
  const PersonKey ann = person_key(kTestSeed, 1, "ann");
  EXPECT_EQ(ann, person_key(kTestSeed, 1, "ann"));
  EXPECT_NE(ann, person_key(kTestSeed, 2, "ann"));
  EXPECT_NE(ann, person_key(kTestSeed, 1, "anna"));
  EXPECT_NE(ann, person_key(Seed{}, 1, "ann"));
}

}  // namespace
}  // namespace spillway::intake
