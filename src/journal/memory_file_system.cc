#include "journal/memory_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace spillway::journal {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::uint64_t kPretendedFreeBytes = std::uint64_t{1} << 40;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFileSystem& files, std::shared_ptr<MemoryFileSystem::Inode> inode, OpenMode mode)
      : files_(files), inode_(std::move(inode)), mode_(mode) {}
  ~MemoryFile() override {
    if (locked_.empty()) return;
    const std::lock_guard lock(files_.mutex_);
    files_.locked_.erase(locked_);
  }
  void holds_lock(std::string path) { locked_ = std::move(path); }

  int write_at(std::uint64_t offset, const char* data, std::size_t size, std::size_t* written) override {
    *written = 0;
    if (!mode_.write) return EBADF;
    if (mode_.direct &&
        (misaligned(offset) || misaligned(size) || misaligned(reinterpret_cast<std::uintptr_t>(data)))) {
      return EINVAL;
    }
    const std::lock_guard lock(files_.mutex_);
    if (!files_.has_power_) return EIO;
    MemoryFileSystem::Change change{.offset = offset, .data = std::string(data, size)};
    MemoryFileSystem::apply(inode_->now, change);
    inode_->unsynced.push_back(std::move(change));
    if (const int error = files_.step(); error != 0) return error;  // the cut sees a part of it
    if (mode_.dsync) {
      inode_->unsynced.back().durable = true;
      if (inode_->unsynced.size() == 1) {
        MemoryFileSystem::apply(inode_->synced, inode_->unsynced.back());
        inode_->unsynced.clear();
      }
    }
    *written = size;
    return 0;
  }
  int read_at(std::uint64_t offset, char* into, std::size_t size, std::size_t* got) override {
    *got = 0;
    const std::lock_guard lock(files_.mutex_);
    if (!files_.has_power_) return EIO;
    if (offset >= inode_->now.size()) return 0;
    *got = std::min<std::size_t>(size, inode_->now.size() - offset);
    std::memcpy(into, inode_->now.data() + offset, *got);
    return 0;
  }
  int sync() override {
    const std::lock_guard lock(files_.mutex_);
    if (const int error = files_.step(); error != 0) return error;
    for (const auto& change : inode_->unsynced) MemoryFileSystem::apply(inode_->synced, change);
    inode_->unsynced.clear();
    return 0;
  }
  int truncate(std::uint64_t size) override {
    const std::lock_guard lock(files_.mutex_);
    if (!files_.has_power_) return EIO;
    MemoryFileSystem::Change change{.truncation = true, .offset = size, .data = {}};
    MemoryFileSystem::apply(inode_->now, change);
    inode_->unsynced.push_back(std::move(change));
    return files_.step();
  }
  int size(std::uint64_t* size) override {
    const std::lock_guard lock(files_.mutex_);
    if (!files_.has_power_) return EIO;
    *size = inode_->now.size();
    return 0;
  }

 private:
  static bool misaligned(std::uint64_t n) { return n % limits::kJournalBlockBytes != 0; }
  MemoryFileSystem& files_;
  const std::shared_ptr<MemoryFileSystem::Inode> inode_;
  const OpenMode mode_;
  std::string locked_;
};

