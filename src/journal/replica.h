#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace spillway::journal {

/// What kind of record: a service's number, its event's number (never reused) and the version of the payload.
struct RecordType {
  std::uint8_t service = 0;
  std::uint8_t event = 0;
  std::uint8_t version = 0;
};

/// A record as it is read back. `payload` points into the reader's buffer.
struct Record {
  std::uint64_t sequence = 0;
  RecordType type;
  std::string_view payload;
};

/// Takes a snapshot's bytes, in pieces; checks and writes are the journal's.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  virtual void write(std::string_view bytes) = 0;
};
/// Gives them back. read() fills exactly `size` bytes of `into`, or answers false at the end or after damage.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  virtual bool read(char* into, std::size_t size) = 0;
};

/// One service's machine as the journal sees it: something that can be rebuilt from records alone.
/// Not thread-safe; the live one belongs to the state thread, copies to whoever made them.
class Replica {
 public:
  virtual ~Replica() = default;
  virtual std::uint8_t service() const = 0;
  /// Applies a record of this service. An error means that the record cannot be read by this version:
  /// recovery stops.
  virtual Status apply(const Record&) = 0;
  /// A hash of the whole state, kept up to date with every change: costs nothing to ask.
  virtual std::uint64_t digest() const = 0;
  /// The same hash computed anew from the state itself.
  virtual std::uint64_t recompute_digest() const = 0;
  virtual void save(SnapshotSink&) const = 0;
  virtual Status load(SnapshotSource&) = 0;
};

/// Makes empty replicas of every service, in a fixed order: for snapshots by replay, and for `journal
/// verify`.
using ReplicaFactory = std::function<std::vector<std::unique_ptr<Replica>>()>;

}  // namespace spillway::journal
