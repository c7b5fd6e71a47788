#include "journal/snapshot.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <sstream>
#include <thread>

#include "journal/inspect.h"
#include "journal/journal_fixture.h"
#include "journal/recovery.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files

Listing listing_of(FileSystem& files) {
  auto listing = list_journal(files, kDir);
  EXPECT_TRUE(listing.ok());
  return *listing;
}

/// Three snapshots, many segments, clean stop. Answers the state.
std::vector<std::uint64_t> make_journal(FileSystem& files) {
  std::vector<std::uint64_t> values;
  std::uint64_t next = 1;
  for (int round = 0; round < 3; ++round) {
    World world(files);
    EXPECT_EQ(world.start(), "");
    world.add_all(next, next + 199, 10, 600);
    next += 200;
    const Status made = world.engine->snapshot_now();
    EXPECT_TRUE(made.ok()) << made.error().message;
    world.add_all(next, next + 99, 10, 600);
    next += 100;
    values = world.resident.numbers.values;
  }
  return values;
}

TEST(Snapshot, IsUsedAtTheNextStartAndSetsOldSegmentsFree) {
  MemoryFileSystem files;
  const auto values = make_journal(files);
  const Listing listing = listing_of(files);
  ASSERT_EQ(listing.snapshots.size(), 2u) << "the newest two are kept";
  EXPECT_TRUE(listing.leftovers.empty());
  EXPECT_GT(listing.segments.front(), 1u) << "segments before the older snapshot are gone";
  EXPECT_LE(listing.segments.front(), listing.snapshots.front() + 1);
  World world(files);
  ASSERT_EQ(world.open(), "");
  EXPECT_EQ(world.resident.numbers.values, values);
  EXPECT_EQ(world.engine->recovery().snapshot_sequence, listing.snapshots.back());
  EXPECT_LT(world.engine->recovery().records, 150u);
}

TEST(Snapshot, IsMadeByItselfAfterEnoughSegments) {
  MemoryFileSystem files;
  EngineOptions options = small_options();
  options.snapshot_every_bytes = 200 * 1024;
  World world(files, options);
  ASSERT_EQ(world.start(), "");
  std::uint64_t next = 1;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    world.add_all(next, next + 499, 10, 1000);  // half a megabyte
    next += 500;
    // Nothing is added meanwhile: a thread of low priority would not keep up with a test that only writes.
    while (world.engine->stats().snapshots < round) {
      ASSERT_FALSE(world.engine->stats().failed) << world.why();
      std::this_thread::yield();
    }
  }
  EXPECT_GT(world.engine->stats().snapshot_sequence, 0u);
  EXPECT_EQ(world.engine->stats().snapshot_failures, 0u);
  world.engine->stop();
  EXPECT_LE(listing_of(files).snapshots.size(), 2u);
}

TEST(Snapshot, IsBegunAnewInAHurryWhenTheLogOutgrowsIt) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  EngineOptions options = small_options();
  options.snapshot_every_bytes = 200 * 1024;
  World world(files, options);
  ASSERT_EQ(world.start(), "");
  files.hold_writes("snapshot-");
  std::uint64_t next = 1;
  const auto add_bytes = [&](std::size_t bytes) {
    const std::uint64_t last = next + bytes / 600;
    world.add_all(next, last, 10, 600);
    next = last + 1;
  };
  add_bytes(400 * 1024);
  files.wait_until_held();
  add_bytes(1200 * 1024);  // with that more than four times as much as a snapshot is made after
  const std::uint64_t outgrown = world.engine->stats().last_sequence / 2;
  files.release_writes();
  while (world.engine->stats().snapshot_sequence == 0) std::this_thread::yield();
  const EngineStats stats = world.engine->stats();
  EXPECT_GT(stats.snapshot_sequence, outgrown);
  EXPECT_EQ(stats.snapshot_failures, 0u);
  EXPECT_EQ(world.failures(), 0) << world.why();
}

