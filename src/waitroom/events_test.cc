#include "waitroom/events.h"

#include <gtest/gtest.h>

namespace spillway::waitroom {
namespace {

std::string hex_of(const Event& event) {
  std::string payload, out;
  encode(event, payload);
  for (const char c : payload) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

const Timestamp kAt{0x0102030405060708};
const std::string kAtHex = "0807060504030201";

// These bytes are on people's disks. A test that fails here says: make a new version, do not change this one.
TEST(Events, TheirBytesAreForGood) {
  EXPECT_EQ(hex_of(Seeded{{1, 2, 3}}), "01020300000000000000000000000000");
  EXPECT_EQ(hex_of(ConcertMade{kAt, 300, "c1"}), kAtHex + "ac02026331");
  ConcertPut put{kAt, 1, {}};
  put.settings = {5, 6, 7, 8, true, Mode::kLottery, {9}};
  EXPECT_EQ(hex_of(put), kAtHex + "010506070801020900000000000000");
  EXPECT_EQ(hex_of(LotterySet{kAt, 1, true, {0xff}}), kAtHex + "0101ff" + std::string(62, '0'));
  EXPECT_EQ(hex_of(Drawn{kAt, 1, 128}), kAtHex + "018001");
  EXPECT_EQ(hex_of(Entered{kAt, {1, 2}, 3, {4, 5}, {6}}),
            kAtHex + "010203" + "0400000000000000" + "0500000000000000" + "0600000000000000");
  EXPECT_EQ(hex_of(Admitted{kAt, 1, {6}, {10, 12, 11}}), kAtHex + "01" + "0600000000000000" + "03140401");
  EXPECT_EQ(hex_of(Activated{kAt, {1, 2}, {6}}), kAtHex + "0102" + "0600000000000000");
  EXPECT_EQ(hex_of(Left{kAt, {1, 2}}), kAtHex + "0102");
  EXPECT_EQ(hex_of(Expired{kAt, {{{1, 2}, Expiry::kIdle}}}), kAtHex + "01010202");
  EXPECT_EQ(hex_of(Extended{kAt, {{{1, 2}, {6}}}}), kAtHex + "010102" + "0600000000000000");
  EXPECT_EQ(hex_of(KeyTaken{kAt, 2}), kAtHex + "02");
  EXPECT_EQ(hex_of(Forgotten{kAt, 1, {0, 3}}), kAtHex + "01020006");
  EXPECT_EQ(hex_of(Forgotten{kAt, 1, {}}), kAtHex + "0100");
}

TEST(Events, AreWhatWasWritten) {
  ConcertPut put{kAt, 1, {}};
  put.settings = {5, 6, 7, 8, true, Mode::kOpen, {9}};
  const Event events[] = {Seeded{{1}},
                          ConcertMade{kAt, 0, "c"},
                          put,
                          LotterySet{kAt, 1, false, {1}},
                          Drawn{kAt, 1, 0},
                          Entered{kAt, {1, 2}, 3, {4, 5}, {}},
                          Admitted{kAt, 1, {6}, {10, 2}},
                          Activated{kAt, {1, 2}, {6}},
                          Left{kAt, {1, 2}},
                          Expired{kAt, {{{1, 2}, Expiry::kTooOld}, {{9, 1}, Expiry::kIdle}}},
                          Extended{kAt, {{{1, 2}, {6}}}},
                          KeyTaken{kAt, 2},
                          Forgotten{kAt, 1, {0, 3}}};
  ASSERT_EQ(std::size(events), std::variant_size_v<Event>);
  for (const Event& event : events) {
    std::string payload;
    encode(event, payload);
    const auto back = decode(type(event), kVersion, payload);
    ASSERT_TRUE(back.ok()) << int{type(event)};
    EXPECT_EQ(hex_of(*back), hex_of(event));
    for (std::size_t cut = 0; cut < payload.size(); ++cut) {
      EXPECT_FALSE(decode(type(event), kVersion, payload.substr(0, cut)).ok())
          << int{type(event)} << " " << cut;
    }
    EXPECT_FALSE(decode(type(event), kVersion, payload + '\0').ok());
    EXPECT_FALSE(decode(type(event), kVersion + 1, payload).ok());
  }
  EXPECT_FALSE(decode(0, kVersion, "").ok());
  EXPECT_FALSE(decode(std::variant_size_v<Event> + 1, kVersion, "").ok());
}

}  // namespace
}  // namespace spillway::waitroom
