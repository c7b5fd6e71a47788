#include "journal/paced_file_system.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "base/limits.h"
#include "base/pace.h"
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
  PacedFileSystem paced_{failing_};
};

TEST_F(PacedFiles, ReadsAndWritesInPieces) {
  const std::string bytes = some_bytes();
  const auto file = open({.create = true, .write = true});
  ASSERT_EQ(write_all(*file, 0, bytes.data(), bytes.size()), 0);
  EXPECT_EQ(failing_.writes(), 5u);
  std::string found(kBytes, '\0');
  std::size_t got = 0;
  ASSERT_EQ(file->read_at(0, found.data(), found.size(), &got), 0);
  EXPECT_EQ(got, limits::kPacedBytes);
  ASSERT_EQ(read_all(*file, 0, found.data(), found.size(), &got), 0);
  EXPECT_EQ(got, kBytes);
  EXPECT_TRUE(found == bytes);
}

TEST_F(PacedFiles, GivesTheirThreadTheOccasionToRest) {
  const auto file = open({.create = true, .write = true});
  std::size_t done = 0;
  char byte = 'x';
  int rests = 0;
  const Pace pace([&](nanoseconds) { ++rests; });
  const auto late = [] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(limits::kPaceWork);
    while (std::chrono::steady_clock::now() < until) {
    }
  };
  late();
  ASSERT_EQ(file->write_at(0, &byte, 1, &done), 0);
  EXPECT_EQ(rests, 1);
  late();
  ASSERT_EQ(file->read_at(0, &byte, 1, &done), 0);
  EXPECT_EQ(rests, 2);
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
