#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "waitroom/commands.h"

namespace spillway::waitroom {

/// What is published before a draw: SHA-256 of its seed.
std::array<std::uint8_t, 32> commitment_of(const DrawSeed&);

/// A ticket's lot: the first 8 bytes, most significant first, of SHA-256(seed, concert id, arrival number as
/// 8 bytes, most significant first). The drawn order is that of ascending lots, equal ones by arrival number;
/// docs/waitroom-lottery.md has it in ten lines of Python.
std::uint64_t lot_of(const DrawSeed&, std::string_view concert_id, std::uint32_t number);

/// Carries out a draw in steps, so that ten million people do not stop everybody else: lots first, which fall
/// into buckets by their first bits, then the buckets, each sorted. Only the seed, the concert's id and the
/// number of people matter; how it is cut into steps does not.
class Draw {
 public:
  Draw(const DrawSeed& seed, std::string_view concert_id, std::uint32_t gathered);

  bool done() const { return next_bucket_ == buckets_.size(); }
  /// At most about `budget` lots or places. place(number, place) is called once for each number, places
  /// ascending from 1.
  template <class F>
  void step(std::size_t budget, F&& place) {
    while (budget > 0 && next_number_ <= gathered_) {
      add(static_cast<std::uint32_t>(next_number_++));
      --budget;
    }
    while (budget > 0 && next_number_ > gathered_ && !done()) {
      auto& bucket = sorted_bucket(next_bucket_++);
      for (const Lot& lot : bucket) place(lot.number, next_place_++);
      budget -= std::min(budget, bucket.size() + 1);
      std::vector<Lot>().swap(bucket);
    }
  }

 private:
  struct Lot {
    std::uint64_t lot;
    std::uint32_t number;
  };
  void add(std::uint32_t number);
  std::vector<Lot>& sorted_bucket(std::size_t index);

  DrawSeed seed_;
  std::string_view concert_id_;  ///< the concert's own, which outlives this
  std::uint64_t gathered_;
  std::uint64_t next_number_ = 1;
  std::uint32_t next_place_ = 1;
  std::size_t next_bucket_ = 0;
  unsigned bucket_bits_ = 0;
  std::vector<std::vector<Lot>> buckets_;
};

}  // namespace spillway::waitroom
