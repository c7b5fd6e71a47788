#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/person_key.h"

namespace spillway {

/// From persons to numbers of theirs, for tens of millions of them.
///
/// Operation: a hash table in 512 parts, told apart by bits of the key, so that the one that grows at an
/// insert is small and nothing stalls, and the heads of all parts stay in the cache. A part is an array of
/// buckets of one cache line each, with six numbers and 16 bits of hash for each of them; what finds its
/// bucket full goes on to the next one, and the full one counts how many did. So most calls touch one line
/// besides the head of the part, and prefetch() fetches that line while something else is done; growing needs
/// no hash but the 16 bits. Keys are not kept: whoever asks says whose a number is, which is asked once for
/// nearly every call that finds one. Not in huge pages, which would save a tenth of a microsecond: the kernel
/// took 300 ms to find one at 10 million people. Costs: 13 to 26 bytes a person, and 8 KiB. Concurrency:
/// none. Limitations: 0 is no number; a part does not grow beyond 65,536 buckets.
class PersonIndex {
 public:
  PersonIndex() : parts_(std::make_unique<std::array<Part, kParts>>()) {}

  /// Fetches what find(), add() and remove() of this key will read. Always inline: GCC 12 takes a function
  /// that only prefetches for one without effect, and drops the call.
  [[gnu::always_inline]] void prefetch(const PersonKey& key) const {
    const Part& part = part_of(key);
    if (part.buckets != nullptr) __builtin_prefetch(&part.buckets[tag_of(key) & part.mask]);
  }

  /// The number that was added with this key, or 0. `is(number)` says whether it is that person's.
  template <class Is>
  std::uint64_t find(const PersonKey& key, Is&& is) const {
    const Part& part = part_of(key);
    if (part.buckets == nullptr) return 0;
    const std::uint32_t tag = tag_of(key);
    for (std::uint32_t at = tag; at <= tag + part.mask; ++at) {
      const Bucket& bucket = part.buckets[at & part.mask];
      for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        const std::uint64_t number = bucket.numbers[slot];
        if (number != 0 && bucket.tags[slot] == tag && is(number)) return number;
      }
      if (bucket.passed == 0) break;
    }
    return 0;
  }
  /// `number` is not 0, and neither it nor the key is here yet.
  void add(const PersonKey& key, std::uint64_t number);
  /// False when this number is not here under this key.
  bool remove(const PersonKey& key, std::uint64_t number);
  std::size_t size() const { return size_; }
  std::size_t buckets() const;  ///< of 64 bytes; goes through all parts

 private:
  static constexpr std::size_t kParts = 512;
  static constexpr std::uint32_t kSlots = 6;

  struct alignas(64) Bucket {
    std::uint64_t numbers[kSlots]{};  ///< 0: free
    std::uint16_t tags[kSlots]{};
    std::uint32_t passed = 0;  ///< numbers that belong here or before, and lie behind because this was full
  };
  static_assert(sizeof(Bucket) == 64);
  struct Part {
    std::unique_ptr<Bucket[]> buckets;
    std::uint32_t mask = 0;  ///< the number of buckets, a power of two, less one
    std::uint32_t size = 0;

    void insert(std::uint16_t tag, std::uint64_t number);
    void grow();
  };

  static std::uint16_t tag_of(const PersonKey& key) { return static_cast<std::uint16_t>(key.low); }
  const Part& part_of(const PersonKey& key) const { return (*parts_)[key.high % kParts]; }
  Part& part_of(const PersonKey& key) { return (*parts_)[key.high % kParts]; }

  std::unique_ptr<std::array<Part, kParts>> parts_;
  std::size_t size_ = 0;
};

}  // namespace spillway
