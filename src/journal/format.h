#pragma once

// The bytes on disk. docs/formats/journal.md describes the same, for people; format_test.cc holds golden
// bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "journal/replica.h"

namespace spillway::journal {

inline constexpr std::size_t kBlockBytes = limits::kJournalBlockBytes;
inline constexpr std::uint32_t kFormatVersion = 1;

constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

/// CRC32C (Castagnoli) that goes on from `crc`; start with 0.
std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size);
/// What the checksums inside a segment or snapshot start from, so that bytes of another file never pass.
std::uint32_t salted_seed(std::uint64_t salt);
/// 64 bits nobody outside can guess.
std::uint64_t random_salt();

// ---- Segment ----------------------------------------------------------------------------------------------

struct SegmentHeader {
  std::uint64_t first_sequence = 0;
  std::uint64_t salt = 0;
};
inline constexpr std::size_t kSegmentHeaderBytes = 36;  ///< at the start of the segment's first block
void encode_segment_header(const SegmentHeader&, char* into);
/// Null and the reason when these bytes are none.
std::optional<SegmentHeader> decode_segment_header(std::string_view bytes, std::string* why);

struct GroupHeader {
  std::uint64_t first_sequence = 0;
  Timestamp time;           ///< now() of the last turn that had part in the group
  std::uint32_t bytes = 0;  ///< header and records, without the padding
  std::uint32_t records = 0;
};
inline constexpr std::size_t kGroupHeaderBytes = 32;
void encode_group_header(const GroupHeader&, std::uint32_t seed, char* into);
std::optional<GroupHeader> decode_group_header(std::string_view bytes, std::uint32_t seed);

inline constexpr std::size_t kRecordHeaderBytes = 20;
inline constexpr std::uint8_t kLastOfGroup = 1;  ///< the only flag
/// Writes kRecordHeaderBytes + payload.size() bytes.
void encode_record(std::uint64_t sequence, RecordType, std::uint8_t flags, std::string_view payload,
                   std::uint32_t seed, char* into);
/// Sets the flag on a record encoded before.
void mark_last_of_group(char* record, std::uint32_t seed);
/// Reads the record at the start of `bytes`; null and the reason when there is none.
std::optional<Record> decode_record(std::string_view bytes, std::uint32_t seed, std::uint8_t* flags,
                                    std::string* why);

/// The same for bytes that have passed decode_record() before: looks at no checksum.
Record decode_sound_record(std::string_view bytes);

// ---- The journal's own records: service 0 -----------------------------------------------------------------

inline constexpr std::uint8_t kEngineService = 0;
inline constexpr std::uint8_t kSegmentStart = 1;
inline constexpr std::uint8_t kCleanStop = 2;
inline constexpr std::uint8_t kCheckpointVersion = 1;

struct ServiceDigest {
  std::uint8_t service = 0;
  std::uint64_t digest = 0;
};
/// The payload of kSegmentStart and kCleanStop: what the replicas were after the record before this one.
struct Checkpoint {
  Timestamp time;
  std::vector<ServiceDigest> digests;
};
std::string encode_checkpoint(const Checkpoint&);
std::optional<Checkpoint> decode_checkpoint(std::string_view payload);

// ---- Watermark --------------------------------------------------------------------------------------------

struct Watermark {
  std::uint64_t generation = 0;  ///< counts up; odd generations in slot 1, even ones in slot 0
  std::uint64_t sequence = 0;    ///< the last durable record
  std::uint64_t segment = 0;     ///< first sequence of the segment it is in
  std::uint64_t offset = 0;      ///< where its group ends there, with padding
};
inline constexpr std::size_t kWatermarkSlotBytes = 52;
inline constexpr std::size_t kWatermarkSlotDistance = kBlockBytes;
void encode_watermark(const Watermark&, char* into);
std::optional<Watermark> decode_watermark(std::string_view bytes);
/// Of a sound watermark's slot or snapshot's header that another version wrote; else 0.
std::uint32_t unknown_version(std::string_view);

// ---- Snapshot ---------------------------------------------------------------------------------------------

struct SnapshotHeader {
  std::uint64_t sequence = 0;
  Timestamp time;
  std::uint64_t salt = 0;
};
inline constexpr std::size_t kSnapshotHeaderBytes = 44;
void encode_snapshot_header(const SnapshotHeader&, char* into);
std::optional<SnapshotHeader> decode_snapshot_header(std::string_view bytes);

enum class ChunkKind : std::uint8_t { kData = 1, kEndOfService = 2, kFooter = 3 };
struct ChunkHeader {
  std::uint32_t bytes = 0;
  std::uint32_t index = 0;  ///< counts from 0 in the file
  std::uint8_t service = 0;
  ChunkKind kind = ChunkKind::kData;
};
inline constexpr std::size_t kChunkHeaderBytes = 16;
inline constexpr std::size_t kMaxChunkBytes = 256 * 1024;
void encode_chunk_header(const ChunkHeader&, std::string_view payload, std::uint32_t seed, char* into);
/// Without the checksum; chunk_is_sound() looks at that when the payload is there too.
ChunkHeader decode_chunk_header(const char* bytes);
bool chunk_is_sound(const char* header, std::string_view payload, std::uint32_t seed);

// ---- Names ------------------------------------------------------------------------------------------------

inline constexpr const char* kLockName = "LOCK";
inline constexpr const char* kWatermarkName = "watermark";
inline constexpr const char* kWatermarkTemporaryName = "watermark.tmp";
inline constexpr const char* kSpareName = "spare.tmp";
std::string segment_name(std::uint64_t first_sequence);
std::string snapshot_name(std::uint64_t sequence);
std::optional<std::uint64_t> parse_segment_name(std::string_view);
std::optional<std::uint64_t> parse_snapshot_name(std::string_view);
inline std::string in_directory(const std::string& directory, const std::string& name) {
  return directory + "/" + name;
}

}  // namespace spillway::journal
