#include "journal/format.h"

#include <isa-l/crc.h>
#include <sys/random.h>

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace spillway::journal {
namespace {

constexpr char kSegmentMagic[9] = "SPWYJRNL";
constexpr char kWatermarkMagic[9] = "SPWYMARK";
constexpr char kSnapshotMagic[9] = "SPWYSNAP";
constexpr std::uint32_t kGroupMagic = 0x50524753;  // "SGRP"

template <class T>
void put(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
template <class T>
T get(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) {
  // The library leaves the inversions of the standard to its caller, and takes a pointer it does not write
  // to.
  auto* bytes = static_cast<unsigned char*>(const_cast<void*>(data));
  return ~crc32_iscsi(bytes, static_cast<int>(size), ~crc);
}

std::uint32_t salted_seed(std::uint64_t salt) { return crc32c(0, &salt, sizeof salt); }

std::uint64_t random_salt() {
  std::uint64_t salt = 0;
  CHECK(getrandom(&salt, sizeof salt, 0) == static_cast<ssize_t>(sizeof salt));
  return salt;
}

// ---- Segment ----------------------------------------------------------------------------------------------

void encode_segment_header(const SegmentHeader& header, char* into) {
  std::memcpy(into, kSegmentMagic, 8);
  put(into + 8, kFormatVersion);
  put(into + 12, std::uint32_t{0});
  put(into + 16, header.first_sequence);
  put(into + 24, header.salt);
  put(into + 32, crc32c(0, into, 32));
}

std::optional<SegmentHeader> decode_segment_header(std::string_view bytes, std::string* why) {
  const auto bad = [why](std::string reason) {
    *why = std::move(reason);
    return std::nullopt;
  };
  if (bytes.size() < kSegmentHeaderBytes) return bad("the file is too short for a segment header");
  const char* p = bytes.data();
  if (std::memcmp(p, kSegmentMagic, 8) != 0) return bad("these bytes are no segment header");
  if (get<std::uint32_t>(p + 32) != crc32c(0, p, 32)) return bad("the segment header's checksum is wrong");
  if (const auto version = get<std::uint32_t>(p + 8); version != kFormatVersion) {
    return bad("format version " + std::to_string(version) + " is not known to this program");
  }
  return SegmentHeader{get<std::uint64_t>(p + 16), get<std::uint64_t>(p + 24)};
}

void encode_group_header(const GroupHeader& header, std::uint32_t seed, char* into) {
  put(into, kGroupMagic);
  put(into + 8, header.first_sequence);
  put(into + 16, header.time.us);
  put(into + 24, header.bytes);
  put(into + 28, header.records);
  put(into + 4, crc32c(seed, into + 8, kGroupHeaderBytes - 8));
}

std::optional<GroupHeader> decode_group_header(std::string_view bytes, std::uint32_t seed) {
  if (bytes.size() < kGroupHeaderBytes) return std::nullopt;
  const char* p = bytes.data();
  if (get<std::uint32_t>(p) != kGroupMagic) return std::nullopt;
  if (get<std::uint32_t>(p + 4) != crc32c(seed, p + 8, kGroupHeaderBytes - 8)) return std::nullopt;
  return GroupHeader{get<std::uint64_t>(p + 8),
                     {get<std::int64_t>(p + 16)},
                     get<std::uint32_t>(p + 24),
                     get<std::uint32_t>(p + 28)};
}

void encode_record(std::uint64_t sequence, RecordType type, std::uint8_t flags, std::string_view payload,
                   std::uint32_t seed, char* into) {
  put(into, static_cast<std::uint32_t>(payload.size()));
  put(into + 8, sequence);
  put(into + 16, type.service);
  put(into + 17, type.event);
  put(into + 18, type.version);
  put(into + 19, flags);
  if (!payload.empty()) std::memcpy(into + kRecordHeaderBytes, payload.data(), payload.size());
  put(into + 4, crc32c(seed, into + 8, kRecordHeaderBytes - 8 + payload.size()));
}

void mark_last_of_group(char* record, std::uint32_t seed) {
  const auto length = get<std::uint32_t>(record);
  put(record + 19, static_cast<std::uint8_t>(get<std::uint8_t>(record + 19) | kLastOfGroup));
  put(record + 4, crc32c(seed, record + 8, kRecordHeaderBytes - 8 + length));
}

std::optional<Record> decode_record(std::string_view bytes, std::uint32_t seed, std::uint8_t* flags,
                                    std::string* why) {
  const auto bad = [why](const char* reason) {
    *why = reason;
    return std::nullopt;
  };
  if (bytes.size() < kRecordHeaderBytes) return bad("the group ends inside a record's header");
  const char* p = bytes.data();
  const auto length = get<std::uint32_t>(p);
  if (length > bytes.size() - kRecordHeaderBytes) return bad("a record's length reaches past its group");
  if (get<std::uint32_t>(p + 4) != crc32c(seed, p + 8, kRecordHeaderBytes - 8 + length)) {
    return bad("a record's checksum is wrong");
  }
  *flags = get<std::uint8_t>(p + 19);
  if ((*flags & ~kLastOfGroup) != 0) return bad("a record has flags that are not known to this program");
  return decode_sound_record(bytes);
}

Record decode_sound_record(std::string_view bytes) {
  const char* p = bytes.data();
  return {get<std::uint64_t>(p + 8),
          {get<std::uint8_t>(p + 16), get<std::uint8_t>(p + 17), get<std::uint8_t>(p + 18)},
          bytes.substr(kRecordHeaderBytes, get<std::uint32_t>(p))};
}

// ---- The journal's own records ----------------------------------------------------------------------------

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string payload;
  ByteWriter out(payload);
  out.u32(kFormatVersion);
  out.i64(checkpoint.time.us);
  out.u8(static_cast<std::uint8_t>(checkpoint.digests.size()));
  for (const ServiceDigest& each : checkpoint.digests) {
    out.u8(each.service);
    out.u64(each.digest);
  }
  return payload;
}

std::optional<Checkpoint> decode_checkpoint(std::string_view payload) {
  ByteReader in(payload);
  Checkpoint checkpoint;
  if (in.u32() != kFormatVersion) return std::nullopt;
  checkpoint.time.us = in.i64();
  const std::size_t count = in.u8();
  for (std::size_t i = 0; i < count; ++i) {
    ServiceDigest each;
    each.service = in.u8();
    each.digest = in.u64();
    checkpoint.digests.push_back(each);
  }
  if (!in.done()) return std::nullopt;
  return checkpoint;
}

// ---- Watermark --------------------------------------------------------------------------------------------

void encode_watermark(const Watermark& mark, char* into) {
  std::memcpy(into, kWatermarkMagic, 8);
  put(into + 8, kFormatVersion);
  put(into + 12, std::uint32_t{0});
  put(into + 16, mark.generation);
  put(into + 24, mark.sequence);
  put(into + 32, mark.segment);
  put(into + 40, mark.offset);
  put(into + 48, crc32c(0, into, 48));
}

std::optional<Watermark> decode_watermark(std::string_view bytes) {
  if (bytes.size() < kWatermarkSlotBytes) return std::nullopt;
  const char* p = bytes.data();
  if (std::memcmp(p, kWatermarkMagic, 8) != 0 || get<std::uint32_t>(p + 48) != crc32c(0, p, 48) ||
      get<std::uint32_t>(p + 8) != kFormatVersion) {
    return std::nullopt;
  }
  return Watermark{get<std::uint64_t>(p + 16), get<std::uint64_t>(p + 24), get<std::uint64_t>(p + 32),
                   get<std::uint64_t>(p + 40)};
}

std::uint32_t unknown_version(std::string_view bytes) {
  const bool mark =
      bytes.size() >= kWatermarkSlotBytes && bytes.starts_with(std::string_view(kWatermarkMagic, 8));
  const bool snapshot =
      bytes.size() >= kSnapshotHeaderBytes && bytes.starts_with(std::string_view(kSnapshotMagic, 8));
  if (!mark && !snapshot) return 0;
  const char* p = bytes.data();
  const std::size_t checked = mark ? 48 : 40;
  if (get<std::uint32_t>(p + checked) != crc32c(0, p, checked)) return 0;
  const auto version = get<std::uint32_t>(p + 8);
  return version == kFormatVersion ? 0 : version;
}

// ---- Snapshot ---------------------------------------------------------------------------------------------

void encode_snapshot_header(const SnapshotHeader& header, char* into) {
  std::memcpy(into, kSnapshotMagic, 8);
  put(into + 8, kFormatVersion);
  put(into + 12, std::uint32_t{0});
  put(into + 16, header.sequence);
  put(into + 24, header.time.us);
  put(into + 32, header.salt);
  put(into + 40, crc32c(0, into, 40));
}

std::optional<SnapshotHeader> decode_snapshot_header(std::string_view bytes) {
  if (bytes.size() < kSnapshotHeaderBytes) return std::nullopt;
  const char* p = bytes.data();
  if (std::memcmp(p, kSnapshotMagic, 8) != 0 || get<std::uint32_t>(p + 40) != crc32c(0, p, 40) ||
      get<std::uint32_t>(p + 8) != kFormatVersion) {
    return std::nullopt;
  }
  return SnapshotHeader{get<std::uint64_t>(p + 16), {get<std::int64_t>(p + 24)}, get<std::uint64_t>(p + 32)};
}

void encode_chunk_header(const ChunkHeader& header, std::string_view payload, std::uint32_t seed,
                         char* into) {
  put(into, header.bytes);
  put(into + 8, header.index);
  put(into + 12, header.service);
  put(into + 13, static_cast<std::uint8_t>(header.kind));
  put(into + 14, std::uint16_t{0});
  put(into + 4, crc32c(crc32c(seed, into + 8, kChunkHeaderBytes - 8), payload.data(), payload.size()));
}

ChunkHeader decode_chunk_header(const char* bytes) {
  return {get<std::uint32_t>(bytes), get<std::uint32_t>(bytes + 8), get<std::uint8_t>(bytes + 12),
          static_cast<ChunkKind>(get<std::uint8_t>(bytes + 13))};
}

bool chunk_is_sound(const char* header, std::string_view payload, std::uint32_t seed) {
  const std::uint32_t start = crc32c(seed, header + 8, kChunkHeaderBytes - 8);
  return get<std::uint32_t>(header) == payload.size() &&
         get<std::uint32_t>(header + 4) == crc32c(start, payload.data(), payload.size());
}

// ---- Names ------------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t kNumberDigits = 20;
constexpr std::string_view kSegmentPrefix = "journal-", kSegmentSuffix = ".log";
constexpr std::string_view kSnapshotPrefix = "snapshot-", kSnapshotSuffix = ".snap";

std::string name(std::string_view prefix, std::uint64_t number, std::string_view suffix) {
  std::string digits = std::to_string(number);
  digits.insert(0, kNumberDigits - digits.size(), '0');
  return std::string(prefix) + digits + std::string(suffix);
}

std::optional<std::uint64_t> parse(std::string_view prefix, std::string_view suffix, std::string_view text) {
  if (text.size() != prefix.size() + kNumberDigits + suffix.size() || !text.starts_with(prefix) ||
      !text.ends_with(suffix)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char c : text.substr(prefix.size(), kNumberDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

}  // namespace

std::string segment_name(std::uint64_t first_sequence) {
  return name(kSegmentPrefix, first_sequence, kSegmentSuffix);
}
std::string snapshot_name(std::uint64_t sequence) { return name(kSnapshotPrefix, sequence, kSnapshotSuffix); }
std::optional<std::uint64_t> parse_segment_name(std::string_view text) {
  return parse(kSegmentPrefix, kSegmentSuffix, text);
}
std::optional<std::uint64_t> parse_snapshot_name(std::string_view text) {
  return parse(kSnapshotPrefix, kSnapshotSuffix, text);
}

}  // namespace spillway::journal
