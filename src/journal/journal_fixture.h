#pragma once

// What the tests of this folder share: a tiny service whose state is the list of numbers it was told, and a
// world around an engine that runs on a file system in memory.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/wait_loop.h"
#include "journal/engine.h"
#include "journal/failing_file_system.h"
#include "journal/memory_file_system.h"
#include "journal/replica.h"

namespace spillway::journal::testing {

inline constexpr std::uint8_t kNumbersService = 7;
inline constexpr RecordType kAdded{kNumbersService, 1, 1};
inline constexpr const char* kDir = "data";

/// The thread sanitizer makes everything some twenty times slower: fewer rounds there, of the same kind.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kFewRounds = true;
#else
inline constexpr bool kFewRounds = false;
#endif

inline std::uint64_t mix(std::uint64_t digest, std::uint64_t number) {
  digest ^= number + 0x9e3779b97f4a7c15u + (digest << 6) + (digest >> 2);
  return digest * 0xff51afd7ed558ccdu;
}

/// The numbers in the order in which they were added.
class Numbers final : public Replica {
 public:
  std::uint8_t service() const override { return kNumbersService; }
  Status apply(const Record& record) override {
    ByteReader in(record.payload);
    const std::uint64_t number = in.u64();
    if (!in.ok() || record.type.event != kAdded.event) return invalid_argument("no record of Numbers");
    add(number);
    return Ok{};
  }
  std::uint64_t digest() const override { return digest_; }
  std::uint64_t recompute_digest() const override {
    std::uint64_t digest = 0;
    for (const std::uint64_t number : values) digest = mix(digest, number);
    return digest;
  }
  void save(SnapshotSink& sink) const override {
    std::string bytes;
    ByteWriter out(bytes);
    out.u64(values.size());
    for (const std::uint64_t number : values) out.u64(number);
    sink.write(bytes);
  }
  Status load(SnapshotSource& source) override {
    std::uint64_t count = 0;
    if (!source.read(reinterpret_cast<char*>(&count), sizeof count)) return invalid_argument("no count");
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t number = 0;
      if (!source.read(reinterpret_cast<char*>(&number), sizeof number)) return invalid_argument("too short");
      add(number);
    }
    return Ok{};
  }
  void add(std::uint64_t number) {
    values.push_back(number);
    digest_ = mix(digest_, number);
  }

  std::vector<std::uint64_t> values;

 private:
  std::uint64_t digest_ = 0;
};

class NumbersResident final : public Resident {
 public:
  Replica& replica() override { return numbers; }
  void tick(Turn& turn, bool may_write) override {
    if (on_tick) on_tick(turn, may_write);
  }
  void end_of_batch(Turn& turn, bool may_write) override {
    if (on_end_of_batch) on_end_of_batch(turn, may_write);
  }
  void on_stop(Turn& turn) override {
    for (Task* task : std::exchange(parked, {})) turn.release(*task);
  }

  Numbers numbers;
  std::vector<Task*> parked;
  std::function<void(Turn&, bool)> on_tick, on_end_of_batch;
  /// A planted bug: the live state takes another number than the log every so often. 0: never.
  std::uint64_t wrong_every = 0;
  std::uint64_t added = 0;
};

inline ReplicaFactory numbers_factory() {
  return [] {
    std::vector<std::unique_ptr<Replica>> replicas;
    replicas.push_back(std::make_unique<Numbers>());
    return replicas;
  };
}

/// A task made of two functions; `done` runs on the loop.
class TestTask final : public Task {
 public:
  TestTask(bool mutates, std::function<void(Turn&, Task&)> work, std::function<void(TestTask&)> done)
      : mutates_(mutates), work_(std::move(work)), done_(std::move(done)) {}
  bool mutates() const override { return mutates_; }
  void run(Turn& turn) override { work_(turn, *this); }
  void finish() override {
    done_(*this);
    delete this;
  }

 private:
  const bool mutates_;
  std::function<void(Turn&, Task&)> work_;
  std::function<void(TestTask&)> done_;
};

/// Lets a test wait for something that happens on another thread.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait_for(int count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

inline EngineOptions small_options() {
  EngineOptions options;
  options.dir = kDir;
  options.segment_bytes = 64 * 1024;
  options.snapshot_every_bytes = 0;
  options.storage_retry_us = kMillisecond;
  return options;
}

