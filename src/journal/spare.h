#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "journal/engine.h"
#include "journal/failure.h"
#include "journal/file_system.h"

namespace spillway::journal {

/// Keeps one segment's worth of zeros ready on disk, so that a commit never waits for space to be found.
///
/// Operation: `spare.tmp` is written full of zeros and synced, in pieces with a pause after each; claim()
/// hands it out; whoever claimed it renames it and calls renamed(), then the next is made. This is the one
/// place where a full disk shows: then state() is kFull and the preparer looks again after
/// EngineOptions::storage_retry_us, until there is room. Concurrency: every call from any thread.
class SparePreparer {
 public:
  enum class State { kWorking, kReady, kFull };

  SparePreparer(FileSystem&, const EngineOptions&, Failure&);
  ~SparePreparer() { stop(); }

  /// Makes the first spare on the calling thread; a full disk is no error. Before start().
  Status prepare_first();
  void start();
  /// Ends the thread and removes an unused spare.
  void stop();

  State state() const { return state_.load(std::memory_order_acquire); }
  /// The spare's file, open for aligned synced writes; null unless kReady.
  std::unique_ptr<File> claim();
  /// The claimed spare has its final name.
  void renamed();
  /// Returns when the state is not kWorking, or the journal has failed.
  void wait_while_working();
  /// Makes waiters look again.
  void wake();

 private:
  void run();
  /// 0, or why there is no spare.
  int prepare(FileSystem&, std::unique_ptr<File>* file);
  int fill(FileSystem&);
  int open(FileSystem&, bool dsync, std::unique_ptr<File>* file) const;
  /// Unless somebody waits for the spare.
  void rest(std::chrono::nanoseconds pause);
  void set(State state);

  FileSystem& files_;
  const EngineOptions& options_;
  Failure& failure_;
  const std::string path_;

  std::atomic<State> state_{State::kWorking};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<File> spare_;
  bool claimed_ = false;
  int waiting_ = 0;  ///< in wait_while_working()
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace spillway::journal
