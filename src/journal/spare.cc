#include "journal/spare.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/pace.h"
#include "base/thread.h"
#include "journal/group.h"
#include "journal/paced_file_system.h"
#include "journal/segment.h"

namespace spillway::journal {
namespace {

constexpr std::size_t kPieceBytes = 1024 * 1024;

/// Want of something that may come back by itself, first of all of room.
bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM;
}

}  // namespace

SparePreparer::SparePreparer(FileSystem& files, const EngineOptions& options, Failure& failure)
    : files_(files), options_(options), failure_(failure), path_(in_directory(options.dir, kSpareName)) {}

Status SparePreparer::prepare_first() {
  std::unique_ptr<File> file;
  const int error = prepare(files_, &file);
  if (error != 0 && !is_full(error)) return cannot("prepare", options_.dir, kSpareName, error);
  spare_ = std::move(file);
  set(error == 0 ? State::kReady : State::kFull);
  return Ok{};
}

void SparePreparer::start() {
  thread_ = std::thread([this] { run(); });
}

void SparePreparer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (spare_ != nullptr) {
    spare_.reset();
    static_cast<void>(files_.remove(path_));  // else the next start removes it
  }
}

std::unique_ptr<File> SparePreparer::claim() {
  const std::lock_guard lock(mutex_);
  if (spare_ == nullptr) return nullptr;
  claimed_ = true;
  state_.store(State::kWorking, std::memory_order_release);
  return std::move(spare_);
}

void SparePreparer::renamed() {
  const std::lock_guard lock(mutex_);
  claimed_ = false;
  changed_.notify_all();
}

void SparePreparer::wait_while_working() {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return state() != State::kWorking || failure_.failed(); });
  --waiting_;
}

void SparePreparer::rest(std::chrono::nanoseconds pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return waiting_ > 0 || stopping_ || failure_.failed(); });
}

void SparePreparer::wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void SparePreparer::set(State state) {
  const std::lock_guard lock(mutex_);
  state_.store(state, std::memory_order_release);
  changed_.notify_all();
}

void SparePreparer::run() {
  name_this_thread("spare");
  lower_priority();
  PacedFileSystem paced(files_);
  std::unique_lock lock(mutex_);
  const auto retry = std::chrono::microseconds(options_.storage_retry_us);
  while (true) {
    if (state() == State::kFull) {
      changed_.wait_for(lock, retry, [this] { return stopping_; });
    } else {
      changed_.wait(lock, [this] { return stopping_ || (spare_ == nullptr && !claimed_); });
    }
    if (stopping_ || failure_.failed()) return;
    lock.unlock();
    std::unique_ptr<File> file;
    int error = 0;
    {
      const Pace pace([this](std::chrono::nanoseconds pause) { rest(pause); });
      error = prepare(paced, &file);
    }
    lock.lock();
    if (error != 0 && !is_full(error)) {
      lock.unlock();
      failure_.fail(cannot("prepare", options_.dir, kSpareName, error).message);
      return;
    }
    spare_ = std::move(file);
    state_.store(error == 0 ? State::kReady : State::kFull, std::memory_order_release);
    changed_.notify_all();
  }
}

int SparePreparer::prepare(FileSystem& files, std::unique_ptr<File>* file) {
  // Looked at first, so that a full disk is not written to and freed again five times a second.
  std::uint64_t free = 0;
  if (const int error = files_.free_bytes(options_.dir, &free); error != 0) return error;
  if (free < options_.segment_bytes) return ENOSPC;
  int error = files_.remove(path_);
  if (error == ENOENT) error = 0;
  if (error == 0) error = fill(files);
  if (error == 0) error = open(files_, options_.sync, file);
  // The room goes back at once: a snapshot, which is what sets old segments free, needs it more.
  if (error != 0) static_cast<void>(files_.remove(path_));
  return error;
}

int SparePreparer::open(FileSystem& files, bool dsync, std::unique_ptr<File>* file) const {
  OpenMode mode{.create = true, .write = true, .direct = options_.direct_io, .dsync = dsync};
  int error = files.open(path_, mode, file);
  if (error == EINVAL && mode.direct) {  // this file system has no O_DIRECT
    mode.direct = false;
    error = files.open(path_, mode, file);
  }
  return error;
}

int SparePreparer::fill(FileSystem& files) {
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  const std::size_t piece = std::min(kPieceBytes, options_.segment_bytes);
  const std::unique_ptr<char, Free> zeros(static_cast<char*>(std::aligned_alloc(kBlockBytes, piece)));
  CHECK(zeros != nullptr);
  std::memset(zeros.get(), 0, piece);
  std::unique_ptr<File> file;
  if (const int error = open(files, false, &file); error != 0) return error;
  for (std::uint64_t at = 0; at < options_.segment_bytes; at += piece) {
    const std::size_t size = std::min<std::size_t>(piece, options_.segment_bytes - at);
    if (const int error = write_all(*file, at, zeros.get(), size, kBlockBytes); error != 0) return error;
  }
  return file->sync();
}

}  // namespace spillway::journal
