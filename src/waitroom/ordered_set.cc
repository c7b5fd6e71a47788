#include "waitroom/ordered_set.h"

#include <bit>

#include "base/check.h"

namespace spillway::waitroom {
namespace {

constexpr std::uint64_t bit(std::uint32_t n) { return std::uint64_t{1} << (n & 63); }

std::uint32_t popcount(std::uint64_t word) { return static_cast<std::uint32_t>(std::popcount(word)); }

/// The place of the k-th bit that is set, k from 0.
std::uint32_t select_bit(std::uint64_t word, std::uint32_t k) {
  for (; k > 0; --k) word &= word - 1;
  return static_cast<std::uint32_t>(std::countr_zero(word));
}

}  // namespace

OrderedSet::Block& OrderedSet::block_for(std::uint32_t index) {
  while (blocks_.size() <= index) {
    blocks_.emplace_back();
    const std::size_t at = blocks_.size();  // of the tree, which counts from 1
    std::uint32_t sum = 0;
    for (std::size_t k = at - 1; k > (at & (at - 1)); k &= k - 1) sum += tree_[k];
    tree_.push_back(sum);
  }
  auto& block = blocks_[index];
  if (block == nullptr) block = std::make_unique<Block>();
  return *block;
}

void OrderedSet::add(std::uint32_t index, std::int32_t by) {
  for (std::size_t k = index + 1; k < tree_.size(); k += k & (0 - k)) {
    tree_[k] += static_cast<std::uint32_t>(by);
  }
  count_ += static_cast<std::uint32_t>(by);
}

std::uint32_t OrderedSet::before(std::uint32_t index) const {
  std::uint32_t sum = 0;
  for (std::size_t k = index; k > 0; k &= k - 1) sum += tree_[k];
  return sum;
}

bool OrderedSet::insert(std::uint32_t n) {
  const std::uint32_t index = n >> kBlockBits;
  Block& block = block_for(index);
  const std::uint32_t word = n / 64 % kWords;
  if ((block.words[word] & bit(n)) != 0) return false;
  block.words[word] |= bit(n);
  ++block.parts[word / kWordsOfPart];
  ++block.count;
  add(index, 1);
  return true;
}

bool OrderedSet::erase(std::uint32_t n) {
  const std::uint32_t index = n >> kBlockBits;
  if (!contains(n)) return false;
  Block& block = *blocks_[index];
  const std::uint32_t word = n / 64 % kWords;
  block.words[word] &= ~bit(n);
  --block.parts[word / kWordsOfPart];
  if (--block.count == 0) blocks_[index].reset();
  add(index, -1);
  return true;
}

bool OrderedSet::contains(std::uint32_t n) const {
  const std::uint32_t index = n >> kBlockBits;
  return index < blocks_.size() && blocks_[index] != nullptr &&
         (blocks_[index]->words[n / 64 % kWords] & bit(n)) != 0;
}

std::uint32_t OrderedSet::rank(std::uint32_t n) const {
  const std::uint32_t index = n >> kBlockBits;
  if (index >= blocks_.size()) return count_;
  std::uint32_t sum = before(index);
  if (blocks_[index] == nullptr) return sum;
  const Block& block = *blocks_[index];
  const std::uint32_t word = n / 64 % kWords;
  for (std::uint32_t i = 0; i < word / kWordsOfPart; ++i) sum += block.parts[i];
  for (std::uint32_t i = word / kWordsOfPart * kWordsOfPart; i < word; ++i) sum += popcount(block.words[i]);
  return sum + popcount(block.words[word] & (bit(n) - 1));
}

std::uint32_t OrderedSet::select(std::uint32_t k) const {
  CHECK(k >= 1 && k <= count_);
  // Down the tree: the last block before which there are fewer than k.
  std::size_t index = 0;
  for (std::size_t step = std::bit_floor(tree_.size() - 1); step > 0; step /= 2) {
    if (index + step < tree_.size() && tree_[index + step] < k) {
      index += step;
      k -= tree_[index];
    }
  }
  const Block& block = *blocks_[index];
  std::uint32_t part = 0;
  while (block.parts[part] < k) k -= block.parts[part++];
  std::uint32_t word = part * kWordsOfPart;
  while (popcount(block.words[word]) < k) k -= popcount(block.words[word++]);
  return static_cast<std::uint32_t>(index << kBlockBits) + word * 64 + select_bit(block.words[word], k - 1);
}

}  // namespace spillway::waitroom
