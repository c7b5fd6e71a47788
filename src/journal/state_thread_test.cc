#include <gtest/gtest.h>

#include <chrono>

#include "journal/journal_fixture.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files

/// Wherever it stands among the tasks that are timed as one turn.
TEST(StateThread, TellsOfTheLongestTurn) {
  constexpr auto kSlow = std::chrono::milliseconds(20);
  for (const std::size_t place : {0u, 2u, 7u, 8u, 12u}) {
    MemoryFileSystem files;
    World world(files);
    ASSERT_EQ(world.start(), "");
    world.run_until_idle([&] {
      for (std::size_t i = 0; i < 13; ++i) {
        ++world.outstanding;
        world.loop.stage(*world.engine, new TestTask(
                                            false,
                                            [slow = i == place, kSlow](Turn&, Task&) {
                                              const auto until = std::chrono::steady_clock::now() + kSlow;
                                              while (slow && std::chrono::steady_clock::now() < until) {
                                              }
                                            },
                                            [&](TestTask&) { --world.outstanding; }));
      }
    });
    world.engine->stop();
    EXPECT_GE(world.engine->stats().longest_turn_us, 20'000) << place;
  }
}

}  // namespace
}  // namespace spillway::journal
