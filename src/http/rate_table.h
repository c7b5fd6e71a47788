#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"

namespace spillway::http {

/// Counts requests by a key over a sliding window, in memory of a fixed size.
///
/// Operation: the window is cut into kSlices slices and the one that runs counts too, so any stretch of time
/// as long as the window lies within what is summed: there are never more than the quota in any window, and
/// what was used comes back between one and 1 + 1/kSlices windows later. Keys live in sets of kWays; when a
/// set is full, a key that has used nothing in its window goes first, else the one that has used the least,
/// and starts anew when it comes back. So a flood of keys frees those who used little, never who used much;
/// evictions() tells how often that was. Concurrency: any thread; one of kShards mutexes for some tens of
/// nanoseconds. Limitations: two keys are told apart by 64 bits, so they must be hashes that nobody can aim.
class RateTable {
 public:
  static constexpr std::size_t kSlices = 8;
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kShards = 128;

  /// `entries`: rounded up to a power of two of sets; 64 bytes each, taken from the system when touched.
  RateTable(Micros window, std::size_t entries);
  RateTable(const RateTable&) = delete;
  RateTable& operator=(const RateTable&) = delete;

  struct Verdict {
    bool allowed = true;
    std::uint32_t remaining = 0;  ///< after this one
    Micros wait_us = 0;           ///< until one more is allowed, if nothing else comes; 0 when it was
  };
  /// Counts one request if fewer than `quota` were counted in the window that ends now. `now`: a steady
  /// clock; one that is behind another thread's counts as that thread's.
  Verdict take(std::uint64_t key, std::uint32_t quota, Micros now);
  /// Has memory fetched what take() will look at, some 100 ns later: in a large crowd nobody's entry is in a
  /// cache.
  void prefetch(std::uint64_t key) const;

  Micros window() const { return window_; }
  /// Keys that were dropped while they had something in their window.
  std::uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kCounted = kSlices + 1;
  struct alignas(64) Entry {  // a line of the cache: what a request costs is mostly the lines that it touches
    std::uint64_t key;        ///< 0: free
    std::uint64_t slice;      ///< the newest that is counted
    std::uint32_t used;       ///< the sum of counts
    std::array<std::uint32_t, kCounted> counts;  ///< by slice modulo kCounted
  };
  struct alignas(64) Shard {
    std::mutex mutex;
  };
  struct Unmap {
    std::size_t bytes;
    void operator()(void*) const;
  };

  /// 0 is no key: it is what a free entry has.
  static std::uint64_t valid(std::uint64_t key) { return key | std::uint64_t{1} << 63; }
  std::size_t set_of(std::uint64_t valid_key) const { return (valid_key >> 8) & set_mask_; }
  Entry& entry_of(std::size_t set, std::uint64_t key, std::uint64_t slice);
  static void advance(Entry&, std::uint64_t slice);
  static std::uint32_t used_at(const Entry&, std::uint64_t slice);

  const Micros window_;
  const Micros slice_us_;
  std::size_t set_mask_ = 0;
  std::unique_ptr<Entry[], Unmap> entries_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> evictions_{0};
};

}  // namespace spillway::http
