#include "journal/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "journal/journal_fixture.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files

/// A loop that only remembers what was delivered to it.
class RecordingLoop final : public Loop {
 public:
  explicit RecordingLoop(std::size_t index) : Loop(index) {}
  ~RecordingLoop() override = default;
  void deliver(NodeList nodes) override {
    const std::lock_guard lock(mutex_);
    deliveries_.push_back(nodes.size());
    all_.append(std::move(nodes));
    changed_.notify_all();
  }
  void wait_for(std::size_t tasks) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return all_.size() >= tasks; });
  }
  std::vector<std::size_t> deliveries() {
    const std::lock_guard lock(mutex_);
    return deliveries_;
  }
  void finish_all() {
    while (Node* node = all_.pop()) node->finish();
  }

 protected:
  void request_round_end() override {}

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> deliveries_;
  NodeList all_;
};

TEST(Engine, AnswersAndRemembers) {
  MemoryFileSystem files;
  {
    World world(files);
    ASSERT_EQ(world.start(), "");
    EXPECT_EQ(world.engine->recovery().records, 0u);
    world.add_all(1, 1000, 50);
    EXPECT_EQ(world.acknowledged.size(), 1000u);
    const EngineStats stats = world.engine->stats();
    EXPECT_EQ(stats.in_works, 0u);
    EXPECT_EQ(stats.last_sequence, stats.durable_sequence);
    EXPECT_GE(stats.last_sequence, 1000u);
    EXPECT_GT(stats.groups, 0u);
    EXPECT_LT(stats.groups, 1000u) << "groups are made of many tasks";
    EXPECT_FALSE(stats.failed);
  }
  World again(files);
  ASSERT_EQ(again.start(), "");
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 1; i <= 1000; ++i) expected.push_back(i);
  EXPECT_EQ(again.resident.numbers.values, expected);
  EXPECT_EQ(again.engine->recovery().bytes_cut, 0u);
  EXPECT_GT(again.engine->recovery().records, 1000u);
}

TEST(Engine, PrefetchesForEveryTaskBeforeItRuns) {
  class Fetching final : public Task {
   public:
    explicit Fetching(std::size_t& without) : without_(without) {}
    bool mutates() const override { return false; }
    void prefetch() const override { fetched_ = true; }
    void run(Turn&) override {
      if (!fetched_) ++without_;
    }
    void finish() override { delete this; }

   private:
    std::size_t& without_;
    mutable bool fetched_ = false;
  };
  MemoryFileSystem files;
  World world(files);
  ASSERT_EQ(world.start(), "");
  std::size_t without = 0;
  RecordingLoop loop(3);
  std::size_t total = 0;
  for (const std::size_t tasks : {1u, 7u, 8u, 9u, 3'000u}) {  // the last: more than one round
    NodeList list;
    for (std::size_t i = 0; i < tasks; ++i) {
      auto* const task = new Fetching(without);
      task->home = &loop;
      list.push(task);
    }
    world.engine->take(std::move(list));
    loop.wait_for(total += tasks);
  }
  loop.finish_all();
  EXPECT_EQ(without, 0u);
}

TEST(Engine, OneDirectoryOneEngine) {
  MemoryFileSystem files;
  World first(files), second(files);
  ASSERT_EQ(first.start(), "");
  EXPECT_NE(second.open().find("data/LOCK: another process is using this directory"), std::string::npos);
  first.engine->stop();
  EXPECT_EQ(second.open(), "");
}

TEST(Engine, GivesReadsBackOnlyWhenWhatTheySawIsDurable) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  files.hold_writes("journal-");
  RecordingLoop loop(3);
  Signal ran;
  std::vector<std::string> order;
  const auto task = [&](const char* name, bool mutates) {
    auto* made = new TestTask(
        mutates,
        [&, mutates](Turn& turn, Task&) {
          if (mutates) world.add(turn, 2);
          ran.set();
        },
        [&order, name](TestTask& done) {
          EXPECT_EQ(done.fate, Fate::kDurable);
          order.emplace_back(name);
        });
    made->home = &loop;
    NodeList list;
    list.push(made);
    return list;
  };
  world.engine->take(task("add", true));
  files.wait_until_held();
  world.engine->take(task("read", false));
  ran.wait_for(2);
  // A third round on the state thread shows that the one of the read is through.
  Signal third;
  auto* after = new TestTask(
      false, [&](Turn&, Task&) { third.set(); }, [&order](TestTask&) { order.emplace_back("after"); });
  after->home = &loop;
  NodeList list;
  list.push(after);
  world.engine->take(std::move(list));
  third.wait_for();
  EXPECT_TRUE(loop.deliveries().empty()) << "a read told of something that is not durable";
  files.release_writes();
  loop.wait_for(3);
  loop.finish_all();
  EXPECT_EQ(order, (std::vector<std::string>{"add", "read", "after"}));
}

