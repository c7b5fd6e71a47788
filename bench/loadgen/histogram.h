#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace spillway::loadgen {

/// Counts durations in log-linear buckets: three significant digits from 1/8 us up to minutes, at a fixed
/// cost a record and without keeping the values (the idea of HdrHistogram). Not thread-safe.
class Histogram {
 public:
  static constexpr int kUnitBits = 7;        ///< 128 ns: finer than a clock read is exact
  static constexpr int kSubBucketBits = 10;  ///< 1,024 buckets an octave: an error below 0.1%
  static constexpr int kOctaves = 24;  ///< up to 128 ns * 2^34, about 36 minutes; beyond: the last bucket

  Histogram() : buckets_((kOctaves + 1) << kSubBucketBits) {}

  void record(std::int64_t ns) {
    const std::uint64_t units = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)) >> kUnitBits;
    ++buckets_[std::min(index_of(units), buckets_.size() - 1)];
    ++count_;
    sum_ns_ += ns;
    max_ns_ = std::max(max_ns_, ns);
  }

  std::uint64_t count() const { return count_; }
  std::int64_t max_ns() const { return max_ns_; }
  double mean_us() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_ns_) / 1e3 / static_cast<double>(count_);
  }

  /// The smallest duration that at least `fraction` of the records do not exceed, in microseconds; 0 without
  /// records.
  double quantile_us(double fraction) const {
    if (count_ == 0) return 0;
    const auto rank = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= rank) return std::min(upper_bound_us(i), static_cast<double>(max_ns_) / 1e3);
    }
    return static_cast<double>(max_ns_) / 1e3;
  }

 private:
  // Units below 2 * 1024 count one by one; above, the top 11 bits choose the bucket.
  static std::size_t index_of(std::uint64_t units) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(units)) - (kSubBucketBits + 1));
    return (static_cast<std::size_t>(shift) << kSubBucketBits) + static_cast<std::size_t>(units >> shift);
  }
  static double upper_bound_us(std::size_t index) {
    const std::size_t octave = index >> kSubBucketBits;
    const std::size_t shift = octave == 0 ? 0 : octave - 1;
    const std::uint64_t units = (index - (shift << kSubBucketBits)) << shift;
    return static_cast<double>((units + (1ULL << shift)) << kUnitBits) / 1e3;
  }

  std::vector<std::uint32_t> buckets_;
  std::uint64_t count_ = 0;
  std::int64_t sum_ns_ = 0;
  std::int64_t max_ns_ = 0;
};

}  // namespace spillway::loadgen
