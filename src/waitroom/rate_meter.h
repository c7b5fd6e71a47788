#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clock.h"

namespace spillway::waitroom {

/// How often something happened lately: over the last minute, in slots of four seconds.
class RateMeter {
 public:
  void add(Timestamp at, std::uint32_t times = 1) {
    const std::int64_t slot = at.us / kSlot;
    if (began_ == 0 || slot > newest_ + kSlots) began_ = slot;
    for (std::int64_t s = std::max(newest_ + 1, slot - kSlots + 1); s <= slot; ++s) count(s) = 0;
    newest_ = std::max(newest_, slot);
    count(slot) += times;
    total_ += times;
  }
  /// Since this was made: only what lies between two looks means anything.
  std::uint64_t total() const { return total_; }
  /// From when it began to happen again, if that is less than a minute ago.
  double per_second(Timestamp now) const { return per_second(now, {began_ * kSlot}); }
  /// As counted from `since` on, if that is less than a minute ago: when it could have happened first.
  double per_second(Timestamp now, Timestamp since) const {
    const std::int64_t slot = now.us / kSlot;
    std::uint64_t sum = 0;
    for (std::int64_t s = std::max(slot - kSlots + 1, began_); s <= std::min(slot, newest_); ++s) {
      sum += counts_[static_cast<std::size_t>(s % kSlots)];
    }
    if (sum == 0) return 0;
    const Micros from = std::max((slot - kSlots + 1) * kSlot, since.us);
    return static_cast<double>(sum) * kSecond / static_cast<double>(std::max(now.us - from, kSecond));
  }

 private:
  static constexpr Micros kSlot = 4 * kSecond;
  static constexpr std::int64_t kSlots = 15;
  std::uint32_t& count(std::int64_t slot) { return counts_[static_cast<std::size_t>(slot % kSlots)]; }

  std::array<std::uint32_t, kSlots> counts_{};
  std::int64_t newest_ = 0;
  std::int64_t began_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace spillway::waitroom
