#include "journal/group_target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "base/limits.h"
#include "journal/journal_fixture.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files
using std::chrono::microseconds;

/// What a process on two processors does in a millisecond.
constexpr microseconds kMillis{1000}, kBusy{1980}, kHalfBusy{1000};

TEST(GroupTarget, WaitsForNobodyUnlessProcessorsAreShort) {
  GroupTarget target(2, 0.94);
  EXPECT_EQ(target.tasks(), 0u);
  for (int i = 0; i < 100; ++i) target.committed(50, kHalfBusy, kMillis);
  EXPECT_EQ(target.tasks(), 0u);
  for (int i = 0; i < 100; ++i) target.committed(50, microseconds(1870), kMillis);
  EXPECT_EQ(target.tasks(), 0u) << "just below";
}

TEST(GroupTarget, GrowsWhileItIsReachedAndProcessorsAreShort) {
  GroupTarget target(2, 0.94);
  std::size_t before = 0;
  target.committed(0, kBusy, kMillis);
  EXPECT_EQ(target.tasks(), 0u) << "a tick's records";
  for (int i = 0; i < 20; ++i) {
    target.committed(std::max<std::size_t>(before, 1), kBusy, kMillis);
    EXPECT_GT(target.tasks(), before);
    before = target.tasks();
  }
  target.committed(before - 1, kBusy, kMillis);
  EXPECT_EQ(target.tasks(), before) << "so many do not come";
  for (int i = 0; i < 1000; ++i) target.committed(target.tasks() + 1, kBusy, kMillis);
  EXPECT_EQ(target.tasks(), limits::kMostGathered);
}

TEST(GroupTarget, FallsToNothingWhenTheyAreNot) {
  GroupTarget target(1, 0.94);
  for (int i = 0; i < 1000; ++i) target.committed(target.tasks() + 1, kMillis, kMillis);
  std::size_t before = target.tasks();
  target.committed(before, kMillis / 2, kMillis);
  EXPECT_LE(target.tasks(), before * 3 / 4);
  for (int i = 0; i < 30; ++i) target.committed(before, kMillis / 2, kMillis);
  EXPECT_EQ(target.tasks(), 0u);
}

TEST(GroupTarget, SeesTheTimeThatThreadsUse) {
  EXPECT_GE(GroupTarget::usable_processors(), 1u);
  const auto before = GroupTarget::processor_time();
  while (GroupTarget::processor_time() - before < microseconds(100)) {
  }
  EXPECT_GT(GroupTarget::processor_time(), before);
}

// ---- In the engine
// -----------------------------------------------------------------------------------------

/// A world in which processors are always short and nobody minds waiting: a commit waits until there is one
/// task more than the one before had, for however long.
class PatientWorld : public World {
 public:
  explicit PatientWorld(FileSystem& files) : World(files, options()) {}

  /// Returns when the state thread has run it, answered or not.
  void add_and_see_it_run(std::uint64_t number) {
    std::atomic<bool> ran{false};
    loop.run_until([&] { return ran.load(); }, -1,
                   [&] {
                     ++outstanding;
                     loop.stage(*engine, new TestTask(
                                             true,
                                             [this, number, &ran](Turn& turn, Task&) {
                                               add(turn, number);
                                               ran = true;
                                               loop.wake();
                                             },
                                             [this, number](TestTask& task) {
                                               --outstanding;
                                               if (task.fate == Fate::kDurable)
                                                 acknowledged.push_back(number);
                                             }));
                   });
  }
  std::uint64_t groups() const { return engine->stats().groups; }

 private:
  static EngineOptions options() {
    EngineOptions options = small_options();
    options.processors_short_at = 0;
    options.longest_gathering_us = 3600 * kSecond;
    options.segment_bytes = 1024 * 1024;  // the end of one ends the waiting, too
    return options;
  }
};

TEST(Gathering, MakesCommitsLargerWhenProcessorsAreShort) {
  MemoryFileSystem files;
  PatientWorld world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  for (std::uint64_t number = 2, awaited = 1; awaited < 6; ++awaited) {
    const std::uint64_t before = world.groups();
    for (std::uint64_t i = 0; i < awaited; ++i) world.add_and_see_it_run(number++);
    world.run_until_idle({});
    EXPECT_EQ(world.groups(), before + 1) << awaited;
  }
  EXPECT_EQ(world.acknowledged.size(), 16u);
}

TEST(Gathering, EndsWhenSomebodyWaits) {
  MemoryFileSystem files;
  PatientWorld world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  world.add_all(2, 2, 1);
  world.add_and_see_it_run(3);  // alone: two are awaited
  const Status made = world.engine->snapshot_now();
  EXPECT_TRUE(made.ok()) << made.error().message;
  world.run_until_idle({});
  EXPECT_EQ(world.acknowledged.size(), 3u);
  world.add_and_see_it_run(4);
  world.engine->stop();
  world.run_until_idle({});
  EXPECT_EQ(world.acknowledged.size(), 4u);
}

}  // namespace
}  // namespace spillway::journal