TEST(Snapshot, ADamagedOneFallsBackToTheOneBefore) {
  MemoryFileSystem files;
  const auto values = make_journal(files);
  const Listing listing = listing_of(files);
  const std::string newest = in_directory(kDir, snapshot_name(listing.snapshots.back()));
  std::unique_ptr<File> file;
  ASSERT_EQ(files.open(newest, {.write = true}, &file), 0);
  ASSERT_EQ(write_all(*file, 100, "?", 1), 0);
  {
    World world(files);
    ASSERT_EQ(world.start(), "");
    EXPECT_EQ(world.resident.numbers.values, values);
    EXPECT_EQ(world.engine->recovery().snapshot_sequence, listing.snapshots.front());
    ASSERT_EQ(world.engine->recovery().notes.size(), 1u);
    EXPECT_NE(world.engine->recovery().notes.front().find(newest), std::string::npos);
    // The next one takes its place; the damaged one goes, the one it was built on stays.
    world.add_all(5000, 5010, 2);
    const Status made = world.engine->snapshot_now();
    EXPECT_TRUE(made.ok()) << made.error().message;
  }
  const Listing after = listing_of(files);
  ASSERT_EQ(after.snapshots.size(), 2u);
  EXPECT_EQ(after.snapshots.front(), listing.snapshots.front());
  EXPECT_GT(after.snapshots.back(), listing.snapshots.back());
}

TEST(Snapshot, RefusesToStartWhenNoneIsSoundAndTheLogDoesNotReachBack) {
  MemoryFileSystem files;
  make_journal(files);
  const Listing listing = listing_of(files);
  for (const std::uint64_t sequence : listing.snapshots) {
    std::unique_ptr<File> file;
    ASSERT_EQ(files.open(in_directory(kDir, snapshot_name(sequence)), {.write = true}, &file), 0);
    ASSERT_EQ(file->truncate(100), 0);
  }
  World world(files);
  const std::string why = world.open();
  EXPECT_NE(why.find(snapshot_name(listing.snapshots.back()) + ", offset "), std::string::npos) << why;
}

TEST(Snapshot, CatchesAMachineThatTheLogDoesNotReproduce) {
  MemoryFileSystem files;
  World world(files);
  world.resident.wrong_every = 50;
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 100, 10);
  const Status made = world.engine->snapshot_now();
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("the log does not reproduce the state"), std::string::npos)
      << made.error().message;
  EXPECT_EQ(world.failures(), 1);
  EXPECT_TRUE(world.engine->stats().failed);
  EXPECT_TRUE(listing_of(files).snapshots.empty()) << "nothing is written that is known to be wrong";
  EXPECT_EQ(listing_of(files).segments.front(), 1u);
}

/// Tells a digest that is not that of its state.
class Liar final : public Replica {
 public:
  std::uint8_t service() const override { return kNumbersService; }
  Status apply(const Record& record) override { return numbers_.apply(record); }
  std::uint64_t digest() const override { return numbers_.digest(); }
  std::uint64_t recompute_digest() const override { return numbers_.digest() + 1; }
  void save(SnapshotSink& sink) const override { numbers_.save(sink); }
  Status load(SnapshotSource& source) override { return numbers_.load(source); }

 private:
  Numbers numbers_;
};

TEST(Snapshot, CatchesADigestThatIsNotOfTheState) {
  MemoryFileSystem files;
  SystemClock clock;
  NumbersResident resident;
  auto opened = Engine::open(files, clock, small_options(), {&resident}, [] {
    std::vector<std::unique_ptr<Replica>> replicas;
    replicas.push_back(std::make_unique<Liar>());
    return replicas;
  });
  ASSERT_TRUE(opened.ok());
  (*opened)->start();
  const Status made = (*opened)->snapshot_now();
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("keeps a digest that is not its state's"), std::string::npos);
}

TEST(Snapshot, WithoutRoomIsTriedAgainAndRemovesItsPieces) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 3000, 100);
  files.fail_writes_from(1, ENOSPC, "snapshot-");
  const Status made = world.engine->snapshot_now();
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("No space left on device"), std::string::npos) << made.error().message;
  EXPECT_FALSE(world.engine->stats().failed);
  EXPECT_EQ(world.engine->stats().snapshot_failures, 1u);
  EXPECT_TRUE(listing_of(memory).snapshots.empty());
  std::vector<std::string> names;
  ASSERT_EQ(memory.list(kDir, &names), 0);
  for (const std::string& name : names) EXPECT_EQ(name.find(".snap"), std::string::npos) << name;
  files.fail_writes_from(0, 0);
  const Status again = world.engine->snapshot_now();
  EXPECT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(listing_of(memory).snapshots.size(), 1u);
}

