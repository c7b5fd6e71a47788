#include "journal/recovery.h"

#include <gtest/gtest.h>

#include "journal/journal_fixture.h"
#include "journal/watermark.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files

std::string path(const std::string& name) { return in_directory(kDir, name); }

/// A journal as kill -9 leaves it: nothing sealed, nothing truncated.
std::unique_ptr<MemoryFileSystem> killed_journal(std::uint64_t numbers) {
  MemoryFileSystem files;
  EngineOptions options = small_options();
  options.segment_bytes = 256 * 1024;  // all in one
  World world(files, options);
  EXPECT_EQ(world.start(), "");
  for (std::uint64_t i = 1; i <= numbers; ++i) world.add_all(i, i, 1);  // a group each
  EXPECT_EQ(world.acknowledged.size(), numbers);
  return files.copy();
}

void write(FileSystem& files, const std::string& name, std::uint64_t offset, std::string_view bytes) {
  std::unique_ptr<File> file;
  ASSERT_EQ(files.open(path(name), {.create = true, .write = true}, &file), 0);
  ASSERT_EQ(write_all(*file, offset, bytes.data(), bytes.size()), 0);
}
std::string read(FileSystem& files, const std::string& name, std::uint64_t offset, std::size_t size) {
  std::unique_ptr<File> file;
  EXPECT_EQ(files.open(path(name), {}, &file), 0);
  std::string bytes(size, '\0');
  std::size_t got = 0;
  EXPECT_EQ(read_all(*file, offset, bytes.data(), size, &got), 0);
  bytes.resize(got);
  return bytes;
}
void truncate(FileSystem& files, const std::string& name, std::uint64_t size) {
  std::unique_ptr<File> file;
  ASSERT_EQ(files.open(path(name), {.write = true}, &file), 0);
  ASSERT_EQ(file->truncate(size), 0);
}
/// The sound groups of a segment: where they stand, and at the end where they end.
std::vector<std::uint64_t> group_offsets(FileSystem& files, std::uint64_t first) {
  auto reader = SegmentReader::open(files, kDir, first);
  EXPECT_TRUE(reader.ok());
  std::vector<std::uint64_t> offsets{(*reader)->offset()};
  while (true) {
    auto step = (*reader)->next();
    EXPECT_TRUE(step.ok());
    if (*step != SegmentReader::Step::kGroup) return offsets;
    offsets.push_back((*reader)->offset());
  }
}
void expect_refusal(FileSystem& files, const std::string& file, const std::string& what) {
  World world(files);
  const std::string why = world.open();
  EXPECT_NE(why.find(path(file)), std::string::npos) << why;
  EXPECT_NE(why.find("offset "), std::string::npos) << why;
  EXPECT_NE(why.find(what), std::string::npos) << why;
}
std::string first_segment() { return segment_name(1); }

TEST(Recovery, CutsATornTail) {
  auto files = killed_journal(10);
  const std::uint64_t end = group_offsets(*files, 1).back();
  // A group whose first block came to the disk and whose second did not: copied, so that it looks right at
  // first.
  std::string torn = read(*files, first_segment(), end - kBlockBytes, kBlockBytes);
  torn[100] = 'x';
  write(*files, first_segment(), end, torn);
  World world(*files);
  ASSERT_EQ(world.start(), "");
  EXPECT_EQ(world.resident.numbers.values.size(), 10u);
  EXPECT_GT(world.engine->recovery().bytes_cut, 0u);
  std::unique_ptr<File> file;
  std::uint64_t size = 0;
  ASSERT_EQ(files->open(path(first_segment()), {}, &file), 0);
  ASSERT_EQ(file->size(&size), 0);
  EXPECT_EQ(size, end);
  world.add_all(11, 20, 3);
  world.engine->stop();
  World again(*files);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values.size(), 20u);
  EXPECT_EQ(again.engine->recovery().bytes_cut, 0u);
}

