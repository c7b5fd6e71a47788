#include "journal/group_writer.h"

#include "base/thread.h"
#include "journal/segment.h"

namespace spillway::journal {

GroupWriter::GroupWriter(FileSystem& files, const EngineOptions& options, std::unique_ptr<File> directory,
                         std::unique_ptr<WatermarkWriter> watermark, SparePreparer& spare, Failure& failure,
                         std::atomic<std::uint64_t>& in_works, std::size_t group_capacity)
    : files_(files),
      options_(options),
      directory_(std::move(directory)),
      watermark_(std::move(watermark)),
      spare_(spare),
      failure_(failure),
      delivery_(in_works),
      target_(GroupTarget::usable_processors(), options.processors_short_at),
      first_(group_capacity),
      second_(group_capacity) {}

GroupWriter::~GroupWriter() { CHECK(!thread_.joinable()); }

void GroupWriter::start() {
  thread_ = std::thread([this] { run(); });
}

// ---- The state thread's side ------------------------------------------------------------------------------

void GroupWriter::publish(NodeList& seen, Delivery& delivery) {
  if (!seen.empty()) {
    std::unique_lock lock(mutex_);
    if (busy_) {
      seen_.append(std::move(seen));
    } else {
      // Before the group is offered, so that its tasks cannot overtake these. Nothing becomes busy meanwhile.
      lock.unlock();
      if (failure_.failed()) mark_unknown(seen);
      delivery.deliver(std::move(seen));
    }
  }
  if (open_->empty()) return;
  const std::lock_guard lock(mutex_);
  ready_ = open_;
  if (sleeping_ && is_enough(*ready_)) offered_.notify_one();
}

bool GroupWriter::reclaim() {
  const std::lock_guard lock(mutex_);
  if (ready_ == open_) {
    ready_ = nullptr;
    return false;
  }
  // The other one is free: the journal thread takes a group only when it has given back the one before.
  open_ = open_ == &first_ ? &second_ : &first_;
  return true;
}

void GroupWriter::wait_taken() {
  std::unique_lock lock(mutex_);
  hurry_ = true;
  offered_.notify_one();
  taken_.wait(lock, [this] { return ready_ == nullptr; });
  hurry_ = false;
}

void GroupWriter::finish() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    offered_.notify_one();
  }
  thread_.join();
}

// ---- The journal thread's side ----------------------------------------------------------------------------

void GroupWriter::run() {
  name_this_thread("journal");
  yield_to_those_who_run();
  std::unique_lock lock(mutex_);
  while (true) {
    if (target_.tasks() > 0) gather(lock);
    sleeping_ = true;
    offered_.wait(lock, [this] { return ready_ != nullptr || finishing_; });
    sleeping_ = false;
    if (ready_ == nullptr) break;
    Group& group = *std::exchange(ready_, nullptr);
    busy_ = true;
    taken_.notify_one();
    write_and_release(group, lock);
    busy_ = false;
  }
  lock.unlock();
  if (failure_.failed()) return;
  if (const int error = watermark_->seal(); error != 0) {
    failure_.fail(cannot("seal", options_.dir, kWatermarkName, error).message);
  }
}

void GroupWriter::gather(std::unique_lock<std::mutex>& lock) {
  // From the commit before on, so that whoever comes alone does not wait.
  const auto until = committed_at_ + std::chrono::microseconds(options_.longest_gathering_us);
  enough_ = target_.tasks();
  sleeping_ = true;
  offered_.wait_until(lock, until,
                      [this] { return finishing_ || (ready_ != nullptr && is_enough(*ready_)); });
  sleeping_ = false;
  enough_ = 0;
}

bool GroupWriter::is_enough(const Group& group) const {
  return hurry_ || group.new_segment != nullptr || group.tasks.size() >= enough_;
}

void GroupWriter::note_commit(std::size_t tasks) {
  const auto used = GroupTarget::processor_time();
  const auto now = std::chrono::steady_clock::now();
  target_.committed(tasks, used - used_, now - committed_at_);
  used_ = used;
  committed_at_ = now;
}

void GroupWriter::write_and_release(Group& group, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const std::string why = failure_.failed() ? "failed before" : write(group);
  if (!why.empty()) failure_.fail(why);
  note_commit(group.tasks.size());
  NodeList tasks = std::move(group.tasks);
  lock.lock();
  do {
    // Those who saw what this group made durable; more may come while these are being given back.
    // A moved-from list is empty, and is filled again: NodeList promises it.
    tasks.append(std::move(seen_));  // NOLINT(bugprone-use-after-move)
    lock.unlock();
    if (!why.empty()) mark_unknown(tasks);
    delivery_.deliver(std::move(tasks));
    lock.lock();
  } while (!seen_.empty());
  group.reset();
}

void GroupWriter::mark_unknown(NodeList& tasks) {
  for (Node* node = tasks.front(); node != nullptr; node = node->next) {
    Task& task = static_cast<Task&>(*node);
    if (task.fate == Fate::kDurable) task.fate = Fate::kUnknown;
  }
}

std::string GroupWriter::write(Group& group) {
  if (group.new_segment != nullptr) {
    if (std::string why = open_segment(*group.new_segment); !why.empty()) return why;
  }
  const auto failed = [&](const std::string& act, const char* name, int error) {
    return cannot(act, options_.dir, name, error).message + " (offset " + std::to_string(group.offset()) +
           ")";
  };
  const std::string_view bytes = group.finish();
  if (const int error = write_all(*file_, group.offset(), bytes.data(), bytes.size(), kBlockBytes);
      error != 0) {
    return failed("write", segment_name(segment_).c_str(), error);
  }
  const std::uint64_t closed_bytes = group.new_segment != nullptr ? segment_end_ : 0;
  segment_end_ = group.offset() + bytes.size();
  // Before anybody is told: what was told must be refused to be lost.
  if (const int error = watermark_->write(group.last_sequence(), segment_, segment_end_); error != 0) {
    return failed("write", kWatermarkName, error);
  }
  counters_.durable_sequence.store(group.last_sequence(), std::memory_order_relaxed);
  counters_.groups.fetch_add(1, std::memory_order_relaxed);
  counters_.bytes_written.fetch_add(bytes.size(), std::memory_order_relaxed);
  if (group.new_segment != nullptr) {
    on_opened_({segment_, closed_bytes, std::move(group.new_segment->checkpoint)});
  }
  return {};
}

std::string GroupWriter::open_segment(Group::NewSegment& segment) {
  const std::string name = segment_name(segment.header.first_sequence);
  const auto failed = [&](const std::string& act, const std::string& file, int error) {
    return cannot(act, options_.dir, file, error).message;
  };
  // The mark of the closed segment's end is durable before that end can be proven by a segment after it.
  if (const int error = watermark_->sync(); error != 0) return failed("sync", kWatermarkName, error);

  alignas(kBlockBytes) char block[kBlockBytes] = {};
  encode_segment_header(segment.header, block);
  if (const int error = write_all(*segment.file, 0, block, sizeof block, kBlockBytes); error != 0) {
    return failed("write", kSpareName, error);
  }
  const std::string spare = in_directory(options_.dir, kSpareName);
  if (const int error = files_.rename(spare, in_directory(options_.dir, name)); error != 0) {
    return failed("rename the spare segment to", name, error);
  }
  if (const int error = directory_->sync(); error != 0) return failed("sync", "", error);
  file_ = std::move(segment.file);
  segment_ = segment.header.first_sequence;
  spare_.renamed();
  return {};
}

}  // namespace spillway::journal
