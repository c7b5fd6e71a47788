#pragma once

// Private to the machine: who is where in a line.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace spillway::waitroom {

/// A set of numbers from 1 on that knows how many of its members are below a given one.
///
/// Operation: a bitmap in blocks of 4,096 bits with counts, and a Fenwick tree over the counts of the blocks.
/// All costs are O(log of the greatest number / 4,096), in practice the same for ten thousand and for ten
/// million. Blocks without members have no memory. Measured: bench/waitroom_bench.cc.
class OrderedSet {
 public:
  /// False when it is a member already.
  bool insert(std::uint32_t n);
  /// False when it is none.
  bool erase(std::uint32_t n);
  bool contains(std::uint32_t n) const;
  std::uint32_t count() const { return count_; }
  /// How many members are less than `n`.
  std::uint32_t rank(std::uint32_t n) const;
  /// The k-th member, k from 1 to count().
  std::uint32_t select(std::uint32_t k) const;
  /// The least member, or 0.
  std::uint32_t first() const { return count_ == 0 ? 0 : select(1); }
  /// The least member greater than `n`, or 0.
  std::uint32_t next(std::uint32_t n) const {
    const std::uint32_t below = rank(n + 1);
    return below == count_ ? 0 : select(below + 1);
  }

 private:
  static constexpr std::uint32_t kBlockBits = 12;
  static constexpr std::uint32_t kWords = (1 << kBlockBits) / 64;
  static constexpr std::uint32_t kWordsOfPart = 8;

  struct Block {
    std::uint64_t words[kWords]{};
    std::uint16_t parts[kWords / kWordsOfPart]{};  ///< members of each eight words
    std::uint16_t count = 0;
  };

  Block& block_for(std::uint32_t index);
  void add(std::uint32_t index, std::int32_t by);
  std::uint32_t before(std::uint32_t index) const;

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::uint32_t> tree_{0};  ///< Fenwick, from 1 on
  std::uint32_t count_ = 0;
};

}  // namespace spillway::waitroom