TEST(Engine, GivesReadsBackWithoutAWriteWhenNothingIsInTheWorks) {
  MemoryFileSystem files;
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  const std::uint64_t groups = world.engine->stats().groups;
  std::size_t seen = 0;
  world.run_until_idle([&] { world.stage_read([&](Fate, std::size_t count) { seen = count; }); });
  EXPECT_EQ(seen, 1u);
  EXPECT_EQ(world.engine->stats().groups, groups);
}

TEST(Engine, HandsOverOnceForEachLoopAndGroupInOrder) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  files.hold_writes("journal-");
  RecordingLoop one(1), two(2);
  std::vector<int> finished_one, finished_two;
  Signal ran;
  const auto give = [&](RecordingLoop& loop, std::vector<int>& finished, int number) {
    auto* made = new TestTask(
        true,
        [&, number](Turn& turn, Task&) {
          world.add(turn, static_cast<std::uint64_t>(number));
          ran.set();
        },
        [&finished, number](TestTask&) { finished.push_back(number); });
    made->home = &loop;
    NodeList list;
    list.push(made);
    world.engine->take(std::move(list));
  };
  give(one, finished_one, 100);
  files.wait_until_held();  // the first group is being written; the rest gathers
  for (int i = 0; i < 50; ++i) {
    give(one, finished_one, 200 + i);
    give(two, finished_two, 300 + i);
  }
  ran.wait_for(101);
  files.release_writes();
  one.wait_for(51);
  two.wait_for(50);
  // The state thread may have offered the second group in the middle of its last round.
  EXPECT_EQ(one.deliveries().front(), 1u);
  EXPECT_EQ(one.deliveries()[1], 50u);
  EXPECT_EQ(one.deliveries().size(), 2u);
  EXPECT_EQ(two.deliveries(), (std::vector<std::size_t>{50}));
  one.finish_all();
  two.finish_all();
  std::vector<int> expected_one{100}, expected_two;
  for (int i = 0; i < 50; ++i) {
    expected_one.push_back(200 + i);
    expected_two.push_back(300 + i);
  }
  EXPECT_EQ(finished_one, expected_one);
  EXPECT_EQ(finished_two, expected_two);
}

TEST(Engine, RefusesWhatIsTooMuchAtOnce) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  EngineOptions options = small_options();
  options.inbox_tasks = 10;
  World world(files, options);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  files.hold_writes("journal-");
  world.loop.run_until([&] { return world.overloaded == 15; }, -1,
                       [&] {
                         for (std::uint64_t i = 0; i < 25; ++i) world.stage_add(100 + i);
                       });
  EXPECT_EQ(world.outstanding, 10u) << "the first ten are in the works";
  EXPECT_FALSE(world.engine->accepting());
  files.release_writes();
  world.run_until_idle({});
  EXPECT_EQ(world.acknowledged.size(), 11u);
  EXPECT_EQ(world.acknowledged.back(), 109u);
  EXPECT_TRUE(world.engine->accepting());
}

TEST(Engine, StopFinishesWhatWasTakenAndRefusesTheRest) {
  MemoryFileSystem memory;
  FailingFileSystem files(memory);
  World world(files);
  ASSERT_EQ(world.start(), "");
  world.add_all(1, 1, 1);
  files.hold_writes("journal-");
  std::thread stopper;
  world.loop.run_until([&] { return world.outstanding == 0; }, -1,
                       [&] {
                         for (std::uint64_t i = 2; i <= 200; ++i) world.stage_add(i);
                         // flushed at the end of this round; a task of the next round starts the stop
                         world.stage_read([](Fate, std::size_t) {});
                         stopper = std::thread([&] {
                           files.wait_until_held();
                           files.release_writes();
                           world.engine->stop();
                         });
                       });
  stopper.join();
  EXPECT_EQ(world.acknowledged.size(), 200u);
  world.run_until_idle([&] { world.stage_add(999); });
  EXPECT_EQ(world.draining, 1u);
  World again(files);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values.size(), 200u);
}

