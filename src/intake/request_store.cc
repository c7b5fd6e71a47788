#include "intake/request_store.h"

#include <algorithm>
#include <cstring>

namespace spillway::intake {

Record& RequestStore::add(std::uint64_t number, std::string_view user_id, std::string_view body) {
  CHECK(number > last_ && !user_id.empty() && user_id.size() <= UINT8_MAX && body.size() <= UINT16_MAX);
  set_last(number);
  std::unique_ptr<Chunk>& owner = chunks_[number >> kChunkBits];
  if (owner == nullptr) owner = std::make_unique<Chunk>();
  Chunk& chunk = *owner;
  Record& record = chunk.records[number & kSlotMask];
  const std::uint16_t body_bytes = static_cast<std::uint16_t>(body.size());
  char* into = allocate_text(chunk, user_id.size() + (body.empty() ? 0 : sizeof body_bytes + body.size()),
                             &record.text);
  std::memcpy(into, user_id.data(), user_id.size());
  if (!body.empty()) {
    std::memcpy(into + user_id.size(), &body_bytes, sizeof body_bytes);
    std::memcpy(into + user_id.size() + sizeof body_bytes, body.data(), body.size());
  }
  record.user_bytes = static_cast<std::uint8_t>(user_id.size());
  record.has_body = !body.empty();
  ++chunk.live;
  ++size_;
  body_bytes_ += body.size();
  return record;
}

void RequestStore::set_last(std::uint64_t number) {
  CHECK(number >= last_);
  last_ = number;
  chunks_.resize((last_ >> kChunkBits) + 1);
}

void RequestStore::remove(std::uint64_t number) {
  Record& record = at(number);
  body_bytes_ -= body(number, record).size();
  record.status = RequestStatus{};
  --size_;
  std::unique_ptr<Chunk>& chunk = chunks_[number >> kChunkBits];
  const bool full = (last_ >> kChunkBits) > (number >> kChunkBits) || (last_ & kSlotMask) == kSlotMask;
  if (--chunk->live == 0 && full) chunk.reset();
}

std::string_view RequestStore::text(std::uint64_t number, const Record& record) const {
  const Chunk& chunk = *chunks_[number >> kChunkBits];
  const char* begin = chunk.blocks[record.text >> kBlockBits].get() + (record.text & (kBlockBytes - 1));
  return {begin, record.user_bytes};
}

std::string_view RequestStore::user_id(std::uint64_t number, const Record& record) const {
  return text(number, record);
}

std::string_view RequestStore::body(std::uint64_t number, const Record& record) const {
  if (!record.has_body) return {};
  const char* begin = text(number, record).end();
  std::uint16_t bytes = 0;
  std::memcpy(&bytes, begin, sizeof bytes);
  return {begin + sizeof bytes, bytes};
}

char* RequestStore::allocate_text(Chunk& chunk, std::size_t bytes, std::uint32_t* where) {
  if (bytes > kBlockBytes - chunk.used) {
    // One that is larger than a block gets a block of its own, addressed by its start alone.
    chunk.blocks.push_back(std::make_unique_for_overwrite<char[]>(std::max<std::size_t>(bytes, kBlockBytes)));
    chunk.used = 0;
  }
  *where = static_cast<std::uint32_t>(chunk.blocks.size() - 1) << kBlockBits | chunk.used;
  char* at = chunk.blocks.back().get() + chunk.used;
  chunk.used = static_cast<std::uint32_t>(std::min<std::size_t>(chunk.used + bytes, kBlockBytes));
  return at;
}

}  // namespace spillway::intake
