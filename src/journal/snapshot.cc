#include "journal/snapshot.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "journal/segment.h"

namespace spillway::journal {
namespace {

// A snapshot of gigabytes flushed at once would keep the disk from the journal's small writes.
constexpr std::size_t kSyncEveryBytes = 8 * 1024 * 1024;

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

/// Cuts what a replica saves into chunks. Keeps the first error; after it nothing more is written.
class ChunkWriter final : public SnapshotSink {
 public:
  ChunkWriter(File& file, const SnapshotHeader& header, const std::atomic<bool>& abandon)
      : file_(file), seed_(salted_seed(header.salt)), abandon_(abandon) {
    chunk_.reserve(kMaxChunkBytes);
    char block[kSnapshotHeaderBytes];
    encode_snapshot_header(header, block);
    put(block, sizeof block);
  }

  void begin_service(std::uint8_t service) { service_ = service; }
  void end_service() {
    if (!chunk_.empty()) flush(ChunkKind::kData);
    flush(ChunkKind::kEndOfService);
  }
  void footer(const std::vector<ServiceDigest>& digests) {
    service_ = kEngineService;
    const std::size_t bytes = 8 + 1 + digests.size() * 9;
    ByteWriter out(chunk_);
    out.u64(offset_ + kChunkHeaderBytes + bytes);
    out.u8(static_cast<std::uint8_t>(digests.size()));
    for (const ServiceDigest& each : digests) {
      out.u8(each.service);
      out.u64(each.digest);
    }
    flush(ChunkKind::kFooter);
  }

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::size_t piece = std::min(bytes.size(), kMaxChunkBytes - chunk_.size());
      chunk_.append(bytes.substr(0, piece));
      bytes.remove_prefix(piece);
      if (chunk_.size() == kMaxChunkBytes) flush(ChunkKind::kData);
    }
  }
  int error() const { return error_; }

 private:
  void flush(ChunkKind kind) {
    char header[kChunkHeaderBytes];
    encode_chunk_header({static_cast<std::uint32_t>(chunk_.size()), index_++, service_, kind}, chunk_, seed_,
                        header);
    put(header, sizeof header);
    put(chunk_.data(), chunk_.size());
    chunk_.clear();
    if (error_ == 0 && abandon_.load(std::memory_order_relaxed)) error_ = ECANCELED;
    if (error_ == 0 && unsynced_ >= kSyncEveryBytes) {
      unsynced_ = 0;
      error_ = file_.sync();
    }
  }
  void put(const char* data, std::size_t size) {
    if (error_ == 0) error_ = write_all(file_, offset_, data, size);
    offset_ += size;
    unsynced_ += size;
  }

  File& file_;
  const std::uint32_t seed_;
  const std::atomic<bool>& abandon_;
  std::string chunk_;
  std::uint8_t service_ = 0;
  std::uint32_t index_ = 0;
  std::uint64_t offset_ = 0;
  std::size_t unsynced_ = 0;
  int error_ = 0;
};

/// Reads a snapshot chunk by chunk, checking each.
class ChunkReader {
 public:
  ChunkReader(std::string dir, std::uint64_t sequence)
      : dir_(std::move(dir)), name_(snapshot_name(sequence)), sequence_(sequence) {}

  Status open(FileSystem& files) {
    if (const int error = files.open(in_directory(dir_, name_), {}, &file_); error != 0) {
      return cannot("open", dir_, name_, error);
    }
    if (const int error = file_->size(&size_); error != 0) return cannot("read", dir_, name_, error);
    char bytes[kSnapshotHeaderBytes];
    std::size_t got = 0;
    if (const int error = read_all(*file_, 0, bytes, sizeof bytes, &got); error != 0) {
      return cannot("read", dir_, name_, error);
    }
    const auto header = decode_snapshot_header({bytes, got});
    if (const std::uint32_t version = unknown_version({bytes, got}); version != 0) {
      return bad("format version " + std::to_string(version) + " is not known to this program");
    }
    if (!header || header->sequence != sequence_) return bad("these bytes are no header of this snapshot");
    header_ = *header;
    seed_ = salted_seed(header->salt);
    offset_ = kSnapshotHeaderBytes;
    return Ok{};
  }

  Status next() {
    char header[kChunkHeaderBytes];
    std::size_t got = 0;
    if (const int error = read_all(*file_, offset_, header, sizeof header, &got); error != 0) {
      return cannot("read", dir_, name_, error);
    }
    if (got < sizeof header) return bad("the file ends where a chunk should begin");
    chunk_ = decode_chunk_header(header);
    if (chunk_.bytes > kMaxChunkBytes) return bad("a chunk's length is out of range");
    payload_.resize(chunk_.bytes);
    if (const int error = read_all(*file_, offset_ + sizeof header, payload_.data(), payload_.size(), &got);
        error != 0) {
      return cannot("read", dir_, name_, error);
    }
    if (got < payload_.size()) return bad("the file ends inside a chunk");
    if (!chunk_is_sound(header, payload_, seed_)) return bad("a chunk's checksum is wrong");
    if (chunk_.index != index_) return bad("a chunk is out of place");
    ++index_;
    offset_ += sizeof header + payload_.size();
    return Ok{};
  }

  const ChunkHeader& chunk() const { return chunk_; }
  std::string_view payload() const { return payload_; }
  const SnapshotHeader& header() const { return header_; }

  Result<SnapshotInfo> footer() const {
    ByteReader in(payload_);
    SnapshotInfo info{sequence_, header_.time, {}};
    const std::uint64_t length = in.u64();
    const std::size_t count = in.u8();
    for (std::size_t i = 0; i < count; ++i) {
      ServiceDigest each;
      each.service = in.u8();
      each.digest = in.u64();
      info.digests.push_back(each);
    }
    if (!in.done() || length != size_ || offset_ != size_)
      return bad("the file's length is not what its end says");
    return info;
  }
  Error bad(const std::string& what) const { return damage(dir_, name_, offset_, what); }

