#include "journal/paced_file_system.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/pace.h"

namespace spillway::journal {
namespace {

class PacedFile final : public File {
 public:
  explicit PacedFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  int write_at(std::uint64_t offset, const char* data, std::size_t size, std::size_t* written) override {
    int error = file_->write_at(offset, data, piece(size), written);
    if (error == 0) unsynced_ += *written;
    if (error == 0 && unsynced_ >= limits::kPacedBytes) {
      error = file_->sync();  // all at the end would be one large piece
      unsynced_ = 0;
    }
    Pace::breathe();
    return error;
  }
  int read_at(std::uint64_t offset, char* into, std::size_t size, std::size_t* got) override {
    const int error = file_->read_at(offset, into, piece(size), got);
    Pace::breathe();
    return error;
  }
  int sync() override { return file_->sync(); }
  int truncate(std::uint64_t size) override { return file_->truncate(size); }
  int size(std::uint64_t* size) override { return file_->size(size); }

 private:
  static std::size_t piece(std::size_t size) { return std::min(size, limits::kPacedBytes); }

  const std::unique_ptr<File> file_;
  std::size_t unsynced_ = 0;
};

}  // namespace

int PacedFileSystem::open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) {
  mode.read_ahead = false;
  std::unique_ptr<File> opened;
  if (const int error = files_.open(path, mode, &opened); error != 0) return error;
  *file = std::make_unique<PacedFile>(std::move(opened));
  return 0;
}

}  // namespace spillway::journal
