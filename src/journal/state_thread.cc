#include "journal/state_thread.h"

#include <algorithm>

#include "base/thread.h"
#include "journal/snapshot.h"

namespace spillway::journal {
namespace {

using std::chrono::steady_clock;

constexpr auto kTickEvery = std::chrono::microseconds(limits::kTick);
/// Kept free behind every turn for the record of a clean stop.
constexpr std::size_t kStopReserveBytes = kBlockBytes;
/// After so many tasks the clock is read again, a due tick runs, and an idle journal thread gets what there
/// is.
constexpr std::size_t kTasksPerRound = 1'024;
/// Tasks between a prefetch and the run: long enough for memory to answer, short enough to be still there.
constexpr std::size_t kPrefetchAhead = 8;
/// Tasks that are timed as one turn: reading the clock for each was a tenth of this thread's work.
constexpr std::size_t kTasksPerTurn = 8;

}  // namespace

Sizes::Sizes(const EngineOptions& options)
    : group(std::min(options.max_group_bytes, options.segment_bytes / 4)),
      turn(std::min(limits::kMaxTurnBytes, options.segment_bytes / 4)),
      capacity(padded(group + turn) + 2 * kBlockBytes) {}

// ---- What a turn may do -----------------------------------------------------------------------------------

void StateThread::StateTurn::append(RecordType type, std::string_view payload) {
  CHECK(may_append_);
  CHECK(type.service != kEngineService);
  CHECK(payload.size() <= limits::kMaxRecordBytes);
  appended_ += kRecordHeaderBytes + payload.size();
  CHECK(appended_ <= thread_.sizes_.turn);
  Group& group = thread_.writer_.open();
  if (group.empty()) group.place(thread_.offset_, thread_.seed_);
  group.append(thread_.next_sequence_++, type, payload);
}

void StateThread::StateTurn::park(Task& task) {
  CHECK(&task == task_ && !parked_);
  parked_ = true;
  thread_.in_works_.fetch_sub(1, std::memory_order_relaxed);
}

void StateThread::StateTurn::release(Task& task) {
  CHECK(&task != task_);
  thread_.in_works_.fetch_add(1, std::memory_order_relaxed);
  task.fate = Fate::kDurable;
  thread_.finish_task(task);
}

// ---- From any thread --------------------------------------------------------------------------------------

StateThread::StateThread(const EngineOptions& options, const Clock& clock, std::vector<Resident*> residents,
                         GroupWriter& writer, SparePreparer& spare, Failure& failure,
                         std::atomic<std::uint64_t>& in_works, Start start)
    : options_(options),
      sizes_(options),
      residents_(std::move(residents)),
      writer_(writer),
      spare_(spare),
      failure_(failure),
      in_works_(in_works),
      time_(clock),
      delivery_(in_works),
      next_sequence_(start.next_sequence),
      last_sequence_(start.next_sequence - 1) {
  for (Resident* resident : residents_) replicas_.push_back(&resident->replica());
  time_.at_least(start.not_before);
}

StateThread::~StateThread() { CHECK(!thread_.joinable()); }

void StateThread::start() {
  thread_ = std::thread([this] { run(); });
}

void StateThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    arrived_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
    return;
  }
  // Never started: nothing was run.
  NodeList left;
  {
    const std::lock_guard lock(mutex_);
    left = std::move(inbox_);
  }
  for (Node* node = left.front(); node != nullptr; node = node->next) {
    static_cast<Task&>(*node).fate = Fate::kDraining;
  }
  delivery_.deliver(std::move(left));
}

bool StateThread::take(NodeList& tasks) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return false;
    inbox_.append(std::move(tasks));
    wake = std::exchange(sleeping_, false);
  }
  if (wake) arrived_.notify_one();
  return true;
}

Result<std::uint64_t> StateThread::close_segment() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++switches_wanted_;
  arrived_.notify_one();
  switched_.wait(lock, [&] { return ended_ || switches_done_ >= mine; });
  if (switches_done_ >= mine) return *switch_outcome_;
  return Error{ErrorCode::kDraining, "the journal is stopping"};
}

