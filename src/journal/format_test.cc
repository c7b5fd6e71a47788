#include "journal/format.h"

#include <gtest/gtest.h>

#include "journal/group.h"

// The golden bytes were computed from docs/formats/journal.md by another program. If one of these tests
// fails, old journals can no longer be read: raise kFormatVersion, do not change the bytes.

namespace spillway::journal {
namespace {

constexpr std::uint64_t kSalt = 0x1122334455667788;
constexpr Timestamp kTime{1'700'000'000'000'000};

std::string hex(std::string_view bytes) {
  static const char* const kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

TEST(Format, ChecksumIsCrc32c) {
  EXPECT_EQ(crc32c(0, "123456789", 9), 0xE3069283u);
  EXPECT_EQ(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xE3069283u) << "goes on where it was left";
}

TEST(Format, SegmentHeader) {
  char bytes[kSegmentHeaderBytes];
  encode_segment_header({42, kSalt}, bytes);
  EXPECT_EQ(hex({bytes, sizeof bytes}),
            "535057594a524e4c01000000000000002a00000000000000887766554433221117a2bd4a");
  std::string why;
  const auto back = decode_segment_header({bytes, sizeof bytes}, &why);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->first_sequence, 42u);
  EXPECT_EQ(back->salt, kSalt);
  bytes[20] ^= 1;
  EXPECT_FALSE(decode_segment_header({bytes, sizeof bytes}, &why));
  EXPECT_EQ(why, "the segment header's checksum is wrong");
}

TEST(Format, GroupWithTwoRecords) {
  Group group(kBlockBytes);
  group.place(kBlockBytes, salted_seed(kSalt));
  group.append(42, {7, 1, 1}, "hello");
  group.append(43, {7, 2, 1}, "");
  group.set_time(kTime);
  const std::string_view bytes = group.finish();
  ASSERT_EQ(bytes.size(), kBlockBytes);
  EXPECT_EQ(hex(bytes.substr(0, group.bytes())),
            "5347525080add7072a0000000000000000401e18240a06004d00000002000000"
            "05000000e579367a2a000000000000000701010068656c6c6f"
            "000000005a5b7d7a2b0000000000000007020101");
  EXPECT_EQ(bytes.find_last_not_of('\0'), group.bytes() - 1) << "the rest is zeros";

  std::string_view rest = bytes.substr(kGroupHeaderBytes);
  std::uint8_t flags = 0;
  std::string why;
  const auto first = decode_record(rest, salted_seed(kSalt), &flags, &why);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sequence, 42u);
  EXPECT_EQ(first->payload, "hello");
  EXPECT_EQ(flags, 0);
  EXPECT_FALSE(decode_record(rest, salted_seed(kSalt + 1), &flags, &why)) << "of another segment";
  EXPECT_EQ(why, "a record's checksum is wrong");
}

TEST(Format, Watermark) {
  char bytes[kWatermarkSlotBytes];
  encode_watermark({5, 43, 42, 8192}, bytes);
  EXPECT_EQ(hex({bytes, sizeof bytes}),
            "535057594d41524b010000000000000005000000000000002b000000000000002a000000000000000020000000000000"
            "54dd6e76");
  const auto back = decode_watermark({bytes, sizeof bytes});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->generation, 5u);
  EXPECT_EQ(back->sequence, 43u);
  EXPECT_EQ(back->segment, 42u);
  EXPECT_EQ(back->offset, 8192u);
}

TEST(Format, Snapshot) {
  char header[kSnapshotHeaderBytes];
  encode_snapshot_header({43, kTime, kSalt}, header);
  EXPECT_EQ(hex({header, sizeof header}),
            "53505759534e415001000000000000002b0000000000000000401e18240a06008877665544332211de1d20eb");
  char chunk[kChunkHeaderBytes];
  encode_chunk_header({5, 3, 7, ChunkKind::kData}, "state", salted_seed(kSalt), chunk);
  EXPECT_EQ(hex({chunk, sizeof chunk}), "05000000a5d994e10300000007010000");
  EXPECT_TRUE(chunk_is_sound(chunk, "state", salted_seed(kSalt)));
  EXPECT_FALSE(chunk_is_sound(chunk, "stale", salted_seed(kSalt)));
}

TEST(Format, Checkpoint) {
  EXPECT_EQ(hex(encode_checkpoint({kTime, {{7, 0xdeadbeef}}})),
            "0100000000401e18240a06000107efbeadde00000000");
}

TEST(Format, Names) {
  EXPECT_EQ(segment_name(1), "journal-00000000000000000001.log");
  EXPECT_EQ(snapshot_name(18'446'744'073'709'551'615u), "snapshot-18446744073709551615.snap");
  EXPECT_EQ(parse_segment_name("journal-00000000000000000420.log"), 420u);
  EXPECT_EQ(parse_segment_name("journal-0000000000000000042.log"), std::nullopt);
  EXPECT_EQ(parse_segment_name("journal-0000000000000000042x.log"), std::nullopt);
  EXPECT_EQ(parse_snapshot_name("snapshot-00000000000000000420.snap.tmp"), std::nullopt);
}

}  // namespace
}  // namespace spillway::journal