TEST(Engine, ParkedTasksDoNotCountAndAreReleasedWhenStopping) {
  MemoryFileSystem files;
  EngineOptions options = small_options();
  options.inbox_tasks = 4;
  World world(files, options);
  ASSERT_EQ(world.start(), "");
  std::vector<std::string> order;
  std::size_t parked = 0;
  Signal all_parked;
  const auto park_one = [&] {
    ++world.outstanding;
    world.loop.stage(*world.engine, new TestTask(
                                        false,
                                        [&](Turn& turn, Task& task) {
                                          turn.park(task);
                                          world.resident.parked.push_back(&task);
                                          if (++parked == 3) all_parked.set();
                                        },
                                        [&](TestTask& task) {
                                          EXPECT_EQ(task.fate, Fate::kDurable);
                                          order.emplace_back("parked");
                                          --world.outstanding;
                                        }));
  };
  world.loop.run_until([&] { return world.acknowledged.size() == 4; }, -1,
                       [&] {
                         for (int i = 0; i < 3; ++i) park_one();
                         // Four more fit, for the parked ones are not in the works, once they are parked.
                         world.stage_add(0);
                         world.on_finish = [&](Fate, std::uint64_t number) {
                           if (number < 3) world.stage_add(number + 1);
                         };
                       });
  EXPECT_EQ(world.outstanding, 3u);
  EXPECT_EQ(world.engine->stats().in_works, 0u);
  // One is released by a later task that writes, and leaves with its group.
  world.loop.run_until([&] { return world.outstanding == 2; }, -1,
                       [&] {
                         ++world.outstanding;
                         world.loop.stage(*world.engine,
                                          new TestTask(
                                              true,
                                              [&](Turn& turn, Task&) {
                                                world.add(turn, 77);
                                                Task* task = world.resident.parked.front();
                                                world.resident.parked.erase(world.resident.parked.begin());
                                                turn.release(*task);
                                              },
                                              [&](TestTask&) {
                                                order.emplace_back("writer");
                                                --world.outstanding;
                                              }));
                       });
  EXPECT_EQ(order.size(), 2u);
  world.engine->stop();
  world.run_until_idle({});
  EXPECT_EQ(std::count(order.begin(), order.end(), "parked"), 3);
}

TEST(Engine, TicksAlsoWhenIdle) {
  MemoryFileSystem files;
  World world(files);
  Signal ticked;
  std::uint64_t next = 1;
  world.resident.on_tick = [&](Turn& turn, bool may_write) {
    EXPECT_TRUE(may_write);
    world.add(turn, next++);
    ticked.set();
  };
  ASSERT_EQ(world.start(), "");
  ticked.wait_for(3);
  world.engine->stop();
  World again(files);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values, world.resident.numbers.values);
  EXPECT_GE(again.resident.numbers.values.size(), 3u);
}

TEST(Engine, EndsEachBatchWithTheResidentsPart) {
  MemoryFileSystem files;
  World world(files);
  std::uint64_t batches = 0;
  world.resident.on_end_of_batch = [&](Turn& turn, bool may_write) {
    EXPECT_TRUE(may_write);
    ++batches;
    world.add(turn, 1'000'000 + batches);
  };
  ASSERT_EQ(world.start(), "");
  world.run_until_idle([&] {
    for (std::uint64_t i = 0; i < 100; ++i) world.stage_add(i);
  });
  world.engine->stop();
  EXPECT_EQ(batches, 1u);
  ASSERT_EQ(world.resident.numbers.values.size(), 101u);
  EXPECT_EQ(world.resident.numbers.values.back(), 1'000'001u);
  World again(files);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values, world.resident.numbers.values);
}

/// A wall clock that the test sets.
class SetClock final : public Clock {
 public:
  explicit SetClock(Micros wall_us) : wall_us_(wall_us) {}
  Timestamp wall() const override { return {wall_us_}; }
  Micros steady_us() const override { return SystemClock().steady_us(); }

