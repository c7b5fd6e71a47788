#include "base/person_index.h"

#include <utility>

#include "base/check.h"

namespace spillway {

void PersonIndex::Part::insert(std::uint16_t tag, std::uint64_t number) {
  for (std::uint32_t at = tag;; ++at) {
    Bucket& bucket = buckets[at & mask];
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      if (bucket.numbers[slot] != 0) continue;
      bucket.numbers[slot] = number;
      bucket.tags[slot] = tag;
      return;
    }
    ++bucket.passed;
  }
}

void PersonIndex::Part::grow() {
  const std::uint32_t old_count = buckets == nullptr ? 0 : mask + 1;
  CHECK(old_count <= UINT16_MAX);
  const std::uint32_t count = old_count == 0 ? 1 : 2 * old_count;
  const auto old = std::exchange(buckets, std::make_unique<Bucket[]>(count));
  mask = count - 1;
  for (std::uint32_t i = 0; i < old_count; ++i) {
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      if (old[i].numbers[slot] != 0) insert(old[i].tags[slot], old[i].numbers[slot]);
    }
  }
}

void PersonIndex::add(const PersonKey& key, std::uint64_t number) {
  CHECK(number != 0);
  Part& part = part_of(key);
  // Five of six at most: the fuller, the more have to go on.
  if (part.buckets == nullptr || part.size >= (part.mask + 1) * (kSlots - 1)) part.grow();
  part.insert(tag_of(key), number);
  ++part.size;
  ++size_;
}

bool PersonIndex::remove(const PersonKey& key, std::uint64_t number) {
  Part& part = part_of(key);
  if (part.buckets == nullptr) return false;
  const std::uint32_t tag = tag_of(key);
  for (std::uint32_t at = tag; at <= tag + part.mask; ++at) {
    Bucket& bucket = part.buckets[at & part.mask];
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      if (bucket.numbers[slot] != number || bucket.tags[slot] != tag) continue;
      bucket.numbers[slot] = 0;
      for (std::uint32_t before = tag; before != at; ++before) --part.buckets[before & part.mask].passed;
      --part.size;
      --size_;
      return true;
    }
    if (bucket.passed == 0) break;
  }
  return false;
}

std::size_t PersonIndex::buckets() const {
  std::size_t sum = 0;
  for (const Part& part : *parts_) sum += part.buckets == nullptr ? 0 : part.mask + 1;
  return sum;
}

}  // namespace spillway
