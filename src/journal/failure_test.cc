#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "journal/journal_fixture.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files

constexpr std::uint64_t kStep = kFewRounds ? 20 : 1;

struct AfterError {
  std::size_t acknowledged_late = 0;  ///< begun after the error and acknowledged all the same
  std::size_t lost = 0;
  bool failed = false;
};

/// Lets `arrange` make something fail under load; then looks at what was answered, and at what is on disk.
AfterError run_with_error(const std::function<void(FailingFileSystem&)>& arrange) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  AfterError result;
  std::vector<std::uint64_t> acknowledged;
  {
    World world(files);
    EXPECT_EQ(world.start(), "");
    arrange(files);
    for (std::uint64_t i = 1; i <= 400 && !world.engine->stats().failed; ++i) {
      const bool late = files.failures() > 0;
      const std::size_t before = world.acknowledged.size();
      world.add_all(2 * i, 2 * i + 1, 2, 150);
      if (late) result.acknowledged_late += world.acknowledged.size() - before;
    }
    result.failed = world.engine->stats().failed;
    // After the end: nothing is taken any more, not even reads.
    world.run_until_idle([&] {
      world.stage_add(1'000'000);
      world.stage_read([&](Fate fate, std::size_t) { result.acknowledged_late += fate == Fate::kDurable; });
    });
    EXPECT_FALSE(result.failed && world.engine->accepting());
    world.engine->stop();
    EXPECT_EQ(world.failures(), result.failed ? 1 : 0) << "on_failure is called once";
    EXPECT_EQ(world.why().empty(), !result.failed);
    acknowledged = world.acknowledged;
  }
  World again(memory);
  EXPECT_EQ(again.open(), "");
  result.lost = missing(acknowledged, again.resident.numbers);
  EXPECT_EQ(missing({1'000'000}, again.resident.numbers), result.failed ? 1u : 0u);
  return result;
}

TEST(Failure, NoAcknowledgementAfterAnErrorOfTheNthWrite) {
  for (std::uint64_t n = 1; n <= 200; n += kStep) {
    const AfterError result =
        run_with_error([n](FailingFileSystem& files) { files.fail_writes_from(n, EIO); });
    ASSERT_TRUE(result.failed) << "write " << n;
    ASSERT_EQ(result.acknowledged_late, 0u) << "write " << n;
    ASSERT_EQ(result.lost, 0u) << "write " << n;
  }
}

TEST(Failure, NoAcknowledgementAfterAnErrorOfTheNthSync) {
  for (std::uint64_t n = 1; n <= 200; n += kStep) {
    const AfterError result =
        run_with_error([n](FailingFileSystem& files) { files.fail_syncs_from(n, EIO); });
    ASSERT_TRUE(result.failed) << "sync " << n;
    ASSERT_EQ(result.acknowledged_late, 0u) << "sync " << n;
    ASSERT_EQ(result.lost, 0u) << "sync " << n;
  }
}

TEST(Failure, TheTasksOfTheFailedWriteAreUnknown) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  files.hold_writes("journal-");
  Signal ran;
  Fate read_fate = Fate::kDurable;
  std::thread releaser;
  world.run_until_idle([&] {
    world.stage_add(2);
    releaser = std::thread([&] {
      files.wait_until_held();
      // From a thread of its own loop: a read and a write that gather while the first is being written.
      WaitLoop other(9);
      std::size_t left = 2;
      Signal both;
      other.run_until([&] { return left == 0; }, -1,
                      [&] {
                        other.stage(*world.engine, new TestTask(
                                                       false, [&](Turn&, Task&) { both.set(); },
                                                       [&](TestTask& task) {
                                                         read_fate = task.fate;
                                                         --left;
                                                       }));
                        other.stage(*world.engine, new TestTask(
                                                       true,
                                                       [&](Turn& turn, Task&) {
                                                         world.add(turn, 3);
                                                         files.fail_writes_from(1, EIO);
                                                         files.release_writes();
                                                       },
                                                       [&](TestTask& task) {
                                                         EXPECT_EQ(task.fate, Fate::kUnknown);
                                                         --left;
                                                       }));
                      });
    });
  });
  releaser.join();
  EXPECT_EQ(world.unknown, 1u);
  EXPECT_EQ(read_fate, Fate::kUnknown) << "it saw what is not durable";
  EXPECT_NE(world.why().find("cannot write data/journal-"), std::string::npos) << world.why();
  EXPECT_NE(world.why().find("Input/output error"), std::string::npos) << world.why();
}

