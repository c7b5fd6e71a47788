#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/recycled.h"
#include "base/result.h"
#include "journal/file_system.h"
#include "journal/replica.h"

namespace spillway::journal {

/// What became of a task.
enum class Fate : std::uint8_t {
  kDurable,      ///< run, and all that it wrote and saw is durable
  kOverloaded,   ///< not run: too much is in the works
  kStorageFull,  ///< not run: there is no room for what it might write
  kDraining,     ///< not run: the engine is stopping
  kUnknown,      ///< run, but the write failed: it may or may not be found after a restart
};

class Turn;

/// A unit of work for the state thread: made on a loop, run on the state thread, finished on its loop, whose
/// thread keeps the memory for the next (3% more sign-ups a second than with the allocator).
class Task : public Node {
 public:
  static void* operator new(std::size_t bytes) { return recycled::take(bytes); }
  static void operator delete(void* block, std::size_t bytes) { recycled::give_back(block, bytes); }

  /// False for reads, which are answered even when nothing can be written.
  virtual bool mutates() const = 0;
  /// On the state thread, a few tasks before run(): may fetch (__builtin_prefetch) what that will read, which
  /// in a crowd is in no cache. Changes nothing, and run() must not count on it.
  virtual void prefetch() const {}
  /// On the state thread: decides, appends events, keeps its reply. Not called when `fate` is a refusal.
  virtual void run(Turn&) = 0;

  /// Set before finish().
  Fate fate = Fate::kUnknown;
};

/// What the state thread offers to the code that runs on it, for the time of one task or tick.
class Turn {
 public:
  virtual ~Turn() = default;
  /// Never goes back, also across restarts. The same for all tasks of a batch.
  Timestamp now() const { return now_; }
  /// Makes a record part of the coming commit. The payload is copied; at most limits::kMaxRecordBytes, and
  /// for all records of one turn together limits::kMaxTurnBytes (both: at most a quarter of a segment,
  /// headers included). Only for tasks that mutate(), and for ticks that may write; never in on_stop. Records
  /// of one turn are kept or lost together.
  virtual void append(RecordType type, std::string_view payload) = 0;
  /// Called by a task's run(): the task is not finished with this turn. The caller keeps it and passes it to
  /// release() in a later turn. When the engine stops, whoever parked tasks must release them in on_stop. A
  /// parked task does not count against EngineOptions::inbox_tasks: whoever parks bounds what is parked.
  virtual void park(Task&) = 0;
  /// Finishes a parked task as soon as all appended so far is durable.
  virtual void release(Task&) = 0;

 protected:
  Timestamp now_;
};

/// A service's part on the state thread.
class Resident {
 public:
  virtual ~Resident() = default;
  virtual Replica& replica() = 0;
  /// About every limits::kTick: for what is due by the clock. May append (only while `may_write`).
  virtual void tick(Turn&, bool may_write) = 0;
  /// When all tasks of one hand-over have run, before the group is handed on: for what is better done once a
  /// batch than once a task. May append (only while `may_write`). Also counted in longest_turn_us.
  virtual void end_of_batch(Turn&, bool may_write) = 0;
  /// The engine stops: release every parked task.
  virtual void on_stop(Turn&) = 0;
};

struct EngineOptions {
  std::string dir;
  std::size_t segment_bytes = limits::kSegmentBytes;
  std::size_t snapshot_every_bytes = limits::kSnapshotEveryBytes;  ///< 0: never by itself
  std::size_t inbox_tasks = limits::kInboxTasks;
  std::size_t max_group_bytes = limits::kMaxGroupBytes;
  bool direct_io = true;  ///< O_DIRECT where the file system has it
  bool sync = true;       ///< false loses acknowledged work at a power cut: for the tests that must show so
  Micros storage_retry_us = limits::kStorageRetry;  ///< how often a full disk is looked at again
  /// The share of its processors' time from which on this process is short of it: then commits are larger.
  double processors_short_at = 0.94;
  Micros longest_gathering_us = limits::kLongestGathering;  ///< since the commit before, of larger ones
};

/// For metrics and health; a copy, any thread.
struct EngineStats {
  std::uint64_t last_sequence = 0;
  std::uint64_t durable_sequence = 0;
  std::uint64_t groups = 0;         ///< commits
  std::uint64_t bytes_written = 0;  ///< with padding
  std::uint64_t in_works = 0;       ///< tasks taken and not yet finished, parked ones not counted
  std::uint64_t segments = 0;
  std::uint64_t snapshots = 0;  ///< made since the start
  std::uint64_t snapshot_sequence = 0;
  std::uint64_t snapshot_failures =
      0;                       ///< since the start; each is tried again when the next segment is full
  Micros longest_turn_us = 0;  ///< the longest time the state thread was busy with a few tasks
  bool storage_full = false;
  bool failed = false;  ///< a write failed; nothing more is taken and the process should exit with 3
};

struct RecoveryReport {
  std::uint64_t snapshot_sequence = 0;  ///< 0: none
  std::uint64_t records = 0;            ///< replayed after the snapshot
  std::uint64_t bytes_cut = 0;          ///< of a torn tail, never acknowledged
  Micros took_us = 0;
  std::vector<std::string>
      notes;  ///< sentences for the log: what was found damaged and could be done without
};

/// The embedded engine: one state thread that runs tasks against machines in memory, one journal thread that
/// makes what they appended durable in groups, and a snapshot thread of low priority.
///
/// Operation: loops stage tasks (Loop::stage with this as the sink); the state thread runs them in the order
/// in which they were taken; while the journal thread writes one group the next gathers; a task is delivered
/// back to its loop when all that it wrote and saw is durable. See docs/ARCHITECTURE.md. Concurrency: take(),
/// stats(), accepting() from any thread; open(), start(), stop() from the owner's. Limitations: one engine
/// owns a directory (locked); a failed write ends it for good.
class Engine final : public Loop::Sink {
 public:
  /// Locks the directory, recovers the residents' replicas from snapshot and segments, and makes the journal
  /// ready to write. Errors are sentences that name the file and the offset.
  static Result<std::unique_ptr<Engine>> open(FileSystem&, const Clock&, EngineOptions,
                                              std::vector<Resident*> residents, ReplicaFactory);
  ~Engine() override;  ///< stops

  const RecoveryReport& recovery() const;
  /// Called once, on one of the engine's threads, when a write has failed, or a snapshot has shown that the
  /// log does not give the state. Must not call stop(). Set before start().
  void on_failure(std::function<void(const std::string& why)>);
  void start();
  /// Takes no more, finishes what was taken, flushes, closes the journal. Idempotent.
  void stop();

  void take(NodeList tasks) override;
  /// False when a task staged now would probably be refused.
  bool accepting() const;
  EngineStats stats() const;
  /// Closes the current segment and makes a snapshot now; waits for it. For tests and tools.
  Status snapshot_now();

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::journal
