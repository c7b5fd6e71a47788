#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/file_system.h"
#include "journal/format.h"
#include "journal/replica.h"

namespace spillway::journal {

/// Prints what lies in a journal's directory: watermark, snapshots, segments with their groups and the number
/// of records of each type. Changes nothing, and may be used while a server runs. Damage is printed, not an
/// error; an error only when the directory cannot be read or holds no journal.
Status inspect(FileSystem&, const std::string& dir, std::ostream&);

struct VerifyReport {
  std::uint64_t from_sequence = 0;  ///< the snapshot that replay began with; 0: with the first record
  std::uint64_t last_sequence = 0;
  std::uint64_t records = 0;             ///< replayed
  std::uint64_t watermark_sequence = 0;  ///< acknowledged at least up to here
  std::uint64_t torn_bytes = 0;          ///< a start would cut these; they were never acknowledged
  std::uint64_t snapshots = 0;           ///< sound, and compared with the replay where it passed them
  std::uint64_t damaged_snapshots = 0;
  std::vector<ServiceDigest> digests;
  std::vector<std::string> notes;
};

/// Replays everything there is, from as far back as the files go, into fresh replicas: compares digests at
/// every checkpoint and snapshot, and at the end with the state itself. Changes no file. An error is what a
/// start would refuse with. Refuses a directory that a running server uses.
Result<VerifyReport> verify(FileSystem&, const std::string& dir, const ReplicaFactory&);

}  // namespace spillway::journal
