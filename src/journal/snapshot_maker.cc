#include "journal/snapshot_maker.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>

#include "base/pace.h"
#include "base/thread.h"
#include "journal/paced_file_system.h"
#include "journal/recovery.h"
#include "journal/snapshot.h"

namespace spillway::journal {
namespace {

/// So many times snapshot_every_bytes without a snapshot, and the next one gets a larger share of the
/// processor.
constexpr std::uint64_t kUrgentFactor = 4;

}  // namespace

SnapshotMaker::SnapshotMaker(FileSystem& files, const EngineOptions& options, ReplicaFactory factory,
                             Failure& failure, std::uint64_t newest_snapshot, std::uint64_t bytes_since)
    : files_(files),
      options_(options),
      factory_(std::move(factory)),
      failure_(failure),
      newest_(newest_snapshot),
      bytes_since_(bytes_since) {}

void SnapshotMaker::start() {
  thread_ = std::thread([this] { run(); });
}

void SnapshotMaker::stop() {
  stopping_.store(true);
  abandon_.store(true);
  wake();
  if (thread_.joinable()) thread_.join();
}

void SnapshotMaker::wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void SnapshotMaker::segment_opened(std::uint64_t first_sequence, std::uint64_t closed_bytes,
                                   Checkpoint live) {
  const std::lock_guard lock(mutex_);
  current_first_ = first_sequence;
  bytes_since_ += closed_bytes;
  live_ = std::move(live);
  retry_ = true;
  abandon_the_patient();
  changed_.notify_all();
}

Status SnapshotMaker::make_after(std::uint64_t sequence) {
  std::unique_lock lock(mutex_);
  wanted_after_ = sequence;
  abandon_the_patient();
  const std::uint64_t before = attempts_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return ended_ || (attempts_ > before && attempted_ >= sequence); });
  if (attempts_ > before && attempted_ >= sequence) return outcome_;
  return Error{ErrorCode::kDraining, stopping_ ? "the journal is stopping" : "the journal has failed"};
}

bool SnapshotMaker::due() const {
  if (current_first_ == 0 || current_first_ - 1 <= newest()) return false;
  if (wanted_after_) return current_first_ > *wanted_after_;
  return retry_ && options_.snapshot_every_bytes != 0 && bytes_since_ >= options_.snapshot_every_bytes;
}

/// Nobody waits for a snapshot, unless somebody asked, or the log grows faster than snapshots are made of it.
bool SnapshotMaker::urgent() const {
  return wanted_after_ || bytes_since_ >= kUrgentFactor * options_.snapshot_every_bytes;
}

void SnapshotMaker::abandon_the_patient() {
  if (patient_ && urgent()) abandon_.store(true);
}

void SnapshotMaker::run() {
  name_this_thread("snapshot");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || failure_.failed() || due(); });
    if (stopping_ || failure_.failed()) break;
    const std::uint64_t sequence = current_first_ - 1;
    const std::uint64_t bytes = bytes_since_;
    const Checkpoint live = live_;
    const bool hurried = urgent();
    patient_ = !hurried;
    abandon_.store(false);
    if (stopping_) abandon_.store(true);  // stop() sets them in the other order: it is seen in any case
    lock.unlock();
    Status outcome = Ok{};
    std::thread worker([&] {
      // Which a thread cannot take back: so it is one for each snapshot.
      if (hurried) {
        lower_priority();
        outcome = make(files_, sequence, live);
        return;
      }
      // Not nice 19: whoever runs so keeps a core for a whole slice, and a commit that has just been written
      // waits for it.
      run_when_idle();
      const Pace pace([this](std::chrono::nanoseconds pause) { rest(pause); });
      PacedFileSystem paced(files_);
      outcome = make(paced, sequence, live);
    });
    worker.join();
    lock.lock();
    patient_ = false;
    if (abandon_ && !stopping_ && !outcome.ok()) continue;
    (outcome.ok() ? made_ : failures_).fetch_add(1, std::memory_order_relaxed);
    retry_ = outcome.ok();
    if (outcome.ok()) bytes_since_ -= bytes;
    outcome_ = std::move(outcome);
    attempted_ = sequence;
    ++attempts_;
    if (wanted_after_ && sequence >= *wanted_after_) wanted_after_.reset();
    changed_.notify_all();
  }
  ended_ = true;
  changed_.notify_all();
}