class MemoryDirectory final : public File {
 public:
  MemoryDirectory(MemoryFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  int write_at(std::uint64_t, const char*, std::size_t, std::size_t*) override { return EISDIR; }
  int read_at(std::uint64_t, char*, std::size_t, std::size_t*) override { return EISDIR; }
  int sync() override { return files_.sync_entries(path_); }
  int truncate(std::uint64_t) override { return EISDIR; }
  int size(std::uint64_t*) override { return EISDIR; }

 private:
  MemoryFileSystem& files_;
  const std::string path_;
};

void MemoryFileSystem::apply(std::string& content, const Change& change) {
  if (change.truncation) {
    content.resize(change.offset);
    return;
  }
  if (content.size() < change.offset + change.data.size()) content.resize(change.offset + change.data.size());
  content.replace(change.offset, change.data.size(), change.data);
}

int MemoryFileSystem::step() {
  if (!has_power_) return EIO;
  ++operations_;
  if (cut_at_ == 0 || operations_ < cut_at_) return 0;
  cut(cut_seed_);
  return EIO;
}

void MemoryFileSystem::cut(std::uint64_t seed) {
  has_power_ = false;
  std::mt19937_64 random(seed);
  std::set<std::string> names;
  for (const auto& [name, inode] : now_) names.insert(name);
  for (const auto& [name, inode] : synced_) names.insert(name);
  std::map<const Inode*, std::string> contents;
  for (const std::string& name : names) {
    const auto before = synced_.find(name), after = now_.find(name);
    std::shared_ptr<Inode> old_one = before == synced_.end() ? nullptr : before->second;
    std::shared_ptr<Inode> new_one = after == now_.end() ? nullptr : after->second;
    const std::shared_ptr<Inode> inode = random() % 2 == 0 ? old_one : new_one;
    if (inode == nullptr) continue;
    if (!contents.contains(inode.get())) {
      std::string content = inode->synced;
      for (const Change& change : inode->unsynced) {
        if (change.truncation || change.durable) {
          if (change.durable || random() % 2 == 0) apply(content, change);
          continue;
        }
        for (std::size_t at = 0; at < change.data.size(); at += kSectorBytes) {
          if (random() % 2 == 0) {
            apply(content, {.offset = change.offset + at, .data = change.data.substr(at, kSectorBytes)});
          }
        }
      }
      contents[inode.get()] = std::move(content);
    }
    on_disk_[name] = contents[inode.get()];
  }
}

int MemoryFileSystem::open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) {
  if (mode.direct && !direct_io_) return EINVAL;
  const std::lock_guard lock(mutex_);
  if (!has_power_) return EIO;
  auto found = now_.find(path);
  if (found == now_.end()) {
    if (!mode.create) return ENOENT;
    found = now_.emplace(path, std::make_shared<Inode>()).first;
    if (const int error = step(); error != 0) return error;
  }
  *file = std::make_unique<MemoryFile>(*this, found->second, mode);
  return 0;
}

int MemoryFileSystem::make_directory(const std::string&) {
  const std::lock_guard lock(mutex_);
  return has_power_ ? 0 : EIO;
}

int MemoryFileSystem::list(const std::string& directory, std::vector<std::string>* names) {
  const std::lock_guard lock(mutex_);
  if (!has_power_) return EIO;
  names->clear();
  for (const auto& [path, inode] : now_) {
    if (parent_of(path) == directory) names->push_back(path.substr(directory.size() + 1));
  }
  return 0;
}

int MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (!has_power_) return EIO;
  const auto found = now_.find(from);
  if (found == now_.end()) return ENOENT;
  now_[to] = found->second;
  now_.erase(from);
  return step();
}

int MemoryFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!has_power_) return EIO;
  if (now_.erase(path) == 0) return ENOENT;
  return step();
}

int MemoryFileSystem::sync_entries(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (const int error = step(); error != 0) return error;
  const auto inside = [&](const auto& entry) { return parent_of(entry.first) == directory; };
  std::erase_if(synced_, inside);
  for (const auto& entry : now_) {
    if (inside(entry)) synced_.insert(entry);
  }
  return 0;
}

int MemoryFileSystem::sync_directory(const std::string& directory) { return sync_entries(directory); }

int MemoryFileSystem::open_directory(const std::string& directory, std::unique_ptr<File>* handle) {
  *handle = std::make_unique<MemoryDirectory>(*this, directory);
  return 0;
}

int MemoryFileSystem::free_bytes(const std::string&, std::uint64_t* bytes) {
  *bytes = kPretendedFreeBytes;
  return 0;
}

int MemoryFileSystem::lock(const std::string& path, std::unique_ptr<File>* handle) {
  std::unique_ptr<File> file;
  if (const int error = open(path, {.create = true, .write = true}, &file); error != 0) return error;
  const std::lock_guard lock(mutex_);
  if (!locked_.insert(path).second) return EWOULDBLOCK;
  static_cast<MemoryFile&>(*file).holds_lock(path);
  *handle = std::move(file);
  return 0;
}

void MemoryFileSystem::cut_power_at(std::uint64_t n, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  cut_at_ = operations_ + n;
  cut_seed_ = seed;
}

void MemoryFileSystem::cut_power(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  if (has_power_) cut(seed);
}

bool MemoryFileSystem::has_power() const {
  const std::lock_guard lock(mutex_);
  return has_power_;
}

std::uint64_t MemoryFileSystem::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::after_power_cut() const {
  const std::lock_guard lock(mutex_);
  auto files = std::make_unique<MemoryFileSystem>(direct_io_);
  for (const auto& [path, content] : on_disk_) {
    files->now_[path] = std::make_shared<Inode>(Inode{content, content, {}});
  }
  files->synced_ = files->now_;
  return files;
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::copy() const {
  const std::lock_guard lock(mutex_);
  auto files = std::make_unique<MemoryFileSystem>(direct_io_);
  for (const auto& [path, inode] : now_) {
    files->now_[path] = std::make_shared<Inode>(Inode{inode->now, inode->now, {}});
  }
  files->synced_ = files->now_;
  return files;
}

}  // namespace spillway::journal