TEST(Failure, ShortWritesAreContinued) {
  for (const std::size_t bytes : {4096u, 6000u, 12'288u}) {
    MemoryFileSystem memory;
    FailingFileSystem files(memory);
    files.limit_writes_to(bytes);
    {
      World world(files);
      ASSERT_EQ(world.start(), "");
      world.add_all(1, 200, 40, 500);
      EXPECT_EQ(world.acknowledged.size(), 200u);
    }
    World again(memory);
    ASSERT_EQ(again.open(), "");
    EXPECT_EQ(again.resident.numbers.values.size(), 200u);
  }
}

TEST(Failure, AWriteThatGetsNowhereIsAnError) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  // Less than a block. Of the log only: the spare segment is written by a thread of its own, and whichever
  // write comes first is the one that fails.
  files.limit_writes_to(1000, "journal-");
  world.add_all(2, 2, 1);
  EXPECT_EQ(world.unknown, 1u);
  EXPECT_TRUE(world.engine->stats().failed);
}

TEST(Failure, NoRoomInTheCommitPathIsAnErrorToo) {
  const AfterError result =
      run_with_error([](FailingFileSystem& files) { files.fail_writes_from(50, ENOSPC, "journal-"); });
  EXPECT_TRUE(result.failed);
  EXPECT_EQ(result.acknowledged_late, 0u);
  EXPECT_EQ(result.lost, 0u);
}

TEST(Failure, WorksWithoutDirectIo) {
  MemoryFileSystem memory(false);
  {
    World world(memory);
    ASSERT_EQ(world.start(), "");
    world.add_all(1, 100, 10);
    EXPECT_EQ(world.acknowledged.size(), 100u);
  }
  FailingFileSystem files(memory);
  files.refuse_direct();
  World again(files);
  ASSERT_EQ(again.start(), "");
  again.add_all(101, 200, 10);
  EXPECT_EQ(again.resident.numbers.values.size(), 200u);
}

/// Adds one number after the other until one is refused for want of room. Answers the next number.
std::uint64_t fill_up(World& world, std::uint64_t from) {
  while (world.storage_full == 0) {
    world.add_all(from, from, 1, 3000);
    ++from;
  }
  return from;
}

TEST(FullDisk, RefusesWritesAnswersReadsAndRecovers) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  std::vector<std::uint64_t> acknowledged;
  std::uint64_t refused_number = 0;
  {
    World world(files);
    ASSERT_EQ(world.start(), "");
    files.limit_room_to(3 * 64 * 1024);
    const std::uint64_t next = fill_up(world, 1);
    refused_number = next - 1;
    EXPECT_TRUE(world.engine->stats().storage_full);
    EXPECT_FALSE(world.engine->stats().failed);
    EXPECT_GT(world.acknowledged.size(), 20u) << "the room there was has been used";

    std::size_t count = 0;
    Fate fate = Fate::kUnknown;
    world.run_until_idle([&] {
      world.stage_read([&](Fate f, std::size_t c) {
        fate = f;
        count = c;
      });
    });
    EXPECT_EQ(fate, Fate::kDurable);
    EXPECT_EQ(count, world.acknowledged.size());

    files.unlimit_room();
    const std::size_t before = world.acknowledged.size();
    std::uint64_t number = next;
    while (world.acknowledged.size() == before) {
      world.refused = false;
      world.add_all(number, number, 1, 3000);
      ++number;
    }
    EXPECT_FALSE(world.engine->stats().storage_full);
    world.refused = false;
    world.add_all(10'000, 10'100, 10, 3000);
    EXPECT_FALSE(world.refused);
    acknowledged = world.acknowledged;
    EXPECT_EQ(world.failures(), 0);
  }
  World again(memory);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values, acknowledged) << "what was acknowledged, and nothing else";
  EXPECT_EQ(missing({refused_number}, again.resident.numbers), 1u);
}

TEST(FullDisk, StopsAndStartsWhileFull) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  std::vector<std::uint64_t> acknowledged;
  files.limit_room_to(3 * 64 * 1024);
  {
    World world(files);
    ASSERT_EQ(world.start(), "");
    fill_up(world, 1);
    acknowledged = world.acknowledged;
  }
  files.limit_room_to(100);
  World again(files);
  ASSERT_EQ(again.start(), "");
  Fate fate = Fate::kUnknown;
  again.run_until_idle([&] {
    again.stage_add(1);
    again.stage_read([&](Fate f, std::size_t) { fate = f; });
  });
  EXPECT_EQ(again.storage_full, 1u);
  EXPECT_EQ(fate, Fate::kDurable);
  EXPECT_EQ(again.resident.numbers.values, acknowledged);
  EXPECT_FALSE(again.engine->snapshot_now().ok());
}

}  // namespace
}  // namespace spillway::journal
