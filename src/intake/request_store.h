#pragma once

// Private to the machine: its requests, in memory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/pace.h"
#include "intake/types.h"

namespace spillway::intake {

/// Where a request is on its way through the queue. Derived from events, part of snapshots: do not renumber.
enum class Where : std::uint8_t {
  kLine = 0,  ///< not delivered yet: in its event's line
  kInFlight = 1,
  kDelayed = 2,  ///< waits for the time of its retry
  kVisible = 3,  ///< waits to be delivered again
  kDone = 4,
  kRedriven = 5,  ///< a dead letter put back: waits ahead of its event's line, without a place
};

/// One request. 48 bytes, of which a million are kept: look twice before adding one.
struct Record {
  std::int64_t queued_at_us;
  std::int64_t started_at_us;  ///< 0 until PROCESSING
  std::int64_t until_us;       ///< in flight: the deadline; delayed: when due; done: finished at; else 0
  std::uint64_t
      next_and_count;  ///< 40 bits: the event's next request by number, or 0; 24 bits: receive count
  std::uint32_t event;
  std::uint32_t ordinal;  ///< the how-manieth of its event, from 1
  std::uint32_t text;     ///< where its user id and body lie in the chunk
  std::uint8_t user_bytes;
  RequestStatus status;  ///< 0: forgotten
  ResultCode result;
  Where where : 3;
  FailureClass failure : 2;
  bool has_body : 1;
  bool has_notes : 1;
  bool discarded : 1;  ///< was a dead letter

  std::uint64_t next() const { return next_and_count & kNextMask; }
  void set_next(std::uint64_t number) { next_and_count = (next_and_count & ~kNextMask) | number; }
  std::uint32_t receive_count() const { return static_cast<std::uint32_t>(next_and_count >> 40); }
  void set_receive_count(std::uint32_t n) {
    next_and_count = (next_and_count & kNextMask) | std::uint64_t{n} << 40;
  }

  static constexpr std::uint64_t kNextMask = (std::uint64_t{1} << 40) - 1;
};
static_assert(sizeof(Record) == 48);

/// Requests by number, dense from 1. Chunks of fixed size, so that nothing that exists ever moves and no
/// insert stalls; a chunk goes when all of its requests are forgotten.
class RequestStore {
 public:
  /// The number must be greater than all before. The answer is zeroed but for the texts.
  Record& add(std::uint64_t number, std::string_view user_id, std::string_view body);
  /// Null when it never was or is forgotten.
  Record* find(std::uint64_t number) {
    const std::uint64_t index = number >> kChunkBits;
    if (index >= chunks_.size() || chunks_[index] == nullptr || number > last_) return nullptr;
    Record& record = chunks_[index]->records[number & kSlotMask];
    return record.status == RequestStatus{} ? nullptr : &record;
  }
  const Record* find(std::uint64_t number) const { return const_cast<RequestStore*>(this)->find(number); }
  Record& at(std::uint64_t number) {
    Record* record = find(number);
    CHECK(record != nullptr);
    return *record;
  }
  const Record& at(std::uint64_t number) const { return const_cast<RequestStore*>(this)->at(number); }
  void remove(std::uint64_t number);

  std::string_view user_id(std::uint64_t number, const Record&) const;
  std::string_view body(std::uint64_t number, const Record&) const;

  std::uint64_t last() const { return last_; }  ///< the greatest number ever added
  void set_last(std::uint64_t number);          ///< when the last ones were forgotten before a snapshot
  std::size_t size() const { return size_; }
  std::size_t body_bytes() const { return body_bytes_; }

  /// By ascending number: visit(number, record).
  template <class F>
  void for_each(F&& visit) const {
    for (std::uint64_t index = 0; index < chunks_.size(); ++index) {
      if (chunks_[index] == nullptr) continue;
      Pace::breathe();
      for (std::uint64_t slot = 0; slot < kChunkRecords; ++slot) {
        const std::uint64_t number = index << kChunkBits | slot;
        if (number == 0 || number > last_) continue;
        const Record& record = chunks_[index]->records[slot];
        if (record.status != RequestStatus{}) visit(number, record);
      }
    }
  }

 private:
  static constexpr unsigned kChunkBits = 12;
  static constexpr std::uint64_t kChunkRecords = 1 << kChunkBits;
  static constexpr std::uint64_t kSlotMask = kChunkRecords - 1;
  static constexpr std::uint32_t kBlockBits = 15;
  static constexpr std::uint32_t kBlockBytes = 1 << kBlockBits;

  struct Chunk {
    std::uint32_t live = 0;            ///< not forgotten
    std::uint32_t used = kBlockBytes;  ///< of the last block
    std::vector<std::unique_ptr<char[]>> blocks;
    Record records[kChunkRecords]{};
  };
  char* allocate_text(Chunk&, std::size_t bytes, std::uint32_t* where);
  std::string_view text(std::uint64_t number, const Record&) const;

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint64_t last_ = 0;
  std::size_t size_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace spillway::intake