void SnapshotMaker::rest(std::chrono::nanoseconds pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return abandon_ || failure_.failed(); });
}

Status SnapshotMaker::make(FileSystem& files, std::uint64_t sequence, const Checkpoint& live) {
  const auto owned = factory_();
  std::vector<Replica*> replicas;
  for (const auto& replica : owned) replicas.push_back(replica.get());
  std::uint64_t base = 0;
  Status status = rebuild(files, sequence, live, replicas, &base);
  if (!status.ok()) return status;
  status = write_snapshot(files, options_.dir, sequence, live.time, replicas, abandon_);
  if (!status.ok()) return status;
  newest_.store(sequence, std::memory_order_relaxed);
  return remove_old(sequence, base);
}

Status SnapshotMaker::rebuild(FileSystem& files, std::uint64_t sequence, const Checkpoint& live,
                              const std::vector<Replica*>& replicas, std::uint64_t* base) {
  auto listing = list_journal(files, options_.dir);
  if (!listing.ok()) return std::move(listing).error();
  std::vector<std::string> notes;
  auto chosen = choose_snapshot(files, options_.dir, *listing, &notes);
  if (!chosen.ok()) return std::move(chosen).error();
  *base = *chosen;
  if (*base != 0) {
    auto loaded = load_snapshot(files, options_.dir, *base, replicas);
    if (!loaded.ok()) return std::move(loaded).error();
  }
  ReplayOptions options;
  options.after = *base;
  options.until = sequence;
  options.abandon = &abandon_;
  auto end = replay(files, options_.dir, *listing, replicas, options);
  if (abandon_) return Error{ErrorCode::kDraining, "the snapshot was abandoned"};
  if (!end.ok() && end.error().code == kSystemError) return std::move(end).error();
  // From here on an error is more than a snapshot that could not be made: the log is not what was
  // acknowledged.
  std::string why;
  if (!end.ok()) why = end.error().message;
  if (why.empty()) why = compare_digests(live.digests, replicas);
  for (const Replica* replica : replicas) {
    if (!why.empty()) break;
    if (replica->digest() != replica->recompute_digest()) {
      why = "service " + std::to_string(replica->service()) + " keeps a digest that is not its state's";
    }
  }
  if (why.empty()) return Ok{};
  Error error{ErrorCode::kInternal,
              "the log does not reproduce the state at sequence " + std::to_string(sequence) + ": " + why};
  failure_.fail(error.message);
  return error;
}

Status SnapshotMaker::remove_old(std::uint64_t newest, std::uint64_t base) {
  auto listing = list_journal(files_, options_.dir);
  if (!listing.ok()) return std::move(listing).error();
  const auto remove = [&](const std::string& name) -> Status {
    if (const int error = files_.remove(in_directory(options_.dir, name)); error != 0) {
      return cannot("remove", options_.dir, name, error);
    }
    return Ok{};
  };
  for (const std::uint64_t sequence : listing->snapshots) {
    if (sequence == newest || sequence == base) continue;
    if (Status status = remove(snapshot_name(sequence)); !status.ok()) return status;
  }
  const auto& segments = listing->segments;
  for (std::size_t i = 0; i + 1 < segments.size() && segments[i + 1] <= base + 1; ++i) {
    if (Status status = remove(segment_name(segments[i])); !status.ok()) return status;
    segments_removed_.fetch_add(1, std::memory_order_relaxed);
  }
  if (const int error = files_.sync_directory(options_.dir); error != 0) {
    return cannot("sync", options_.dir, "", error);
  }
  return Ok{};
}

}  // namespace spillway::journal