TEST(Recovery, KeepsAWholeGroupPastTheWatermark) {
  auto files = killed_journal(10);
  const auto offsets = group_offsets(*files, 1);
  // As after a power cut: the last write of the watermark never came to the disk.
  const auto mark = read_watermark(*files, kDir);
  ASSERT_TRUE(mark.ok());
  char slot[kWatermarkSlotBytes];
  encode_watermark({mark->generation, mark->sequence - 4, 1, offsets[offsets.size() - 5]}, slot);
  write(*files, kWatermarkName, mark->generation % 2 * kWatermarkSlotDistance, {slot, sizeof slot});
  encode_watermark({mark->generation - 1, mark->sequence - 5, 1, 0}, slot);
  write(*files, kWatermarkName, (mark->generation - 1) % 2 * kWatermarkSlotDistance, {slot, sizeof slot});
  World world(*files);
  ASSERT_EQ(world.open(), "");
  EXPECT_EQ(world.resident.numbers.values.size(), 10u);
  const auto after = read_watermark(*files, kDir);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->sequence, mark->sequence) << "what recovery shows is acknowledged from then on";
}

TEST(Recovery, RefusesALogCutAtAGroupsBoundaryBeforeTheWatermark) {
  auto files = killed_journal(10);
  const auto offsets = group_offsets(*files, 1);
  truncate(*files, first_segment(), offsets[offsets.size() - 2]);
  expect_refusal(*files, first_segment(), "offset " + std::to_string(offsets[offsets.size() - 2]));
}

TEST(Recovery, RefusesALogZeroedFromAGroupsBoundary) {
  auto files = killed_journal(10);
  const auto offsets = group_offsets(*files, 1);
  write(*files, first_segment(), offsets[offsets.size() - 2], std::string(kBlockBytes, '\0'));
  expect_refusal(*files, first_segment(), "work was acknowledged up to sequence");
}

TEST(Recovery, RefusesDamageBeforeALaterGroupEvenPastTheWatermark) {
  auto files = killed_journal(10);
  const auto offsets = group_offsets(*files, 1);
  char slot[kWatermarkSlotBytes];
  for (std::uint64_t generation : {100, 101}) {
    encode_watermark({generation, 1, 1, offsets[1]}, slot);
    write(*files, kWatermarkName, generation % 2 * kWatermarkSlotDistance, {slot, sizeof slot});
  }
  write(*files, first_segment(), offsets[4] + 40, "?");
  expect_refusal(*files, first_segment(), "a later group follows at offset " + std::to_string(offsets[5]));
}

TEST(Recovery, RefusesWithoutAWatermark) {
  auto files = killed_journal(3);
  ASSERT_EQ(files->remove(path(kWatermarkName)), 0);
  expect_refusal(*files, kWatermarkName, "the watermark is missing");
}

TEST(Recovery, RefusesWithBothSlotsOfTheWatermarkBroken) {
  auto files = killed_journal(3);
  write(*files, kWatermarkName, 20, "?");
  {
    auto copy = files->copy();
    World world(*copy);
    EXPECT_EQ(world.open(), "") << "one slot is enough";
    EXPECT_EQ(world.resident.numbers.values.size(), 3u);
  }
  write(*files, kWatermarkName, kWatermarkSlotDistance + 20, "?");
  expect_refusal(*files, kWatermarkName, "neither of the two slots");
}

std::unique_ptr<MemoryFileSystem> journal_of_three_segments() {
  MemoryFileSystem files;
  for (std::uint64_t round = 0; round < 3; ++round) {
    World world(files);
    EXPECT_EQ(world.start(), "");
    world.add_all(round * 10 + 1, round * 10 + 10, 2);
  }
  return files.copy();
}

TEST(Recovery, RefusesWithoutOneOfTheSegments) {
  auto files = journal_of_three_segments();
  const auto listing = list_journal(*files, kDir);
  ASSERT_TRUE(listing.ok());
  ASSERT_EQ(listing->segments.size(), 3u);
  for (const std::uint64_t first : listing->segments) {
    auto copy = files->copy();
    ASSERT_EQ(copy->remove(path(segment_name(first))), 0);
    World world(*copy);
    const std::string why = world.open();
    const bool at_end = first == listing->segments.back();
    EXPECT_NE(why.find(at_end       ? "work was acknowledged up to"
                       : first == 1 ? "this segment is missing"
                                    : "the journal goes on after this segment's"),
              std::string::npos)
        << why;
  }
  auto none = files->copy();
  for (const std::uint64_t first : listing->segments) ASSERT_EQ(none->remove(path(segment_name(first))), 0);
  expect_refusal(*none, first_segment(), "this segment is missing");
}

