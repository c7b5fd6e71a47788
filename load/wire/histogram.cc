#include "load/wire/histogram.h"

#include <algorithm>
#include <cmath>

#include "load/wire/wire_text.h"

namespace spillway::load {
double Histogram::upper_bound_us(std::size_t index) {
  const std::size_t octave = index >> kSubBucketBits;
  const std::size_t shift = octave == 0 ? 0 : octave - 1;
  const std::uint64_t units = (index - (shift << kSubBucketBits)) << shift;
  return static_cast<double>((units + (1ULL << shift)) << kUnitBits) / 1e3;
}

void Histogram::grow(std::size_t index) {
  buckets_.resize(std::min(kBuckets, ((index >> kSubBucketBits) + 1) << kSubBucketBits));
}

void Histogram::add_bucket(std::size_t index, std::uint64_t count) {
  if (index >= buckets_.size()) grow(index);
  buckets_[index] += count;
}

double Histogram::quantile_us(double fraction) const {
  if (count_ == 0) return 0;
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen < rank) continue;
    if (i == 0)
      return static_cast<double>(min_ns_) /
             1e3;  // less than the unit: else what took no time would take 128 ns
    return std::clamp(upper_bound_us(i), static_cast<double>(min_ns_) / 1e3,
                      static_cast<double>(max_ns_) / 1e3);
  }
  return static_cast<double>(max_ns_) / 1e3;
}

void Histogram::add(const Histogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t i = 0; i < other.buckets_.size(); ++i) {
    if (other.buckets_[i] != 0) add_bucket(i, other.buckets_[i]);
  }
  min_ns_ = count_ == 0 ? other.min_ns_ : std::min(min_ns_, other.min_ns_);
  max_ns_ = count_ == 0 ? other.max_ns_ : std::max(max_ns_, other.max_ns_);
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
}

void Histogram::clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = 0;
  sum_ns_ = min_ns_ = max_ns_ = 0;
}

std::string Histogram::encode() const {
  std::string out;
  put_number(out, count_);
  put_number(out, sum_ns_);
  put_number(out, min_ns_);
  put_number(out, max_ns_);
  std::size_t last = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] == 0) continue;
    put_number(out, i - last);
    put_number(out, buckets_[i]);
    last = i;
  }
  return out;
}

bool Histogram::add_encoded(std::string_view text) {
  WireReader in(text);
  Histogram other;
  const auto count = in.number<std::uint64_t>();
  other.sum_ns_ = in.number<std::int64_t>();
  other.min_ns_ = in.number<std::int64_t>();
  other.max_ns_ = in.number<std::int64_t>();
  for (std::size_t index = 0; in.good() && !in.at_end();) {
    index += in.number<std::uint32_t>();
    const auto records = in.number<std::uint64_t>();
    if (!in.good() || index >= kBuckets) return false;
    other.add_bucket(index, records);
    other.count_ += records;
  }
  if (!in.good() || other.count_ != count) return false;
  add(other);
  return true;
}

}  // namespace spillway::load
