#include "intake/events.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}
std::string encoded(const Event& event) {
  std::string payload;
  encode(event, payload);
  return payload;
}

struct Golden {
  Event event;
  std::uint8_t number;
  const char* payload;
};
const Timestamp kAt{0x0102030405060708};
const Timestamp kLater{0x1112131415161718};

/// What journals are full of: neither numbers nor bytes may ever change.
std::vector<Golden> golden() {
  return {
      {Seeded{kTestSeed}, 1, "000102030405060708090a0b0c0d0e0f"},
      {EventPut{kAt, 300, "EVT", "T", 5, kLater, {}, Policy::kFirstCome}, 2,
       "0807060504030201"
       "ac02"
       "03455654"
       "0154"
       "05"
       "1817161514131211"
       "0000000000000000"
       "01"},
      {Accepted{kAt, 200, 1, "ann", "{}", {}}, 3,
       "0807060504030201"
       "c801"
       "01"
       "03616e6e"
       "027b7d"},
      {Paused{kAt, true}, 4,
       "0807060504030201"
       "01"},
      {Received{kAt,
                kLater,
                {{7, Verdict::kDelivered}, {9, Verdict::kRejectedCapacity}, {10, Verdict::kRejectedClosed}}},
       5,
       "0807060504030201"
       "1817161514131211"
       "03"
       "38"
       "11"
       "0a"},
      {Completed{kAt,
                 {{9, Ending::kSucceeded, {}, ""},
                  {7, Ending::kRetry, kLater, "no"},
                  {8, Ending::kInvalid, {}, ""}}},
       6,
       "0807060504030201"
       "03"
       "a002"
       "3b"
       "1817161514131211"
       "026e6f"
       "26"},
      {Due{kAt, {{3, DueKind::kExpiredVisible}, {4, DueKind::kRetry}}}, 7,
       "0807060504030201"
       "02"
       "30"
       "14"},
      {Extended{kAt, kLater, {5, 3}}, 8,
       "0807060504030201"
       "1817161514131211"
       "02"
       "0a"
       "03"},
      {Retired{kAt, 2, 500}, 9,
       "0807060504030201"
       "02"
       "f403"},
      {RedriveStarted{kAt, 2, 3, true, {9, 7}, FailureClass::kRetryable, "no", kLater, 50, 4, 6, kLater, 8},
       10,
       "0807060504030201"
       "02"
       "04"
       "01"
       "021203"
       "01"
       "026e6f"
       "1817161514131211"
       "32"
       "04"
       "06"
       "1817161514131211"
       "08"},
      {Redriven{kAt, kLater, 9, {7}}, 11,
       "0807060504030201"
       "1817161514131211"
       "09"
       "010e"},
      {RedriveEnded{kAt, RedriveState::kStoppedByFailures}, 12,
       "0807060504030201"
       "03"},
      {Discarded{kAt, "ada", "no", {7}}, 13,
       "0807060504030201"
       "03616461"
       "026e6f"
       "010e"},
      {WorkSet{kAt, 300, WorkKind::kHttp}, 14,
       "0807060504030201"
       "ac02"
       "01"},
      {Completed{kAt, {{9, Ending::kRejectedByWork, {}, "no"}, {7, Ending::kReturned, kLater, ""}}}, 6,
       "0807060504030201"
       "02"
       "ad02"
       "026e6f"
       "3e"
       "1817161514131211"},
      {WebhookSet{kAt, 300, "https://h/", "shop"}, 15,
       "0807060504030201"
       "ac02"
       "0a68747470733a2f2f682f"
       "0473686f70"},
      {WebhooksTried{kAt,
                     {{9, WebhookResult::kDelivered, 1, 204, "", {}},
                      {7, WebhookResult::kRetry, 2, 500, "no", kLater},
                      {8, WebhookResult::kGiveUp, 300, 0, "", {}},
                      {9, WebhookResult::kExpired, 0, 0, "old", {}}}},
       16,
       "0807060504030201"
       "04"
       "4801cc0100"
       "0d02f403026e6f1817161514131211"
       "0aac020000"
       "0b0000036f6c64"},
      {WebhooksPutBack{kAt, {9, 7}}, 17,
       "0807060504030201"
       "02"
       "1203"},
  };
}

TEST(Events, golden_bytes) {
  for (const Golden& each : golden()) {
    EXPECT_EQ(type(each.event), each.number);
    EXPECT_EQ(hex(encoded(each.event)), each.payload) << describe({each.event});
  }
}

TEST(Events, decode_gives_back_what_was_encoded) {
  for (const Golden& each : golden()) {
    const std::string payload = encoded(each.event);
    const auto decoded = decode(each.number, kVersion, payload);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(type(*decoded), each.number);
    EXPECT_EQ(encoded(*decoded), payload);
    EXPECT_EQ(describe({*decoded}), describe({each.event}));
  }
}