TEST(Recovery, AcceptsAnEmptyLastSegment) {
  auto files = killed_journal(10);
  const auto mark = read_watermark(*files, kDir);
  ASSERT_TRUE(mark.ok());
  // As after a power cut between opening a segment and the first write to it.
  char header[kSegmentHeaderBytes];
  encode_segment_header({mark->sequence + 1, 99}, header);
  const std::string name = segment_name(mark->sequence + 1);
  write(*files, name, 0, std::string(64 * 1024, '\0'));
  write(*files, name, 0, {header, sizeof header});
  World world(*files);
  ASSERT_EQ(world.start(), "");
  EXPECT_EQ(world.resident.numbers.values.size(), 10u);
  world.add_all(11, 12, 1);
  world.engine->stop();
  World again(*files);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values.size(), 12u);
  EXPECT_EQ(again.engine->stats().segments, 2u);
}

TEST(Recovery, BeginsAgainAfterAStartThatWasCutShort) {
  MemoryFileSystem files;
  write(files, kWatermarkTemporaryName, 0, "half");
  write(files, kSpareName, 0, "half");
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 5, 1);
  EXPECT_EQ(world.acknowledged.size(), 5u);
}

TEST(Recovery, RefusesAnotherStateThanTheLogWasWrittenFrom) {
  MemoryFileSystem files;
  World world(files);
  world.resident.wrong_every = 5;
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 5, 1);
  world.engine->stop();
  expect_refusal(files, first_segment(), "the log does not reproduce the state");
}

TEST(Recovery, RefusesRecordsOfAServiceThatIsNotThere) {
  auto files = killed_journal(3);
  SystemClock clock;
  const auto opened = Engine::open(*files, clock, small_options(), {},
                                   [] { return std::vector<std::unique_ptr<Replica>>(); });
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("service 7"), std::string::npos) << opened.error().message;
}

TEST(Recovery, BytesInUserDataNeverPassAsRecords) {
  // Somebody sends a whole group as data, sound but for the salt that nobody can know, and that commit is
  // torn.
  auto files = killed_journal(5);
  const auto offsets = group_offsets(*files, 1);
  const std::string forged = read(*files, first_segment(), offsets[2], kBlockBytes);
  MemoryFileSystem other;
  World world(other);
  ASSERT_EQ(world.start(), "");
  world.run_until_idle([&] {
    ++world.outstanding;
    world.loop.stage(*world.engine,
                     new TestTask(
                         true,
                         [&](Turn& turn, Task&) {
                           std::string payload;
                           ByteWriter(payload).u64(1);
                           // so that the forged group stands at a block's start
                           payload.resize(kBlockBytes - kGroupHeaderBytes - kRecordHeaderBytes);
                           turn.append(kAdded, payload + forged);
                           world.resident.numbers.add(1);
                         },
                         [&](TestTask&) { --world.outstanding; }));
  });
  auto killed = other.copy();
  const std::uint64_t end = group_offsets(*killed, 1).back();
  // The group with the forged one inside is torn, and was never acknowledged.
  char slot[kWatermarkSlotBytes];
  for (std::uint64_t generation : {100, 101}) {
    encode_watermark({generation, 0, 0, 0}, slot);
    write(*killed, kWatermarkName, generation % 2 * kWatermarkSlotDistance, {slot, sizeof slot});
  }
  write(*killed, first_segment(), end - 2 * kBlockBytes + 8, "?");
  World again(*killed);
  ASSERT_EQ(again.open(), "");
  EXPECT_TRUE(again.resident.numbers.values.empty());
  EXPECT_GT(again.engine->recovery().bytes_cut, kBlockBytes);
}

}  // namespace
}  // namespace spillway::journal
