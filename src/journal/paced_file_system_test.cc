#include "journal/paced_file_system.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "journal/failing_file_system.h"
#include "journal/memory_file_system.h"

namespace spillway::journal {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kBytes = 4 * limits::kPacedBytes + 1;

std::string some_bytes() {
  std::string bytes(kBytes, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class PacedFiles : public ::testing::Test {
 protected:
  std::unique_ptr<File> open(OpenMode mode) {
    std::unique_ptr<File> file;
    EXPECT_EQ(paced_.open("data/file", mode, &file), 0);
    return file;
  }

  MemoryFileSystem memory_;
  FailingFileSystem failing_{memory_};
  std::vector<nanoseconds> rests_;
  PacedFileSystem paced_{failing_, [this](nanoseconds pause) { rests_.push_back(pause); }};
};

TEST_F(PacedFiles, ReadsAndWritesInPiecesWithAPauseAfterEach) {
  const std::string bytes = some_bytes();
  const auto file = open({.create = true, .write = true});
  ASSERT_EQ(write_all(*file, 0, bytes.data(), bytes.size()), 0);
  EXPECT_EQ(rests_.size(), 5u);
  ASSERT_EQ(file->sync(), 0);
  EXPECT_EQ(rests_.size(), 6u);
  std::string found(kBytes, '\0');
  std::size_t got = 0;
  ASSERT_EQ(read_all(*file, 0, found.data(), found.size(), &got), 0);
  EXPECT_EQ(rests_.size(), 11u);
  EXPECT_EQ(got, kBytes);
  EXPECT_TRUE(found == bytes);
  for (const nanoseconds pause : rests_) EXPECT_GE(pause.count(), 0);
}

TEST_F(PacedFiles, RestsThreeTimesAsLongAsAPieceTook) {
  const auto file = open({.create = true, .write = true});
  failing_.hold_writes("file");
  const auto began = std::chrono::steady_clock::now();
  std::thread held([&] {
    std::size_t written = 0;
    EXPECT_EQ(file->write_at(0, "x", 1, &written), 0);
  });
  failing_.wait_until_held();
  const auto at_least = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - at_least < std::chrono::milliseconds(1)) {
  }
  const auto held_for = std::chrono::steady_clock::now() - at_least;
  failing_.release_writes();
  held.join();
  const auto took_at_most = std::chrono::steady_clock::now() - began;
  ASSERT_EQ(rests_.size(), 1u);
  EXPECT_GE(rests_[0], 3 * held_for);
  EXPECT_LE(rests_[0], 3 * took_at_most);
}

/// Else the last sync would have the disk write all of it at once.
TEST_F(PacedFiles, SyncsWhatItHasWrittenPieceByPiece) {
  const std::string bytes = some_bytes();
  {
    const auto file = open({.create = true, .write = true});
    ASSERT_EQ(paced_.sync_directory("data"), 0);
    ASSERT_EQ(write_all(*file, 0, bytes.data(), bytes.size()), 0);
  }
  memory_.cut_power(1);
  const auto disk = memory_.after_power_cut();
  std::unique_ptr<File> file;
  ASSERT_EQ(disk->open("data/file", {}, &file), 0);
  std::string found(kBytes, '\0');
  std::size_t got = 0;
  ASSERT_EQ(read_all(*file, 0, found.data(), found.size(), &got), 0);
  ASSERT_GE(got, 4 * limits::kPacedBytes);
  EXPECT_TRUE(found.substr(0, 4 * limits::kPacedBytes) == bytes.substr(0, 4 * limits::kPacedBytes));
}

TEST_F(PacedFiles, TellsErrorsOfWritesAndOfItsOwnSyncs) {
  const std::string bytes = some_bytes();
  const auto file = open({.create = true, .write = true});
  failing_.fail_writes_from(2, ENOSPC);
  EXPECT_EQ(write_all(*file, 0, bytes.data(), bytes.size()), ENOSPC);
  failing_.fail_writes_from(0, 0);
  failing_.fail_syncs_from(1, EIO);
  EXPECT_EQ(write_all(*file, 0, bytes.data(), bytes.size()), EIO);
}

}  // namespace
}  // namespace spillway::journal
