#include "journal/segment.h"

#include <algorithm>
#include <cstring>

namespace spillway::journal {
namespace {

constexpr std::size_t kWindowBytes = 1024 * 1024;

bool all_zero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

Error damage(const std::string& dir, const std::string& name, std::uint64_t offset, const std::string& what) {
  return {ErrorCode::kInternal, in_directory(dir, name) + ", offset " + std::to_string(offset) + ": " + what};
}

Error cannot(const std::string& act, const std::string& dir, const std::string& name, int error) {
  return {kSystemError,
          "cannot " + act + " " + (name.empty() ? dir : in_directory(dir, name)) + ": " + errno_text(error)};
}

Result<Listing> list_journal(FileSystem& files, const std::string& dir) {
  std::vector<std::string> names;
  if (const int error = files.list(dir, &names); error != 0) return cannot("list", dir, "", error);
  Listing listing;
  for (const std::string& name : names) {
    if (const auto first = parse_segment_name(name))
      listing.segments.push_back(*first);
    else if (const auto sequence = parse_snapshot_name(name))
      listing.snapshots.push_back(*sequence);
    else if (name == kWatermarkName)
      listing.watermark = true;
    else if (name == kLockName)
      listing.lock = true;
    else if (name.ends_with(".tmp") && (name == kSpareName || name == kWatermarkTemporaryName ||
                                        parse_snapshot_name(name.substr(0, name.size() - 4)))) {
      listing.leftovers.push_back(name);
    }
  }
  std::sort(listing.segments.begin(), listing.segments.end());
  std::sort(listing.snapshots.begin(), listing.snapshots.end());
  return listing;
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(FileSystem& files, const std::string& dir,
                                                           std::uint64_t first_sequence) {
  const std::string name = segment_name(first_sequence);
  std::unique_ptr<File> file;
  if (const int error = files.open(in_directory(dir, name), {}, &file); error != 0) {
    return cannot("open", dir, name, error);
  }
  std::unique_ptr<SegmentReader> reader(new SegmentReader(std::move(file), dir, name));
  if (Status status = reader->read_header(first_sequence); !status.ok()) return std::move(status).error();
  return reader;
}

Status SegmentReader::read_header(std::uint64_t first_sequence) {
  if (const int error = file_->size(&size_); error != 0) return cannot("read", dir_, name_, error);
  auto bytes = view(0, kSegmentHeaderBytes);
  if (!bytes.ok()) return std::move(bytes).error();
  std::string why;
  const auto header = decode_segment_header(*bytes, &why);
  if (!header) return damage(dir_, name_, 0, why);
  if (header->first_sequence != first_sequence) {
    return damage(
        dir_, name_, 0,
        "the segment header says that the first sequence is " + std::to_string(header->first_sequence));
  }
  header_ = *header;
  seed_ = salted_seed(header_.salt);
  expected_ = first_sequence;
  return Ok{};
}

Result<std::string_view> SegmentReader::view(std::uint64_t offset, std::size_t size) {
  if (offset < window_offset_ || offset + size > window_offset_ + window_bytes_) {
    const std::size_t wanted = std::max(size, kWindowBytes);
    if (window_.size() < wanted) window_.resize(wanted);
    window_offset_ = offset;
    if (const int error = read_all(*file_, offset, window_.data(), wanted, &window_bytes_); error != 0) {
      window_bytes_ = 0;
      return cannot("read", dir_, name_, error);
    }
  }
  const std::size_t from = offset - window_offset_;
  const std::size_t there = from < window_bytes_ ? window_bytes_ - from : 0;
  return std::string_view(window_.data() + from, std::min(size, there));
}

Result<SegmentReader::Step> SegmentReader::next() {
  bad_offset_ = offset_;
  records_ = {};
  auto head = view(offset_, kGroupHeaderBytes);
  if (!head.ok()) return std::move(head).error();
  if (all_zero(*head)) {
    why_ = head->empty() ? "the file ends" : "nothing is written here";
    return Step::kEnd;
  }
  const auto header = decode_group_header(*head, seed_);
  if (!header) {
    why_ = "these bytes are no sound group header";
    return Step::kBad;
  }
  if (header->first_sequence != expected_) {
    why_ = "the group begins with sequence " + std::to_string(header->first_sequence);
    return Step::kBad;
  }
  if (header->bytes < kGroupHeaderBytes || header->bytes > size_ - offset_) {
    why_ = "the group's " + std::to_string(header->bytes) + " bytes reach past the end of the file";
    return Step::kBad;
  }
  auto bytes = view(offset_, header->bytes);
  if (!bytes.ok()) return std::move(bytes).error();
  if (bytes->size() < header->bytes) {
    why_ = "the file ends inside the group";
    return Step::kBad;
  }
  group_ = *header;
  if (!check_records(bytes->substr(kGroupHeaderBytes))) return Step::kBad;
  records_ = bytes->substr(kGroupHeaderBytes);
  offset_ += padded(header->bytes);
  expected_ += header->records;
  return Step::kGroup;
}

bool SegmentReader::check_records(std::string_view bytes) {
  std::uint64_t sequence = expected_;
  for (std::uint32_t i = 0; i < group_.records; ++i) {
    std::uint8_t flags = 0;
    bad_offset_ = offset_ + group_.bytes - bytes.size();
    const auto record = decode_record(bytes, seed_, &flags, &why_);
    if (!record) return false;
    if (record->sequence != sequence) {
      why_ = "the record has sequence " + std::to_string(record->sequence) + " instead of " +
             std::to_string(sequence);
      return false;
    }
    const bool last = i + 1 == group_.records;
    if (((flags & kLastOfGroup) != 0) != last) {
      why_ = "the mark of a group's last record is at the wrong record";
      return false;
    }
    bytes.remove_prefix(kRecordHeaderBytes + record->payload.size());
    ++sequence;
  }
  if (!bytes.empty() || group_.records == 0) {
    why_ = "the group's length and its records do not agree";
    return false;
  }
  return true;
}

bool SegmentReader::next_record(Record* record) {
  if (records_.empty()) return false;
  *record = decode_sound_record(records_);
  records_.remove_prefix(kRecordHeaderBytes + record->payload.size());
  return true;
}

Result<SegmentReader::Tail> SegmentReader::scan_tail() {
  Tail tail{offset_, 0};
  for (std::uint64_t at = offset_; at < size_; at += kBlockBytes) {
    auto block = view(at, kBlockBytes);
    if (!block.ok()) return std::move(block).error();
    if (block->empty()) break;
    if (all_zero(*block)) continue;
    tail.used_to = at + block->find_last_not_of('\0') + 1;
    if (at == offset_ || tail.later_group != 0) continue;
    const auto header = decode_group_header(*block, seed_);
    if (header && header->first_sequence > expected_) tail.later_group = at;
  }
  return tail;
}

}  // namespace spillway::journal