// ---- The thread -------------------------------------------------------------------------------------------

void StateThread::run() {
  name_this_thread("state");
  next_tick_ = steady_clock::now() + kTickEvery;
  turn_.set_now(time_.now());
  static_cast<void>(make_room());  // the first segment, so that the first task does not wait for it
  publish();
  while (true) {
    NodeList batch;
    bool closing = false;
    std::uint64_t switches = 0;
    {
      std::unique_lock lock(mutex_);
      const auto due = [this] { return !inbox_.empty() || closing_ || switches_wanted_ > switches_done_; };
      if (!due()) {
        sleeping_ = true;
        arrived_.wait_until(lock, next_tick_, due);
        sleeping_ = false;
      }
      batch = std::move(inbox_);
      closing = closing_;
      switches = switches_wanted_;
    }
    turn_began_ = steady_clock::now();
    do run_batch(batch);
    while (!batch.empty());
    if (switches > switches_done_) {
      auto outcome = switch_segment();
      const std::lock_guard lock(mutex_);
      switch_outcome_.emplace(std::move(outcome));
      switches_done_ = switches;
      switched_.notify_all();
    }
    if (closing) break;
  }
  wind_up();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  switched_.notify_all();
}

/// One round: some of the batch, what the residents keep for its end, a tick when it is due, and the
/// hand-over.
void StateThread::run_batch(NodeList& batch) {
  begin_round();
  turn_.set_now(time_.now());
  const bool ran = !batch.empty();
  const Node* next = batch.front();  // to prefetch
  std::size_t ahead = 0;             // of the task to run
  for (std::size_t i = 0; i < kTasksPerRound; ++i) {
    for (; next != nullptr && ahead < kPrefetchAhead; ++ahead) {
      static_cast<const Task*>(next)->prefetch();
      next = next->next;
      if (next != nullptr) __builtin_prefetch(next);  // it comes from another core
    }
    Node* const node = batch.pop();
    if (node == nullptr) break;
    --ahead;
    run_task(static_cast<Task&>(*node));
    if ((i + 1) % kTasksPerTurn == 0) end_turn();
  }
  if (ran) run_residents(&Resident::end_of_batch);
  if (turn_began_ >= next_tick_) tick();
  publish();
}

void StateThread::run_task(Task& task) {
  if (failure_.failed()) {
    task.fate = Fate::kDraining;
    finish_task(task);
    return;
  }
  const bool mutates = task.mutates();
  if (mutates) {
    if (const Room room = make_room(); room != Room::kYes) {
      task.fate = room == Room::kFull ? Fate::kStorageFull : Fate::kDraining;
      finish_task(task);
      return;
    }
  }
  turn_.begin(&task, mutates);
  task.run(turn_);
  if (!turn_.parked()) {
    task.fate = Fate::kDurable;  // what the journal thread makes of it when it cannot write
    finish_task(task);
  }
}

void StateThread::tick() {
  next_tick_ = turn_began_ + kTickEvery;
  static_cast<void>(make_room());  // notices room that came back, also when no resident writes
  run_residents(&Resident::tick);
}

void StateThread::run_residents(void (Resident::*part)(Turn&, bool may_write)) {
  end_turn();
  for (Resident* resident : residents_) {
    const bool may_write = make_room() == Room::kYes;
    turn_began_ = steady_clock::now();
    turn_.begin(nullptr, may_write);
    (resident->*part)(turn_, may_write);
    end_turn();
  }
}

void StateThread::end_turn() {
  const SteadyTime now = steady_clock::now();
  const Micros took = std::chrono::duration_cast<std::chrono::microseconds>(now - turn_began_).count();
  if (took > longest_turn_us_.load(std::memory_order_relaxed)) {
    longest_turn_us_.store(took, std::memory_order_relaxed);
  }
  turn_began_ = now;
}

void StateThread::wind_up() {
  begin_round();
  turn_.set_now(time_.now());
  for (Resident* resident : residents_) {
    turn_.begin(nullptr, false);
    resident->on_stop(turn_);
  }
  // There is room for it: kStopReserveBytes.
  if (has_segment_ && !failure_.failed()) append_checkpoint(kCleanStop, checkpoint());
  publish();
}