 private:
  const Micros wall_us_;
};

Timestamp time_seen_by_a_task(FileSystem& files, const Clock& clock, bool kill) {
  auto memory = std::make_unique<World>(files);
  NumbersResident resident;
  auto opened = Engine::open(files, clock, small_options(), {&resident}, numbers_factory());
  EXPECT_TRUE(opened.ok()) << opened.error().message;
  (*opened)->start();
  WaitLoop loop(0);
  Timestamp seen;
  bool done = false;
  loop.run_until([&] { return done; }, -1,
                 [&] {
                   loop.stage(**opened, new TestTask(
                                            true,
                                            [&](Turn& turn, Task&) {
                                              seen = turn.now();
                                              std::string payload;
                                              ByteWriter(payload).u64(1);
                                              turn.append(kAdded, payload);
                                              resident.numbers.add(1);
                                            },
                                            [&](TestTask&) { done = true; }));
                 });
  if (!kill) (*opened)->stop();
  return seen;
}

TEST(Engine, TimeNeverGoesBackAcrossRestarts) {
  constexpr Micros kYear2100 = 4'102'444'800LL * kSecond;
  MemoryFileSystem files;
  const Timestamp before = time_seen_by_a_task(files, SetClock(kYear2100), false);
  EXPECT_GE(before.us, kYear2100);
  const Timestamp after = time_seen_by_a_task(files, SetClock(kYear2100 - 3600 * kSecond), false);
  EXPECT_GE(after, before);
}

TEST(Engine, TheTimeOfAGroupAloneHoldsTheClock) {
  constexpr Micros kYear2100 = 4'102'444'800LL * kSecond;
  MemoryFileSystem files;
  Timestamp before;
  std::unique_ptr<MemoryFileSystem> killed;
  {
    World world(files);
    SetClock clock(kYear2100);
    NumbersResident resident;
    auto opened = Engine::open(files, clock, small_options(), {&resident}, numbers_factory());
    ASSERT_TRUE(opened.ok());
    (*opened)->start();
    WaitLoop loop(0);
    for (int i = 0; i < 3; ++i) {
      bool done = false;
      loop.run_until([&] { return done; }, -1,
                     [&] {
                       loop.stage(**opened, new TestTask(
                                                true,
                                                [&](Turn& turn, Task&) {
                                                  before = turn.now();
                                                  std::string payload;
                                                  ByteWriter(payload).u64(1);
                                                  turn.append(kAdded, payload);
                                                  resident.numbers.add(1);
                                                },
                                                [&](TestTask&) { done = true; }));
                     });
    }
    killed = files.copy();  // what kill -9 leaves: no record of a clean stop
  }
  const Timestamp after = time_seen_by_a_task(*killed, SetClock(kYear2100 - 3600 * kSecond), false);
  EXPECT_GE(after, before);
}

TEST(Engine, LargeTasksFillGroupsAndSegments) {
  MemoryFileSystem files;
  {
    World world(files);
    ASSERT_EQ(world.start(), "");
    world.add_all(1, 500, 200, 3000);
    EXPECT_EQ(world.acknowledged.size(), 500u);
    EXPECT_GT(world.engine->stats().segments, 10u);
  }
  World again(files);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.resident.numbers.values.size(), 500u);
}

TEST(Engine, RunsOnRealFilesWithAndWithoutDirectIo) {
  const std::string dir = ::testing::TempDir() + "journal_engine_test." + std::to_string(::getpid());
  for (const bool direct : {true, false}) {
    std::filesystem::remove_all(dir);
    EngineOptions options = small_options();
    options.dir = dir + "/deep/data";
    options.segment_bytes = 1024 * 1024;
    options.direct_io = direct;
    for (std::uint64_t round = 0; round < 3; ++round) {
      World world(posix_file_system(), options);
      ASSERT_EQ(world.start(), "");
      EXPECT_EQ(world.resident.numbers.values.size(), round * 500);
      world.add_all(round * 500 + 1, round * 500 + 500, 100, 200);
      EXPECT_EQ(world.acknowledged.size(), 500u);
      if (round == 1) {
        const Status made = world.engine->snapshot_now();
        EXPECT_TRUE(made.ok()) << made.error().message;
      }
    }
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace spillway::journal
