#include "journal/paced_file_system.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace spillway::journal {
namespace {

constexpr int kRests = 3;  // times as long as a piece took

class PacedFile final : public File {
 public:
  PacedFile(std::unique_ptr<File> file, const PacedFileSystem::Rest& rest)
      : file_(std::move(file)), rest_(rest) {}

  int write_at(std::uint64_t offset, const char* data, std::size_t size, std::size_t* written) override {
    return paced([&] {
      if (const int error = file_->write_at(offset, data, piece(size), written); error != 0) return error;
      unsynced_ += *written;
      if (unsynced_ < limits::kPacedBytes) return 0;
      unsynced_ = 0;
      return file_->sync();  // all at the end would be one large piece
    });
  }
  int read_at(std::uint64_t offset, char* into, std::size_t size, std::size_t* got) override {
    return paced([&] { return file_->read_at(offset, into, piece(size), got); });
  }
  int sync() override {
    return paced([&] { return file_->sync(); });
  }
  int truncate(std::uint64_t size) override { return file_->truncate(size); }
  int size(std::uint64_t* size) override { return file_->size(size); }

 private:
  static std::size_t piece(std::size_t size) { return std::min(size, limits::kPacedBytes); }
  template <class Act>
  int paced(Act act) {
    const auto began = std::chrono::steady_clock::now();
    const int error = act();
    const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began;
    rest_(
        std::min<std::chrono::nanoseconds>(kRests * took, std::chrono::microseconds(limits::kMaxPacedRest)));
    return error;
  }

  const std::unique_ptr<File> file_;
  const PacedFileSystem::Rest& rest_;
  std::size_t unsynced_ = 0;
};

}  // namespace

int PacedFileSystem::open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) {
  mode.read_ahead = false;
  std::unique_ptr<File> opened;
  if (const int error = files_.open(path, mode, &opened); error != 0) return error;
  *file = std::make_unique<PacedFile>(std::move(opened), rest_);
  return 0;
}

}  // namespace spillway::journal
