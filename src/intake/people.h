#pragma once

// Private to the machine: who is here already.

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>

#include "base/check.h"
#include "intake/request_id.h"

namespace spillway::intake {

/// From persons to the numbers of their requests. 256 maps, told apart by a byte of the key, so that the one
/// that grows at an insert is small: growing one map of five million would stall everything for a third of a
/// second.
class People {
 public:
  /// 0 when unknown.
  std::uint64_t find(const PersonKey& key) const {
    const Part& part = parts_[key.high & 0xff];
    const auto it = part.find(key);
    return it == part.end() ? 0 : it->second;
  }
  void add(const PersonKey& key, std::uint64_t number) {
    const bool is_new = parts_[key.high & 0xff].emplace(key, number).second;
    CHECK(is_new);
  }
  void remove(const PersonKey& key) {
    const bool was_there = parts_[key.high & 0xff].erase(key) == 1;
    CHECK(was_there);
  }
  std::size_t size() const {
    std::size_t sum = 0;
    for (const Part& part : parts_) sum += part.size();
    return sum;
  }

 private:
  /// The key is a keyed hash already.
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(const PersonKey& key) const { return key.low; }
  };
  using Part = boost::unordered_flat_map<PersonKey, std::uint64_t, Hash>;
  std::array<Part, 256> parts_;
};

}  // namespace spillway::intake
