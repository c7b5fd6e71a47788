#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "journal/delivery.h"
#include "journal/engine.h"
#include "journal/failure.h"
#include "journal/file_system.h"
#include "journal/group.h"
#include "journal/group_target.h"
#include "journal/spare.h"
#include "journal/watermark.h"

namespace spillway::journal {

/// What the journal thread counts; any thread reads.
struct WriterCounters {
  std::atomic<std::uint64_t> durable_sequence{0};
  std::atomic<std::uint64_t> groups{0};
  std::atomic<std::uint64_t> bytes_written{0};
};

/// The journal thread: writes groups, moves the watermark, and only then gives their tasks back.
///
/// Operation: the state thread gathers into open(). publish() offers what was gathered; the journal thread
/// takes it as soon as it is idle, or a little later when larger groups pay (GroupTarget). Until it has,
/// reclaim() gets the same group back, to gather on. So there are two groups: one gathering or offered, one
/// being written. Concurrency: publish(), reclaim(), wait_taken(), finish() on the state thread.
class GroupWriter {
 public:
  struct Opened {
    std::uint64_t first_sequence;
    std::uint64_t closed_bytes;  ///< of the segment before it; 0: it is the first since the start
    Checkpoint checkpoint;
  };

  /// `directory` is an open handle of the journal's.
  GroupWriter(FileSystem&, const EngineOptions&, std::unique_ptr<File> directory,
              std::unique_ptr<WatermarkWriter>, SparePreparer&, Failure&,
              std::atomic<std::uint64_t>& in_works, std::size_t group_capacity);
  ~GroupWriter();

  /// Called on the journal thread when a segment's first group is durable. Before start().
  void on_segment_opened(std::function<void(Opened)> callback) { on_opened_ = std::move(callback); }
  void start();

  Group& open() { return *open_; }
  /// Offers the open group, if it has records, and `seen`: tasks that saw nothing of it, only what was
  /// gathered before. Those leave at once when nothing is being written.
  void publish(NodeList& seen, Delivery&);
  /// After publish(): true when the journal thread took the group; open() is a fresh one then.
  bool reclaim();
  /// After publish(): waits until the journal thread has taken the group.
  void wait_taken();
  /// Writes what was offered, seals the watermark, ends the thread.
  void finish();

  const WriterCounters& counters() const { return counters_; }

 private:
  void run();
  /// Waits until the target is offered, it took too long, or somebody waits for the journal thread.
  void gather(std::unique_lock<std::mutex>&);
  /// Whether the journal thread need not wait for more. Under the lock.
  bool is_enough(const Group&) const;
  void note_commit(std::size_t tasks);
  void write_and_release(Group&, std::unique_lock<std::mutex>&);
  /// Empty, or why it failed.
  std::string write(Group&);
  std::string open_segment(Group::NewSegment&);
  static void mark_unknown(NodeList&);

  FileSystem& files_;
  const EngineOptions& options_;
  const std::unique_ptr<File> directory_;
  const std::unique_ptr<WatermarkWriter> watermark_;
  SparePreparer& spare_;
  Failure& failure_;
  Delivery delivery_;
  std::function<void(Opened)> on_opened_;
  WriterCounters counters_;

  // The journal thread's.
  std::unique_ptr<File> file_;
  std::uint64_t segment_ = 0;
  std::uint64_t segment_end_ = 0;
  GroupTarget target_;
  GroupTarget::Time used_{};  ///< when the commit before ended
  std::chrono::steady_clock::time_point committed_at_;

  Group first_, second_;
  Group* open_ = &first_;  ///< the state thread's

  std::mutex mutex_;
  std::condition_variable offered_, taken_;
  Group* ready_ = nullptr;
  bool busy_ = false;
  bool sleeping_ = false;
  std::size_t enough_ = 0;  ///< tasks that the journal thread waits for
  bool hurry_ = false;      ///< the state thread waits for the journal thread
  bool finishing_ = false;
  NodeList seen_;  ///< leave with the group being written
  std::thread thread_;
};

}  // namespace spillway::journal
