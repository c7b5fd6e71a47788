#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "journal/file_system.h"
#include "journal/format.h"

namespace spillway::journal {

/// The newer of the two slots. An error that names the file and the offset when neither is sound.
Result<Watermark> read_watermark(FileSystem&, const std::string& dir);
/// For a directory that holds nothing yet: a watermark at zero, durable before the first segment can exist.
Status create_watermark(FileSystem&, const std::string& dir);

/// Remembers how far the journal was acknowledged, so that recovery can tell a torn tail from lost work.
///
/// Operation: the two slots are written in turn, so that one is sound at every moment; unsynced, for the
/// kernel keeps what a killed process wrote, and after a power cut an older mark only makes recovery less
/// strict. Concurrency: the journal thread's alone.
class WatermarkWriter {
 public:
  static Result<std::unique_ptr<WatermarkWriter>> open(FileSystem&, const std::string& dir,
                                                       std::uint64_t generation);
  /// 0 or an errno value, as the calls below.
  int write(std::uint64_t sequence, std::uint64_t segment, std::uint64_t offset);
  int sync() { return file_->sync(); }
  /// Both slots alike, and synced: at a clean stop.
  int seal();

 private:
  WatermarkWriter(std::unique_ptr<File> file, std::uint64_t generation) : file_(std::move(file)) {
    mark_.generation = generation;
  }
  std::unique_ptr<File> file_;
  Watermark mark_;
};

}  // namespace spillway::journal
