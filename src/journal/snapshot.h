#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "journal/file_system.h"
#include "journal/format.h"
#include "journal/replica.h"

namespace spillway::journal {

struct SnapshotInfo {
  std::uint64_t sequence = 0;  ///< the last record whose effect is in it
  Timestamp time;
  std::vector<ServiceDigest> digests;
};

/// Writes the replicas' state as of `sequence`: to a temporary name, synced, renamed, directory synced.
/// `abandon` turning true ends it with an error; whatever ends it, no temporary file stays behind.
Status write_snapshot(FileSystem&, const std::string& dir, std::uint64_t sequence, Timestamp time,
                      const std::vector<Replica*>& replicas, const std::atomic<bool>& abandon);

/// Reads the whole file and checks every checksum and its length.
Result<SnapshotInfo> check_snapshot(FileSystem&, const std::string& dir, std::uint64_t sequence);

/// Loads a snapshot that has passed check_snapshot() into empty replicas, and compares their digests.
Result<SnapshotInfo> load_snapshot(FileSystem&, const std::string& dir, std::uint64_t sequence,
                                   const std::vector<Replica*>& replicas);

/// The digests that the replicas tell of themselves.
std::vector<ServiceDigest> digests_of(const std::vector<Replica*>&);
/// Empty when the replicas agree with `expected`, else a sentence. Replicas that `expected` does not name are
/// not looked at: they belong to services newer than it.
std::string compare_digests(const std::vector<ServiceDigest>& expected, const std::vector<Replica*>&);

}  // namespace spillway::journal
