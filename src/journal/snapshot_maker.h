#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "journal/engine.h"
#include "journal/failure.h"
#include "journal/format.h"

namespace spillway::journal {

/// The snapshot thread: of low priority, it rebuilds the state from the newest snapshot and the closed
/// segments alone, compares it with what the state thread had, writes it out, and removes what is no longer
/// needed.
///
/// Operation: a snapshot always stands at the end of the last closed segment. The newest two are kept, and
/// the segments since the older of them, so that a damaged one can be done without. Concurrency: every call
/// from any thread. Limitations: holds a second copy of the state for as long as it works.
class SnapshotMaker {
 public:
  SnapshotMaker(FileSystem&, const EngineOptions&, ReplicaFactory, Failure&, std::uint64_t newest_snapshot,
                std::uint64_t bytes_since);
  ~SnapshotMaker() { stop(); }

  void start();
  void stop();
  /// The segment before `first_sequence` is closed; `live` is what the replicas were at its end.
  void segment_opened(std::uint64_t first_sequence, std::uint64_t closed_bytes, Checkpoint live);
  /// Makes a snapshot once a segment that begins after `sequence` is open, and waits for it.
  Status make_after(std::uint64_t sequence);
  /// Ends the waiting of make_after() when the journal has failed.
  void wake();

  std::uint64_t made() const { return made_.load(std::memory_order_relaxed); }
  std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  std::uint64_t newest() const { return newest_.load(std::memory_order_relaxed); }
  std::uint64_t segments_removed() const { return segments_removed_.load(std::memory_order_relaxed); }

 private:
  void run();
  bool due() const;
  bool urgent() const;
  /// A snapshot that is made with pauses, once it is urgent: it is begun anew, without. On a busy core it
  /// might never end, and the log with it.
  void abandon_the_patient();
  /// Unless the snapshot is abandoned.
  void rest(std::chrono::nanoseconds pause);
  Status make(FileSystem&, std::uint64_t sequence, const Checkpoint& live);
  Status rebuild(FileSystem&, std::uint64_t sequence, const Checkpoint& live, const std::vector<Replica*>&,
                 std::uint64_t* base);
  Status remove_old(std::uint64_t newest, std::uint64_t base);

  FileSystem& files_;
  const EngineOptions& options_;
  const ReplicaFactory factory_;
  Failure& failure_;
  std::atomic<std::uint64_t> made_{0}, failures_{0}, newest_, segments_removed_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> abandon_{false};  ///< the snapshot that is being made

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t current_first_ = 0;  ///< of the open segment
  std::uint64_t bytes_since_;
  Checkpoint live_;
  bool retry_ = true;  ///< false after a failure, until the next segment is closed
  std::optional<std::uint64_t> wanted_after_;
  bool patient_ = false;  ///< one is being made that was not urgent when it began
  bool ended_ = false;
  std::uint64_t attempts_ = 0;   ///< finished ones
  std::uint64_t attempted_ = 0;  ///< at which sequence the last attempt was
  Status outcome_ = Ok{};        ///< of the last attempt
  std::thread thread_;
};

}  // namespace spillway::journal
