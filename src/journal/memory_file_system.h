#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "journal/file_system.h"

namespace spillway::journal {

/// Files in memory that can lose power, for tests.
///
/// Operation: what was written is kept apart from what was synced. At a power cut, of everything not synced a
/// random part is on disk: writes in sectors of 512 bytes, each kept or lost; directory entries likewise,
/// each name on its own. Writes through a file opened with `dsync` are on disk when the call returns; a cut
/// in the middle of one leaves a random part of it. Aligned access is demanded of files opened with `direct`.
/// Concurrency: any thread.
class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(bool direct_io = true) : direct_io_(direct_io) {}

  int open(const std::string& path, OpenMode, std::unique_ptr<File>* file) override;
  int make_directory(const std::string& path) override;
  int list(const std::string& directory, std::vector<std::string>* names) override;
  int rename(const std::string& from, const std::string& to) override;
  int remove(const std::string& path) override;
  int sync_directory(const std::string& directory) override;
  int open_directory(const std::string& directory, std::unique_ptr<File>* handle) override;
  int free_bytes(const std::string& directory, std::uint64_t* bytes) override;
  int lock(const std::string& path, std::unique_ptr<File>* handle) override;

  /// The power goes in the middle of the `n`-th operation from now that changes anything (1: the next one):
  /// from then on every call fails with EIO.
  void cut_power_at(std::uint64_t n, std::uint64_t seed);
  /// The power goes now, if it has not yet.
  void cut_power(std::uint64_t seed);
  bool has_power() const;
  std::uint64_t operations() const;
  /// After a cut: what is found on disk when the power is back.
  std::unique_ptr<MemoryFileSystem> after_power_cut() const;
  /// A copy of everything as a program would read it now.
  std::unique_ptr<MemoryFileSystem> copy() const;

 private:
  friend class MemoryFile;
  friend class MemoryDirectory;
  struct Change {
    bool truncation = false;
    bool durable = false;      ///< synced by itself, but later than changes that are not
    std::uint64_t offset = 0;  ///< or the new size
    std::string data;
  };
  struct Inode {
    std::string now;
    std::string synced;
    std::vector<Change> unsynced;
  };
  using Entries = std::map<std::string, std::shared_ptr<Inode>>;

  /// Counts one changing operation, under the lock; EIO without power. May cut the power.
  int step();
  void cut(std::uint64_t seed);
  static void apply(std::string& content, const Change& change);
  int sync_entries(const std::string& directory);

  const bool direct_io_;
  mutable std::mutex mutex_;
  Entries now_, synced_;
  std::set<std::string> locked_;
  std::uint64_t operations_ = 0;
  std::uint64_t cut_at_ = 0;
  std::uint64_t cut_seed_ = 0;
  bool has_power_ = true;
  std::map<std::string, std::string> on_disk_;  ///< after the cut
};

}  // namespace spillway::journal