TEST(Events, a_truncated_or_longer_payload_is_refused) {
  for (const Golden& each : golden()) {
    const std::string payload = encoded(each.event);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      EXPECT_FALSE(decode(each.number, kVersion, std::string_view(payload).substr(0, size)).ok())
          << describe({each.event}) << " cut to " << size;
    }
    EXPECT_FALSE(decode(each.number, kVersion, payload + '\0').ok());
  }
}

TEST(Events, unknown_types_and_versions_are_refused) {
  EXPECT_FALSE(decode(0, kVersion, "").ok());
  EXPECT_FALSE(decode(18, kVersion, "").ok());
  EXPECT_FALSE(decode(18, kVersion, encoded(WebhooksPutBack{kAt, {9}})).ok());
  EXPECT_FALSE(decode(4, kVersion + 1, encoded(Paused{kAt, true})).ok());
}

TEST(Events, values_out_of_range_are_refused) {
  const std::string time(8, '\x01');
  const std::pair<std::uint8_t, std::string> bad[] = {
      {4, time + '\x02'},                                                         // a flag that is neither
      {3, time + std::string("\0\0\1a\0", 5)},                                    // request number 0
      {3, time + std::string("\1\0\0\0", 4)},                                     // no user
      {3, time + std::string("\1\0\x80\x02", 4) + std::string(256, 'u') + '\0'},  // a user too long
      {5, time + time + std::string("\0", 1)},                                    // an empty list
      {5, time + time + std::string("\1\x0b", 2)},                                // verdict 3
      {5, time + time + std::string("\1\x04", 2)},                                // number before 1
      {5, time + time + "\xff\xff\xff\xff\x0f\x08"},                      // a list longer than its bytes
      {6, time + std::string("\1\x21\0", 3)},                             // a reason that is none
      {7, time + std::string("\1\x15", 2)},                               // kind 5
      {9, time + std::string("\0\0", 2)},                                 // nothing retired
      {12, time + '\x01'},                                                // an end that is none
      {13, time + std::string("\0\0\0", 3)},                              // nothing discarded
      {14, time + std::string("\0\2", 2)},                                // work of kind 2
      {9, time + std::string("\xff\xff\xff\xff\x7f\1", 6)},               // an index past 32 bits
      {15, time + std::string("\0\0\x80\2", 4) + std::string(256, 'n')},  // a name too long
      {16, time + std::string("\0", 1)},                                  // nothing tried
      {16, time + std::string("\1\x08\0\0\0", 5)},                        // a delivery by no attempt
      {16, time + std::string("\1\x09\1\0\0", 5)},                        // a retry without its time
      {16, time + std::string("\1\0\1\0\0", 5)},                          // delivery 0
      {17, time + std::string("\0", 1)},                                  // nothing put back
  };
  for (const auto& [number, payload] : bad)
    EXPECT_FALSE(decode(number, kVersion, payload).ok()) << hex(payload);
}

TEST(Events, tell_which_requests_they_change) {
  const auto changed = [](const Event& event) {
    std::vector<std::uint64_t> numbers;
    for_each_changed(event, [&](std::uint64_t number) { numbers.push_back(number); });
    return numbers;
  };
  using Numbers = std::vector<std::uint64_t>;
  const Numbers expected[] = {{}, {},  {200}, {}, {7, 9, 10}, {9, 7, 8}, {3, 4}, {5, 3}, {},
                              {}, {7}, {},    {}, {},         {9, 7},    {},     {},     {}};
  const auto all = golden();
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(changed(all[i].event), expected[i]);
}

/// A fuzzer finds its way to what it has an example of.
TEST(Events, TheFuzzersCorpusHasOneOfEveryType) {
  std::set<std::uint8_t> seen;
  const std::filesystem::path corpus = SPILLWAY_SOURCE_DIR "/tests/fuzz/corpus/intake_event";
  for (const auto& file : std::filesystem::directory_iterator(corpus)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    ASSERT_GE(bytes.size(), 2u) << file.path();
    const std::string payload = bytes.substr(2);
    const auto event =
        decode(static_cast<std::uint8_t>(bytes[0]), static_cast<std::uint8_t>(bytes[1]), payload);
    ASSERT_TRUE(event.ok()) << file.path();
    EXPECT_EQ(hex(encoded(*event)), hex(payload)) << file.path();
    seen.insert(type(*event));
  }
  EXPECT_EQ(seen.size(), std::variant_size_v<Event>);
}

}  // namespace
}  // namespace spillway::intake
