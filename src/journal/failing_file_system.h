#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "journal/file_system.h"

namespace spillway::journal {

/// Wraps another file system and fails on demand, for tests. Knobs may be turned at any time, from any
/// thread.
class FailingFileSystem final : public FileSystem {
 public:
  explicit FailingFileSystem(FileSystem& base) : base_(base) {}

  /// The `n`-th write from now (1: the next) and all after it fail; 0: none. Only files whose path, renames
  /// followed, contains `part` count. Short writes count as one.
  void fail_writes_from(std::uint64_t n, int error, std::string part = "");
  /// Likewise for File::sync(), of directories too. With dsync files, for which a write syncs, `n` counts
  /// those writes as well.
  void fail_syncs_from(std::uint64_t n, int error);
  /// A write takes at most so many bytes; 0: all.
  /// Only of files whose path has `part` in it.
  void limit_writes_to(std::size_t bytes, std::string part = "");
  /// So many bytes may still be added to files; the next answers ENOSPC. Truncating and removing give room
  /// back.
  void limit_room_to(std::uint64_t bytes);
  void unlimit_room();
  /// Without O_DIRECT: opening with it is EINVAL.
  void refuse_direct();
  /// Writes to files whose path, renames followed, contains `part` wait until release_writes().
  void hold_writes(std::string part);
  /// Returns when a write is being held.
  void wait_until_held();
  void release_writes();

  std::uint64_t writes() const;
  std::uint64_t failures() const;  ///< calls answered with an error of ours

  int open(const std::string& path, OpenMode, std::unique_ptr<File>* file) override;
  int make_directory(const std::string& path) override { return base_.make_directory(path); }
  int list(const std::string& directory, std::vector<std::string>* names) override {
    return base_.list(directory, names);
  }
  int rename(const std::string& from, const std::string& to) override;
  int remove(const std::string& path) override;
  int sync_directory(const std::string& directory) override;
  int open_directory(const std::string& directory, std::unique_ptr<File>* handle) override;
  int free_bytes(const std::string& directory, std::uint64_t* bytes) override;
  int lock(const std::string& path, std::unique_ptr<File>* handle) override {
    return base_.lock(path, handle);
  }

 private:
  friend class FailingFile;
  /// What is to become of a write of `*size` bytes that makes its file grow by `growth`.
  int before_write(const std::string& path, bool dsync, std::uint64_t growth, std::size_t* size);
  int before_sync();
  void give_back(std::uint64_t bytes);
  int count_sync();

  FileSystem& base_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t writes_ = 0, syncs_ = 0, failures_ = 0;
  std::uint64_t fail_write_ = 0, fail_sync_ = 0;
  int write_error_ = 0, sync_error_ = 0;
  std::size_t largest_write_ = 0;
  std::string limited_part_;
  bool room_limited_ = false;
  std::uint64_t room_ = 0;
  bool no_direct_ = false;
  std::vector<std::weak_ptr<std::string>> paths_;  ///< of open files
  std::string failing_part_;
  std::string held_part_;
  std::uint64_t held_ = 0;
};

}  // namespace spillway::journal