 private:
  const std::string dir_, name_;
  const std::uint64_t sequence_;
  std::unique_ptr<File> file_;
  SnapshotHeader header_;
  std::uint32_t seed_ = 0;
  std::uint64_t size_ = 0, offset_ = 0;
  std::uint32_t index_ = 0;
  ChunkHeader chunk_;
  std::string payload_;
};

/// What one replica is given to load from: the chunks of its service.
class ServiceSource final : public SnapshotSource {
 public:
  explicit ServiceSource(ChunkReader& reader) : reader_(reader), left_(reader.payload()) {}

  bool read(char* into, std::size_t size) override {
    while (size > 0) {
      if (left_.empty() && !more()) return false;
      const std::size_t piece = std::min(size, left_.size());
      std::memcpy(into, left_.data(), piece);
      left_.remove_prefix(piece);
      into += piece;
      size -= piece;
    }
    return true;
  }
  bool all_read() { return left_.empty() && !more() && !error_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  bool more() {
    while (left_.empty()) {
      if (error_ || reader_.chunk().kind != ChunkKind::kData) return false;
      if (Status status = reader_.next(); !status.ok()) {
        error_ = std::move(status).error();
        return false;
      }
      left_ = reader_.payload();
    }
    return true;
  }
  ChunkReader& reader_;
  std::string_view left_;
  std::optional<Error> error_;
};

Status load_service(ChunkReader& reader, Replica& replica) {
  const auto about = [&](const std::string& what) {
    return reader.bad("service " + std::to_string(replica.service()) + " " + what);
  };
  ServiceSource source(reader);
  Status loaded = replica.load(source);
  if (source.error()) return *source.error();
  if (!loaded.ok()) return about("cannot load its state: " + loaded.error().message);
  if (!source.all_read()) return source.error() ? *source.error() : about("left part of its state unread");
  return Ok{};
}

}  // namespace

std::vector<ServiceDigest> digests_of(const std::vector<Replica*>& replicas) {
  std::vector<ServiceDigest> digests;
  for (const Replica* replica : replicas) digests.push_back({replica->service(), replica->digest()});
  return digests;
}

std::string compare_digests(const std::vector<ServiceDigest>& expected,
                            const std::vector<Replica*>& replicas) {
  for (const ServiceDigest& each : expected) {
    const Replica* found = nullptr;
    for (const Replica* replica : replicas) {
      if (replica->service() == each.service) found = replica;
    }
    const std::string service = "service " + std::to_string(each.service);
    if (found == nullptr) return service + " has a state here, but is not among the services of this program";
    if (found->digest() != each.digest) {
      return service + " had digest " + hex(each.digest) + " and has " + hex(found->digest()) + " now";
    }
  }
  return {};
}

Status write_snapshot(FileSystem& files, const std::string& dir, std::uint64_t sequence, Timestamp time,
                      const std::vector<Replica*>& replicas, const std::atomic<bool>& abandon) {
  const std::string name = snapshot_name(sequence);
  const std::string path = in_directory(dir, name), temporary = path + ".tmp";
  int error = files.remove(temporary);
  if (error == ENOENT) error = 0;
  std::unique_ptr<File> file;
  if (error == 0) error = files.open(temporary, {.create = true, .write = true}, &file);
  if (error == 0) {
    ChunkWriter out(*file, {sequence, time, random_salt()}, abandon);
    for (const Replica* replica : replicas) {
      out.begin_service(replica->service());
      replica->save(out);
      out.end_service();
    }
    out.footer(digests_of(replicas));
    error = out.error();
  }
  if (error == 0) error = file->sync();
  file.reset();
  if (error == 0) error = files.rename(temporary, path);
  if (error == 0) error = files.sync_directory(dir);
  if (error == 0) return Ok{};
  // A temporary file that cannot be removed is removed at the next start.
  static_cast<void>(files.remove(temporary));
  return cannot("write", dir, name, error);
}

Result<SnapshotInfo> check_snapshot(FileSystem& files, const std::string& dir, std::uint64_t sequence) {
  ChunkReader reader(dir, sequence);
  if (Status status = reader.open(files); !status.ok()) return std::move(status).error();
  while (true) {
    if (Status status = reader.next(); !status.ok()) return std::move(status).error();
    if (reader.chunk().kind == ChunkKind::kFooter) return reader.footer();
  }
}

Result<SnapshotInfo> load_snapshot(FileSystem& files, const std::string& dir, std::uint64_t sequence,
                                   const std::vector<Replica*>& replicas) {
  ChunkReader reader(dir, sequence);
  if (Status status = reader.open(files); !status.ok()) return std::move(status).error();
  while (true) {
    if (Status status = reader.next(); !status.ok()) return std::move(status).error();
    if (reader.chunk().kind == ChunkKind::kFooter) break;
    Replica* replica = nullptr;
    for (Replica* each : replicas) {
      if (each->service() == reader.chunk().service) replica = each;
    }
    if (replica == nullptr) {
      return reader.bad("service " + std::to_string(reader.chunk().service) +
                        " has a state here, but is not among the services of this program");
    }
    if (Status status = load_service(reader, *replica); !status.ok()) return std::move(status).error();
  }
  auto info = reader.footer();
  if (!info.ok()) return info;
  if (const std::string why = compare_digests(info->digests, replicas); !why.empty()) {
    return reader.bad("the snapshot does not give the state it was made of: " + why);
  }
  return info;
}

}  // namespace spillway::journal