TEST(Inspect, TellsWhatIsThereAndVerifyReplaysIt) {
  MemoryFileSystem files;
  const auto values = make_journal(files);
  std::ostringstream out;
  ASSERT_TRUE(inspect(files, kDir, out).ok());
  EXPECT_NE(out.str().find("watermark: acknowledged up to sequence"), std::string::npos);
  EXPECT_NE(out.str().find("service 7 event 1 version 1: "), std::string::npos);
  EXPECT_EQ(out.str().find("DAMAGED"), std::string::npos) << out.str();
  const auto operations = files.operations();
  const auto report = verify(files, kDir, numbers_factory());
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(files.operations(), operations) << "verify changes nothing";
  EXPECT_EQ(report->snapshots, 2u);
  EXPECT_EQ(report->damaged_snapshots, 0u);
  EXPECT_EQ(report->last_sequence, report->watermark_sequence);
  Numbers expected;
  for (const std::uint64_t value : values) expected.add(value);
  ASSERT_EQ(report->digests.size(), 1u);
  EXPECT_EQ(report->digests.front().digest, expected.digest());

  World world(files);
  ASSERT_EQ(world.open(), "");
  const auto in_use = verify(files, kDir, numbers_factory());
  ASSERT_FALSE(in_use.ok());
  EXPECT_NE(in_use.error().message.find("a running server"), std::string::npos);
}

TEST(Inspect, NamesDamage) {
  MemoryFileSystem files;
  make_journal(files);
  const Listing listing = listing_of(files);
  const std::string name = segment_name(listing.segments.back());
  std::unique_ptr<File> file;
  ASSERT_EQ(files.open(in_directory(kDir, name), {.write = true}, &file), 0);
  ASSERT_EQ(write_all(*file, kBlockBytes + 40, "?", 1), 0);
  std::ostringstream out;
  ASSERT_TRUE(inspect(files, kDir, out).ok());
  EXPECT_NE(out.str().find("offset 4128: a record's checksum is wrong"), std::string::npos) << out.str();
  const auto report = verify(files, kDir, numbers_factory());
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().message.find(name + ", offset 4128"), std::string::npos) << report.error().message;
}

/// One random piece of damage to one file of the journal. Answers what it was.
std::string damage_something(MemoryFileSystem& files, std::mt19937_64& random) {
  std::vector<std::string> names;
  EXPECT_EQ(files.list(kDir, &names), 0);
  std::erase(names, kLockName);
  const std::string name = names[random() % names.size()];
  std::unique_ptr<File> file;
  EXPECT_EQ(files.open(in_directory(kDir, name), {.write = true}, &file), 0);
  std::uint64_t size = 0;
  EXPECT_EQ(file->size(&size), 0);
  std::string content(size, '\0');
  std::size_t all = 0;
  EXPECT_EQ(read_all(*file, 0, content.data(), size, &all), 0);
  // Mostly where something is written, not in the zeros after it.
  const std::uint64_t used = content.find_last_not_of('\0') + 1;
  const std::uint64_t offset = random() % (random() % 4 == 0 ? size : used);
  std::string what = name + " at " + std::to_string(offset);
  if (random() % 4 == 0) {
    const std::uint64_t at = random() % 2 == 0 ? offset : offset / kBlockBytes * kBlockBytes;
    EXPECT_EQ(file->truncate(at), 0);
    return what + " cut";
  }
  const std::size_t length = random() % 4 == 0 ? 1 + random() % 5000 : 1;
  std::string bytes(std::min<std::uint64_t>(length, size - offset), '\0');
  std::size_t got = 0;
  EXPECT_EQ(read_all(*file, offset, bytes.data(), bytes.size(), &got), 0);
  if (bytes.size() == 1)
    bytes[0] = static_cast<char>(bytes[0] ^ (1 << random() % 8));
  else
    for (char& c : bytes) c = random() % 2 == 0 ? static_cast<char>(random()) : '\0';
  EXPECT_EQ(write_all(*file, offset, bytes.data(), bytes.size()), 0);
  return what + " changed, " + std::to_string(bytes.size()) + " bytes";
}

TEST(Damage, IsHarmlessOrRefusedWithAClearMessage) {
  const std::uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  MemoryFileSystem sound;
  const auto values = make_journal(sound);
  int harmless = 0, refused = 0;
  for (int i = 0; i < (kFewRounds ? 100 : 1000); ++i) {
    auto files = sound.copy();
    const std::string what = damage_something(*files, random);
    World world(*files);
    const std::string why = world.open();
    if (why.empty()) {
      ++harmless;
      ASSERT_EQ(world.resident.numbers.values, values) << "a wrong answer after: " << what;
    } else {
      ++refused;
      EXPECT_NE(why.find("data/"), std::string::npos) << what << " was refused with: " << why;
      EXPECT_NE(why.find("offset "), std::string::npos) << what << " was refused with: " << why;
    }
  }
  std::printf("%d harmless, %d refused\n", harmless, refused);
  EXPECT_GT(harmless, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace spillway::journal
