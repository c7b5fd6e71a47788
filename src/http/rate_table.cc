#include "http/rate_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.h"

namespace spillway::http {

void RateTable::Unmap::operator()(void* memory) const { ::munmap(memory, bytes); }

RateTable::RateTable(Micros window, std::size_t entries)
    : window_(window), slice_us_((window + static_cast<Micros>(kSlices) - 1) / static_cast<Micros>(kSlices)) {
  CHECK(window > 0 && entries > 0);
  const std::size_t sets = std::bit_ceil((entries + kWays - 1) / kWays);
  set_mask_ = sets - 1;
  // Pages of zeros that the system has not given yet: an idle limit costs no memory.
  const std::size_t bytes = sets * kWays * sizeof(Entry);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  entries_ = {static_cast<Entry*>(memory), Unmap{bytes}};
}

/// Forgets the slices that are out of the window when `slice` runs.
void RateTable::advance(Entry& entry, std::uint64_t slice) {
  if (slice <= entry.slice) return;
  if (slice - entry.slice >= kCounted) {
    entry.counts.fill(0);
    entry.used = 0;
  } else {
    for (std::uint64_t s = entry.slice + 1; s <= slice; ++s) {
      entry.used -= entry.counts[s % kCounted];
      entry.counts[s % kCounted] = 0;
    }
  }
  entry.slice = slice;
}

/// Of a key that is only looked at: what is out of the window as a whole counts nothing, of the rest all
/// does.
std::uint32_t RateTable::used_at(const Entry& entry, std::uint64_t slice) {
  return entry.slice + kCounted <= slice ? 0 : entry.used;
}

RateTable::Entry& RateTable::entry_of(std::size_t set, std::uint64_t key, std::uint64_t slice) {
  Entry* const first = &entries_[set * kWays];
  const std::size_t home = key % kWays;
  Entry* victim = nullptr;
  for (std::size_t i = 0; i < kWays; ++i) {
    Entry& entry = first[(home + i) % kWays];
    if (entry.key == key) return entry;
    if (entry.key == 0) {  // from home on a set fills without gaps, and nothing is ever taken out
      victim = &entry;
      break;
    }
    if (victim == nullptr || used_at(entry, slice) < used_at(*victim, slice)) victim = &entry;
  }
  if (used_at(*victim, slice) > 0) evictions_.fetch_add(1, std::memory_order_relaxed);
  *victim = Entry{key, slice, 0, {}};
  return *victim;
}

void RateTable::prefetch(std::uint64_t key) const {
  key = valid(key);
  // All ways: past the first crowd the sets are full, and a newcomer's is looked through to its end.
  const Entry* const first = &entries_[set_of(key) * kWays];
  for (std::size_t way = 0; way < kWays; ++way) __builtin_prefetch(first + way, 1);
}

RateTable::Verdict RateTable::take(std::uint64_t key, std::uint32_t quota, Micros now) {
  key = valid(key);
  const std::size_t set = set_of(key);
  const auto slice = static_cast<std::uint64_t>(now / slice_us_);
  const std::lock_guard lock(shards_[set % kShards].mutex);
  Entry& entry = entry_of(set, key, slice);
  advance(entry, slice);
  if (entry.used < quota) {
    ++entry.counts[entry.slice % kCounted];
    ++entry.used;
    return {true, quota - entry.used, 0};
  }
  // The oldest slices leave the window one after the other, until there is room for one.
  std::uint32_t used = entry.used;
  std::uint64_t oldest = entry.slice >= kSlices ? entry.slice - kSlices : 0;
  for (; oldest < entry.slice && used >= quota; ++oldest) used -= entry.counts[oldest % kCounted];
  if (used >= quota) ++oldest;
  const Micros free_at = static_cast<Micros>(oldest - 1 + kCounted) * slice_us_;
  return {false, 0, std::max<Micros>(free_at - now, 1)};
}

}  // namespace spillway::http
