#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/file_system.h"
#include "journal/format.h"
#include "journal/replica.h"
#include "journal/segment.h"
#include "journal/snapshot.h"

namespace spillway::journal {

struct ReplayOptions {
  /// The replicas hold the effect of all records up to this one.
  std::uint64_t after = 0;
  /// Set: replay ends with this record, which is the last of a closed segment, and nothing is said about what
  /// follows. Unset: replay ends where the log ends, and judges that end.
  std::optional<std::uint64_t> until;
  /// Judging the end of the log: what was acknowledged, and where it ended.
  Watermark watermark;
  /// Turning true ends the replay with an error. May be null.
  const std::atomic<bool>* abandon = nullptr;
  /// Called after every record; an error ends the replay. May be empty.
  std::function<Status(const Record&)> after_record;
};

struct ReplayEnd {
  std::uint64_t last_sequence = 0;
  Timestamp last_time;
  std::uint64_t records = 0;  ///< applied
  std::uint64_t bytes = 0;    ///< of the groups read
  // The last segment, when the end of the log was judged; 0: there is none.
  std::uint64_t segment = 0;
  std::uint64_t segment_end = 0;   ///< where its sound groups end
  std::uint64_t segment_size = 0;  ///< of the file
  std::uint64_t torn_bytes = 0;    ///< of a group after that whose writing was cut short
};

/// Applies the log to the replicas, comparing their digests at every checkpoint. Changes no file.
/// Refuses, naming file, offset and what was expected: damage at or before the watermark, or with more of the
/// log after it; a missing segment; a log that ends before the watermark; a log that gives another state than
/// it did.
Result<ReplayEnd> replay(FileSystem&, const std::string& dir, const Listing&, const std::vector<Replica*>&,
                         const ReplayOptions&);

/// The newest snapshot that is sound, or sequence 0 for "none: begin with the first segment". `notes` gets a
/// sentence for each damaged one. An error when the log cannot do without any of them.
Result<std::uint64_t> choose_snapshot(FileSystem&, const std::string& dir, const Listing&,
                                      std::vector<std::string>* notes);

struct Recovered {
  ReplayEnd end;
  std::uint64_t snapshot_sequence = 0;
  std::uint64_t generation = 0;  ///< of the watermark
  std::vector<std::string> notes;
};

/// Recovery at the start: makes the watermark in an empty directory, loads and replays, then cuts a torn
/// tail, makes sure that all that was read is durable, moves the watermark to it and removes temporary files.
Result<Recovered> recover(FileSystem&, const std::string& dir, const std::vector<Replica*>&);

}  // namespace spillway::journal
