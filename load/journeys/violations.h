#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "load/measure/results.h"

namespace spillway::load {

/// What a journey's evidence says about its invariants: how often each was looked at, how often it was
/// broken, and one example. Two of them add up.
class Violations {
 public:
  void looked(std::string_view invariant, std::uint64_t times = 1) { of(invariant).looked += times; }
  /// Counts it as looked at as well.
  void broken(std::string_view invariant, std::string_view example);

  std::string encode() const;
  bool add_encoded(std::string_view);
  /// Those that were broken: for a run that cannot be judged otherwise.
  std::vector<InvariantResult> broken_ones() const;
  /// `promise`: for people.
  InvariantResult result(std::string_view invariant, std::string_view promise) const;

 private:
  struct Count {
    std::uint64_t looked = 0, broken = 0;
    std::string example;
  };
  Count& of(std::string_view invariant);
  std::map<std::string, Count, std::less<>> counts_;
};

// The invariants that journeys know; plans choose among them by these names.
namespace invariant {
inline constexpr std::string_view kExactlyN = "exactly-n-winners";
inline constexpr std::string_view kOneIdPerPerson = "one-id-per-person";
inline constexpr std::string_view kNoStatusBack = "no-status-back";
inline constexpr std::string_view kNothingLost = "nothing-lost";
inline constexpr std::string_view kFinalState = "every-request-final";
inline constexpr std::string_view kFirstCome = "first-come-first-served";
inline constexpr std::string_view kActiveUnderCap = "active-under-cap";
inline constexpr std::string_view kPositionNeverUp = "position-never-up";
}  // namespace invariant

}  // namespace spillway::load
