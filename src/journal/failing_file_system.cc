#include "journal/failing_file_system.h"

#include <algorithm>
#include <cerrno>

#include "base/limits.h"

namespace spillway::journal {

class FailingFile final : public File {
 public:
  FailingFile(FailingFileSystem& files, std::unique_ptr<File> base, std::shared_ptr<std::string> path,
              OpenMode mode)
      : files_(files), base_(std::move(base)), path_(std::move(path)), mode_(mode) {}

  int write_at(std::uint64_t offset, const char* data, std::size_t size, std::size_t* written) override {
    *written = 0;
    std::uint64_t before = 0;
    if (const int error = base_->size(&before); error != 0) return error;
    const std::uint64_t growth = offset + size > before ? offset + size - before : 0;
    if (const int error = files_.before_write(*path_, mode_.dsync, growth, &size); error != 0) return error;
    if (!mode_.direct || size % limits::kJournalBlockBytes == 0)
      return base_->write_at(offset, data, size, written);
    // A short write may end anywhere, but the file below takes whole blocks only.
    const std::size_t whole = size - size % limits::kJournalBlockBytes;
    const int error = whole == 0 ? 0 : base_->write_at(offset, data, whole, written);
    if (error == 0) *written = size;
    return error;
  }
  int read_at(std::uint64_t offset, char* into, std::size_t size, std::size_t* got) override {
    return base_->read_at(offset, into, size, got);
  }
  int sync() override {
    if (const int error = files_.before_sync(); error != 0) return error;
    return base_->sync();
  }
  int truncate(std::uint64_t size) override {
    std::uint64_t before = 0;
    if (const int error = base_->size(&before); error != 0) return error;
    if (before > size) files_.give_back(before - size);
    return base_->truncate(size);
  }
  int size(std::uint64_t* size) override { return base_->size(size); }

 private:
  FailingFileSystem& files_;
  const std::unique_ptr<File> base_;
  const std::shared_ptr<std::string> path_;
  const OpenMode mode_;
};

void FailingFileSystem::fail_writes_from(std::uint64_t n, int error, std::string part) {
  const std::lock_guard lock(mutex_);
  fail_write_ = n == 0 ? 0 : writes_ + n;
  write_error_ = error;
  failing_part_ = std::move(part);
}
void FailingFileSystem::fail_syncs_from(std::uint64_t n, int error) {
  const std::lock_guard lock(mutex_);
  fail_sync_ = n == 0 ? 0 : syncs_ + n;
  sync_error_ = error;
}
void FailingFileSystem::limit_writes_to(std::size_t bytes, std::string part) {
  const std::lock_guard lock(mutex_);
  largest_write_ = bytes;
  limited_part_ = std::move(part);
}
void FailingFileSystem::limit_room_to(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  room_limited_ = true;
  room_ = bytes;
}
void FailingFileSystem::unlimit_room() {
  const std::lock_guard lock(mutex_);
  room_limited_ = false;
}
void FailingFileSystem::refuse_direct() {
  const std::lock_guard lock(mutex_);
  no_direct_ = true;
}
void FailingFileSystem::hold_writes(std::string part) {
  const std::lock_guard lock(mutex_);
  held_part_ = std::move(part);
}
void FailingFileSystem::wait_until_held() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_ > 0; });
}
void FailingFileSystem::release_writes() {
  const std::lock_guard lock(mutex_);
  held_part_.clear();
  changed_.notify_all();
}
std::uint64_t FailingFileSystem::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}
std::uint64_t FailingFileSystem::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

int FailingFileSystem::count_sync() {
  ++syncs_;
  if (fail_sync_ == 0 || syncs_ < fail_sync_) return 0;
  ++failures_;
  return sync_error_;
}

int FailingFileSystem::before_write(const std::string& path, bool dsync, std::uint64_t growth,
                                    std::size_t* size) {
  std::unique_lock lock(mutex_);
  if (!held_part_.empty() && path.find(held_part_) != std::string::npos) {
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return held_part_.empty(); });
    --held_;
  }
  if (path.find(failing_part_) != std::string::npos) {
    ++writes_;
    if (fail_write_ != 0 && writes_ >= fail_write_) {
      ++failures_;
      return write_error_;
    }
  }
  if (dsync) {
    if (const int error = count_sync(); error != 0) return error;
  }
  if (room_limited_ && growth > 0) {
    const std::uint64_t over = growth > room_ ? growth - room_ : 0;
    if (over >= *size) {
      ++failures_;
      return ENOSPC;
    }
    *size -= over;  // a real disk takes what still fits
    room_ -= growth - over;
  }
  if (largest_write_ != 0 && path.find(limited_part_) != std::string::npos)
    *size = std::min(*size, largest_write_);
  return 0;
}

int FailingFileSystem::before_sync() {
  const std::lock_guard lock(mutex_);
  return count_sync();
}

void FailingFileSystem::give_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  room_ += bytes;
}

int FailingFileSystem::open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) {
  {
    const std::lock_guard lock(mutex_);
    if (mode.direct && no_direct_) return EINVAL;
  }
  std::unique_ptr<File> base;
  if (const int error = base_.open(path, mode, &base); error != 0) return error;
  auto shared_path = std::make_shared<std::string>(path);
  *file = std::make_unique<FailingFile>(*this, std::move(base), shared_path, mode);
  const std::lock_guard lock(mutex_);
  std::erase_if(paths_, [](const auto& each) { return each.expired(); });
  paths_.push_back(shared_path);
  return 0;
}

int FailingFileSystem::rename(const std::string& from, const std::string& to) {
  std::unique_ptr<File> replaced;
  std::uint64_t size = 0;
  if (base_.open(to, {}, &replaced) == 0 && replaced->size(&size) == 0) give_back(size);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : paths_) {
      if (const auto path = each.lock(); path != nullptr && *path == from) *path = to;
    }
  }
  return base_.rename(from, to);
}

int FailingFileSystem::remove(const std::string& path) {
  std::unique_ptr<File> removed;
  std::uint64_t size = 0;
  if (base_.open(path, {}, &removed) == 0 && removed->size(&size) == 0) give_back(size);
  return base_.remove(path);
}

int FailingFileSystem::sync_directory(const std::string& directory) {
  if (const int error = before_sync(); error != 0) return error;
  return base_.sync_directory(directory);
}

int FailingFileSystem::open_directory(const std::string& directory, std::unique_ptr<File>* handle) {
  std::unique_ptr<File> base;
  if (const int error = base_.open_directory(directory, &base); error != 0) return error;
  *handle = std::make_unique<FailingFile>(*this, std::move(base), std::make_shared<std::string>(directory),
                                          OpenMode{});
  return 0;
}

int FailingFileSystem::free_bytes(const std::string& directory, std::uint64_t* bytes) {
  if (const int error = base_.free_bytes(directory, bytes); error != 0) return error;
  const std::lock_guard lock(mutex_);
  if (room_limited_) *bytes = std::min(*bytes, room_);
  return 0;
}

}  // namespace spillway::journal
