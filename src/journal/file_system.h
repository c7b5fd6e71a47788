#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::journal {

/// The operating system's files as the journal needs them, behind a seam with three sides: the real one
/// (posix_file_system.cc), one in memory that can lose power, and one that fails on demand (both for tests).
/// Calls answer 0 or an errno value, as POSIX counts them.
class File {
 public:
  virtual ~File() = default;
  /// Writes at most `size` bytes at `offset`; `*written` may be less (a short write) with 0 as the answer.
  virtual int write_at(std::uint64_t offset, const char* data, std::size_t size, std::size_t* written) = 0;
  /// Reads at most `size` bytes; `*got` is 0 at the end of the file.
  virtual int read_at(std::uint64_t offset, char* into, std::size_t size, std::size_t* got) = 0;
  virtual int sync() = 0;  ///< fdatasync; never called again after an error
  virtual int truncate(std::uint64_t size) = 0;
  virtual int size(std::uint64_t* size) = 0;
};

struct OpenMode {
  bool create = false;  ///< O_CREAT
  bool write = false;   ///< O_RDWR instead of O_RDONLY
  bool direct = false;  ///< O_DIRECT; EINVAL where the file system has none
  bool dsync = false;   ///< O_DSYNC
  bool read_ahead = true;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int open(const std::string& path, OpenMode, std::unique_ptr<File>* file) = 0;
  virtual int make_directory(const std::string& path) = 0;  ///< with parents; 0 when it is there already
  virtual int list(const std::string& directory, std::vector<std::string>* names) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int remove(const std::string& path) = 0;
  virtual int sync_directory(const std::string& directory) = 0;
  /// A handle whose sync() does what sync_directory() does, also when the process has no file descriptors
  /// left.
  virtual int open_directory(const std::string& directory, std::unique_ptr<File>* handle) = 0;
  /// How much an ordinary user may still write below `directory`. What a quota takes away may not show here.
  virtual int free_bytes(const std::string& directory, std::uint64_t* bytes) = 0;
  /// An exclusive lock held until the returned handle goes, or the process ends; EWOULDBLOCK when somebody
  /// has it.
  virtual int lock(const std::string& path, std::unique_ptr<File>* handle) = 0;
};

/// The real one.
FileSystem& posix_file_system();

/// "No space left on device".
std::string errno_text(int error);
/// Writes all of it, going on after short writes. With `block` over 1 every call stays aligned to it: what a
/// short write left of a block is written again. A call that gets nowhere is EIO. Never tries again after an
/// error.
int write_all(File&, std::uint64_t offset, const char* data, std::size_t size, std::size_t block = 1);
/// Reads until `size` bytes are there or the file ends.
int read_all(File&, std::uint64_t offset, char* into, std::size_t size, std::size_t* got);

}  // namespace spillway::journal
