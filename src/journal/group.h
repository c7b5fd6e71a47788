#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/loop.h"
#include "journal/file_system.h"
#include "journal/format.h"

namespace spillway::journal {

/// The records of one commit and the tasks that wait for it. Filled by the state thread, finished and written
/// by the journal thread; two of them take turns, so that nothing is allocated for a commit.
class Group {
 public:
  explicit Group(std::size_t capacity)
      : capacity_(padded(capacity)), buffer_(static_cast<char*>(std::aligned_alloc(kBlockBytes, capacity_))) {
    CHECK(buffer_ != nullptr);
  }

  /// What a group needs to know when it is the first of a new segment.
  struct NewSegment {
    SegmentHeader header;
    std::unique_ptr<File> file;  ///< prepared, still under its temporary name
    Checkpoint checkpoint;
  };

  bool empty() const { return records_ == 0; }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t last_sequence() const { return first_sequence_ + records_ - 1; }
  Timestamp time() const { return time_; }
  void set_time(Timestamp time) { time_ = time; }

  /// Where the group will stand; before the first record.
  void place(std::uint64_t offset, std::uint32_t seed) {
    offset_ = offset;
    seed_ = seed;
  }
  void append(std::uint64_t sequence, RecordType type, std::string_view payload) {
    if (records_ == 0) first_sequence_ = sequence;
    last_record_ = bytes_;
    const std::size_t size = kRecordHeaderBytes + payload.size();
    CHECK(bytes_ + size <= capacity_);
    encode_record(sequence, type, 0, payload, seed_, buffer_.get() + bytes_);
    bytes_ += size;
    ++records_;
  }
  /// Completes header, marks and padding. Answers the bytes to write.
  std::string_view finish() {
    mark_last_of_group(buffer_.get() + last_record_, seed_);
    encode_group_header({first_sequence_, time_, static_cast<std::uint32_t>(bytes_), records_}, seed_,
                        buffer_.get());
    const std::size_t whole = padded(bytes_);
    std::memset(buffer_.get() + bytes_, 0, whole - bytes_);
    return {buffer_.get(), whole};
  }
  std::uint64_t offset() const { return offset_; }
  void reset() {
    CHECK(tasks.empty());
    bytes_ = kGroupHeaderBytes;
    records_ = 0;
    new_segment.reset();
  }

  NodeList tasks;
  std::unique_ptr<NewSegment> new_segment;  ///< null: the group goes on in the segment of the one before

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  const std::size_t capacity_;
  const std::unique_ptr<char, Free> buffer_;
  std::size_t bytes_ = kGroupHeaderBytes;
  std::size_t last_record_ = 0;
  std::uint32_t records_ = 0;
  std::uint64_t first_sequence_ = 0;
  std::uint64_t offset_ = 0;
  std::uint32_t seed_ = 0;
  Timestamp time_;
};

}  // namespace spillway::journal
