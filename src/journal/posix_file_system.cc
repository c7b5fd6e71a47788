#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "journal/file_system.h"

namespace spillway::journal {
namespace {

class PosixFile final : public File {
 public:
  explicit PosixFile(int fd, bool directory = false) : fd_(fd), directory_(directory) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  int write_at(std::uint64_t offset, const char* data, std::size_t size, std::size_t* written) override {
    ssize_t n = 0;
    do {
      n = ::pwrite(fd_, data, size, static_cast<off_t>(offset));
    } while (n < 0 && errno == EINTR);
    *written = n < 0 ? 0 : static_cast<std::size_t>(n);
    return n < 0 ? errno : 0;
  }
  int read_at(std::uint64_t offset, char* into, std::size_t size, std::size_t* got) override {
    ssize_t n = 0;
    do {
      n = ::pread(fd_, into, size, static_cast<off_t>(offset));
    } while (n < 0 && errno == EINTR);
    *got = n < 0 ? 0 : static_cast<std::size_t>(n);
    return n < 0 ? errno : 0;
  }
  int sync() override { return (directory_ ? ::fsync(fd_) : ::fdatasync(fd_)) == 0 ? 0 : errno; }
  int truncate(std::uint64_t size) override {
    return ::ftruncate(fd_, static_cast<off_t>(size)) == 0 ? 0 : errno;
  }
  int size(std::uint64_t* size) override {
    struct stat about {};
    if (::fstat(fd_, &about) != 0) return errno;
    *size = static_cast<std::uint64_t>(about.st_size);
    return 0;
  }

 private:
  const int fd_;
  const bool directory_;
};

class PosixFileSystem final : public FileSystem {
 public:
  int open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) override {
    int flags = O_CLOEXEC | (mode.write ? O_RDWR : O_RDONLY);
    if (mode.create) flags |= O_CREAT;
    if (mode.direct) flags |= O_DIRECT;
    if (mode.dsync) flags |= O_DSYNC;
    const int fd = ::open(path.c_str(), flags, 0640);
    if (fd < 0) return errno;
    if (!mode.read_ahead) static_cast<void>(::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));  // a wish
    *file = std::make_unique<PosixFile>(fd);
    return 0;
  }

  int make_directory(const std::string& path) override {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      const std::string part = path.substr(0, slash);
      if (::mkdir(part.c_str(), 0750) == 0) {
        // A directory that a power cut takes away again takes the journal in it with it.
        const std::size_t parent = part.find_last_of('/');
        const std::string in = parent == std::string::npos ? "." : parent == 0 ? "/" : part.substr(0, parent);
        if (const int error = sync_directory(in); error != 0) return error;
      } else if (errno != EEXIST) {
        return errno;
      }
      if (slash == std::string::npos) break;
    }
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return errno;
    return S_ISDIR(about.st_mode) ? 0 : ENOTDIR;
  }

  int list(const std::string& directory, std::vector<std::string>* names) override {
    names->clear();
    DIR* const handle = ::opendir(directory.c_str());
    if (handle == nullptr) return errno;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names->emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(handle);
    return error;
  }

  int rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  }
  int remove(const std::string& path) override { return ::unlink(path.c_str()) == 0 ? 0 : errno; }

  int open_directory(const std::string& directory, std::unique_ptr<File>* handle) override {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    *handle = std::make_unique<PosixFile>(fd, true);
    return 0;
  }
  int sync_directory(const std::string& directory) override {
    std::unique_ptr<File> handle;
    if (const int error = open_directory(directory, &handle); error != 0) return error;
    return handle->sync();
  }

  int free_bytes(const std::string& directory, std::uint64_t* bytes) override {
    struct statvfs about {};
    if (::statvfs(directory.c_str(), &about) != 0) return errno;
    *bytes = static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
    return 0;
  }

  int lock(const std::string& path, std::unique_ptr<File>* handle) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return errno;
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(fd);
      return error;
    }
    *handle = std::make_unique<PosixFile>(fd);
    return 0;
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem file_system;
  return file_system;
}

}  // namespace spillway::journal
