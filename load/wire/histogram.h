#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spillway::load {

/// Counts durations in log-linear buckets: three significant digits from 1/8 us up to hours, at a fixed cost
/// a record and without keeping the values (the idea of HdrHistogram, of which Debian has a Go and a Java
/// library but none for C or C++). Two histograms add up exactly: adding them and having recorded all in one
/// is the same. Memory grows to what the largest value needs, at most 110 KB. Not thread-safe.
class Histogram {
 public:
  static constexpr int kUnitBits = 7;        ///< 128 ns: finer than a clock read is exact
  static constexpr int kSubBucketBits = 10;  ///< 1,024 buckets an octave: an error below 0.1%
  static constexpr int kOctaves = 26;        ///< up to 128 ns * 2^36, 2.4 hours; beyond: the last bucket
  static constexpr std::size_t kBuckets = static_cast<std::size_t>(kOctaves + 1) << kSubBucketBits;

  void record(std::int64_t ns) {
    const std::uint64_t units = static_cast<std::uint64_t>(ns < 0 ? 0 : ns) >> kUnitBits;
    const std::size_t index = index_of(units) < kBuckets ? index_of(units) : kBuckets - 1;
    if (index >= buckets_.size()) grow(index);
    ++buckets_[index];
    if (ns > max_ns_ || count_ == 0) max_ns_ = ns;
    if (ns < min_ns_ || count_ == 0) min_ns_ = ns;
    ++count_;
    sum_ns_ += ns;
  }

  std::uint64_t count() const { return count_; }
  std::int64_t min_ns() const { return min_ns_; }  ///< exact; 0 without records
  std::int64_t max_ns() const { return max_ns_; }  ///< exact; 0 without records
  std::int64_t sum_ns() const { return sum_ns_; }
  double mean_us() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_ns_) / 1e3 / static_cast<double>(count_);
  }
  /// The smallest duration that at least `fraction` of the records do not exceed, in microseconds; 0 without
  /// records.
  double quantile_us(double fraction) const;

  void add(const Histogram& other);
  /// Forgets the records and keeps the memory.
  void clear();

  /// For another process: exact. The text is of this program's version alone.
  std::string encode() const;
  /// Adds what another encoded. False when it is none; what was added until then stays.
  bool add_encoded(std::string_view);

 private:
  // Units below 2 * 1024 count one by one; above, the top 11 bits choose the bucket.
  static std::size_t index_of(std::uint64_t units) {
    const int width = units == 0 ? 0 : 64 - __builtin_clzll(units);
    const int shift = width > kSubBucketBits + 1 ? width - (kSubBucketBits + 1) : 0;
    return (static_cast<std::size_t>(shift) << kSubBucketBits) + static_cast<std::size_t>(units >> shift);
  }
  static double upper_bound_us(std::size_t index);
  void grow(std::size_t index);
  void add_bucket(std::size_t index, std::uint64_t count);

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::int64_t sum_ns_ = 0;
  std::int64_t min_ns_ = 0;
  std::int64_t max_ns_ = 0;
};

}  // namespace spillway::load