/// An engine on one loop, and the count of what became of its tasks.
class World {
 public:
  explicit World(FileSystem& files, EngineOptions options = small_options())
      : files_(files), options_(std::move(options)) {}
  ~World() {
    if (engine) engine->stop();
  }

  /// Empty, or why it was refused.
  std::string open() {
    auto opened = Engine::open(files_, clock, options_, {&resident}, numbers_factory());
    if (!opened.ok()) return opened.error().message;
    engine = std::move(opened).value();
    engine->on_failure([this](const std::string& reason) {
      const std::lock_guard lock(mutex_);
      why_ = reason;
      ++failures_;
    });
    return {};
  }
  std::string start() {
    std::string why = open();
    if (why.empty()) engine->start();
    return why;
  }
  /// On the loop's thread: inside run().
  void stage_add(std::uint64_t number, std::size_t padding = 0) {
    ++outstanding;
    loop.stage(*engine, new TestTask(
                            true, [this, number, padding](Turn& turn, Task&) { add(turn, number, padding); },
                            [this, number](TestTask& task) { finished(task, number); }));
  }
  void stage_read(std::function<void(Fate, std::size_t count)> then) {
    ++outstanding;
    auto count = std::make_shared<std::size_t>(0);
    loop.stage(*engine, new TestTask(
                            false, [this, count](Turn&, Task&) { *count = resident.numbers.values.size(); },
                            [this, count, then](TestTask& task) {
                              --outstanding;
                              then(task.fate, *count);
                            }));
  }
  void add(Turn& turn, std::uint64_t number, std::size_t padding = 0) {
    std::string payload;
    ByteWriter(payload).u64(number);
    payload.append(padding, 'x');
    turn.append(kAdded, payload);
    ++resident.added;
    const bool wrong = resident.wrong_every != 0 && resident.added % resident.wrong_every == 0;
    resident.numbers.add(wrong ? number + 1'000'000 : number);
  }
  /// Adds numbers from `from` to `to`, `at_once` in the works, until all are answered or the engine refuses.
  void add_all(std::uint64_t from, std::uint64_t to, std::size_t at_once, std::size_t padding = 0) {
    std::uint64_t next = from;
    const auto more = [&] {
      while (next <= to && outstanding < at_once && !refused) stage_add(next++, padding);
    };
    refill_ = more;
    loop.run_until([&] { return outstanding == 0; }, -1, more);
    refill_ = nullptr;
  }
  void run_until_idle(const std::function<void()>& first) {
    loop.run_until([&] { return outstanding == 0; }, -1, first);
  }
  int failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  std::string why() {
    const std::lock_guard lock(mutex_);
    return why_;
  }

  SystemClock clock;
  WaitLoop loop{0};
  NumbersResident resident;
  std::unique_ptr<Engine> engine;
  std::size_t outstanding = 0;
  std::vector<std::uint64_t> acknowledged;  ///< in the order of their answers
  std::size_t overloaded = 0, storage_full = 0, draining = 0, unknown = 0;
  bool refused = false;  ///< set by the first fate that is not kDurable
  std::function<void(Fate, std::uint64_t)> on_finish;

 private:
  void finished(TestTask& task, std::uint64_t number) {
    --outstanding;
    if (task.fate == Fate::kDurable)
      acknowledged.push_back(number);
    else
      refused = true;
    overloaded += task.fate == Fate::kOverloaded;
    storage_full += task.fate == Fate::kStorageFull;
    draining += task.fate == Fate::kDraining;
    unknown += task.fate == Fate::kUnknown;
    if (on_finish) on_finish(task.fate, number);
    if (refill_) refill_();
  }

  FileSystem& files_;
  const EngineOptions options_;
  std::function<void()> refill_;
  std::mutex mutex_;
  std::string why_;
  int failures_ = 0;
};

/// Numbers of `wanted` that are not in the state.
inline std::size_t missing(const std::vector<std::uint64_t>& wanted, const Numbers& numbers) {
  const std::set<std::uint64_t> there(numbers.values.begin(), numbers.values.end());
  std::size_t count = 0;
  for (const std::uint64_t number : wanted) count += there.contains(number) ? 0 : 1;
  return count;
}

}  // namespace spillway::journal::testing