void StateThread::finish_task(Task& task) {
  Group& group = writer_.open();
  (group.empty() ? seen_ : group.tasks).push(&task);
}

// ---- The layout of the journal ----------------------------------------------------------------------------

bool StateThread::fits(std::size_t group_bytes) const {
  return has_segment_ && offset_ + padded(group_bytes) + kStopReserveBytes <= options_.segment_bytes;
}

StateThread::Room StateThread::make_room() {
  Room room = Room::kYes;
  while (true) {
    const Group& group = writer_.open();
    if (failure_.failed()) {
      room = Room::kFailed;
    } else if (group.empty()) {
      if (fits(kGroupHeaderBytes + sizes_.group + sizes_.turn)) break;
      room = room_in_new_segment();
    } else if (group.bytes() >= sizes_.group) {
      hand_over();
      continue;
    } else if (!fits(group.bytes() + sizes_.turn)) {
      hand_over();  // and look again with an empty group
      continue;
    }
    break;
  }
  storage_full_.store(room == Room::kFull, std::memory_order_relaxed);
  return room;
}

/// The open group is empty, and the segment has not the room for a whole one.
StateThread::Room StateThread::room_in_new_segment() {
  while (true) {
    switch (spare_.state()) {
      case SparePreparer::State::kReady:
        open_segment();
        return Room::kYes;
      case SparePreparer::State::kFull:
        return fits(kGroupHeaderBytes + sizes_.turn) ? Room::kYes : Room::kFull;
      case SparePreparer::State::kWorking:
        if (fits(kGroupHeaderBytes + sizes_.turn)) return Room::kYes;
        publish();  // whoever need not wait for the disk leaves
        spare_.wait_while_working();
        if (failure_.failed()) return Room::kFailed;
    }
  }
}

void StateThread::open_segment() {
  Group& group = writer_.open();
  CHECK(group.empty());
  auto segment = std::make_unique<Group::NewSegment>();
  segment->header = {next_sequence_, random_salt()};
  segment->file = spare_.claim();
  CHECK(segment->file != nullptr);
  segment->checkpoint = checkpoint();
  has_segment_ = true;
  offset_ = kBlockBytes;
  seed_ = salted_seed(segment->header.salt);
  append_checkpoint(kSegmentStart, segment->checkpoint);
  group.new_segment = std::move(segment);
}

Checkpoint StateThread::checkpoint() const { return {turn_.now(), digests_of(replicas_)}; }

void StateThread::append_checkpoint(std::uint8_t event, const Checkpoint& checkpoint) {
  Group& group = writer_.open();
  if (group.empty()) group.place(offset_, seed_);
  group.append(next_sequence_++, {kEngineService, event, kCheckpointVersion}, encode_checkpoint(checkpoint));
}

Result<std::uint64_t> StateThread::switch_segment() {
  begin_round();
  if (!writer_.open().empty()) hand_over();
  spare_.wait_while_working();
  if (failure_.failed()) return Error{ErrorCode::kOutcomeUnknown, "the journal has failed"};
  if (spare_.state() != SparePreparer::State::kReady) {
    return Error{ErrorCode::kStorageFull, "there is no room for another segment"};
  }
  const std::uint64_t last = next_sequence_ - 1;
  open_segment();
  publish();
  return last;
}

// ---- Hand-over --------------------------------------------------------------------------------------------

void StateThread::begin_round() {
  if (!std::exchange(published_, false)) return;
  if (writer_.reclaim()) offset_ += padded(published_bytes_);
}

void StateThread::publish() {
  begin_round();  // when this round has published before
  Group& group = writer_.open();
  published_ = !group.empty();
  published_bytes_ = group.bytes();
  group.set_time(turn_.now());
  last_sequence_.store(next_sequence_ - 1, std::memory_order_relaxed);
  writer_.publish(seen_, delivery_);
}

void StateThread::hand_over() {
  publish();
  writer_.wait_taken();
  begin_round();
}

}  // namespace spillway::journal
