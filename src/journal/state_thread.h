#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "journal/delivery.h"
#include "journal/engine.h"
#include "journal/failure.h"
#include "journal/group_writer.h"
#include "journal/spare.h"

namespace spillway::journal {

/// How large a group and the records of one turn may be, in a segment of the size of the options.
struct Sizes {
  explicit Sizes(const EngineOptions&);
  std::size_t group;     ///< past it a group takes no more turns
  std::size_t turn;      ///< records of one turn, headers included
  std::size_t capacity;  ///< of a group's buffer
};

/// The one thread on which all decisions are made.
///
/// Operation: takes the whole inbox at once, runs the tasks, appends what they say to the open group and
/// offers it to the journal thread. Also lays out the journal: it decides which group begins a new segment,
/// and never begins a turn that might write more than there is room for. Concurrency: take() and
/// close_segment() from any thread; start() and stop() from the owner's.
class StateThread {
 public:
  struct Start {
    std::uint64_t next_sequence;
    Timestamp not_before;
  };
  StateThread(const EngineOptions&, const Clock&, std::vector<Resident*>, GroupWriter&, SparePreparer&,
              Failure&, std::atomic<std::uint64_t>& in_works, Start);
  ~StateThread();

  void start();
  /// Takes no more, runs what was taken, lets the residents release what they parked, and offers all of it to
  /// the journal thread.
  void stop();
  /// False after stop() began: the tasks stay the caller's.
  bool take(NodeList& tasks);
  /// Makes the journal go on in a new segment. Answers the last sequence of the closed one.
  Result<std::uint64_t> close_segment();

  std::uint64_t last_sequence() const { return last_sequence_.load(std::memory_order_relaxed); }
  Micros longest_turn_us() const { return longest_turn_us_.load(std::memory_order_relaxed); }
  bool storage_full() const { return storage_full_.load(std::memory_order_relaxed); }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class Room { kYes, kFull, kFailed };

  class StateTurn final : public Turn {
   public:
    explicit StateTurn(StateThread& thread) : thread_(thread) {}
    void append(RecordType, std::string_view payload) override;
    void park(Task&) override;
    void release(Task&) override;

    void set_now(Timestamp now) { now_ = now; }
    void begin(Task* task, bool may_append) {
      task_ = task;
      may_append_ = may_append;
      appended_ = 0;
      parked_ = false;
    }
    bool parked() const { return parked_; }

   private:
    StateThread& thread_;
    Task* task_ = nullptr;
    bool may_append_ = false;
    bool parked_ = false;
    std::size_t appended_ = 0;
  };

  void run();
  void run_batch(NodeList& batch);
  void run_task(Task&);
  void tick();
  /// Each resident's part in a round that is not about a task.
  void run_residents(void (Resident::*part)(Turn&, bool may_write));
  void wind_up();
  /// Room for one turn's records in the open group, which may be another one afterwards.
  Room make_room();
  Room room_in_new_segment();
  bool fits(std::size_t group_bytes) const;
  void open_segment();
  void append_checkpoint(std::uint8_t event, const Checkpoint&);
  Checkpoint checkpoint() const;
  Result<std::uint64_t> switch_segment();
  void begin_round();
  void publish();
  /// Publishes and waits until the journal thread has taken the group.
  void hand_over();
  void finish_task(Task& task);
  /// What ran since the one before ended was one: a few tasks, or a resident's part in a round.
  void end_turn();

  const EngineOptions& options_;
  const Sizes sizes_;
  const std::vector<Resident*> residents_;
  std::vector<Replica*> replicas_;
  GroupWriter& writer_;
  SparePreparer& spare_;
  Failure& failure_;
  std::atomic<std::uint64_t>& in_works_;

  // The state thread's.
  MonotonicTime time_;
  StateTurn turn_{*this};
  Delivery delivery_;
  NodeList seen_;  ///< finished in this round without anything of the open group seen
  std::uint64_t next_sequence_;
  bool has_segment_ = false;
  std::uint64_t offset_ = 0;  ///< of the open group in the segment
  std::uint32_t seed_ = 0;    ///< of the segment
  bool published_ = false;
  std::size_t published_bytes_ = 0;
  SteadyTime next_tick_;
  SteadyTime turn_began_;

  std::atomic<std::uint64_t> last_sequence_;
  std::atomic<Micros> longest_turn_us_{0};
  std::atomic<bool> storage_full_{false};

  std::mutex mutex_;
  std::condition_variable arrived_, switched_;
  NodeList inbox_;
  bool sleeping_ = false;
  bool closing_ = false;
  bool ended_ = false;
  std::uint64_t switches_wanted_ = 0, switches_done_ = 0;
  std::optional<Result<std::uint64_t>> switch_outcome_;
  std::thread thread_;
};

}  // namespace spillway::journal
