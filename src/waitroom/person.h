#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spillway::waitroom {

/// The secret of one journal that persons are hashed with. Drawn once, by the first event.
using Seed = std::array<std::uint8_t, 16>;

/// Who stands in which line: 128 bits of SipHash-2-4 over the concert's index and the user's id. The id
/// itself is kept nowhere: whoever enters again brings it along.
struct PersonKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const PersonKey&, const PersonKey&) = default;
};
/// `user_id`: at most 255 bytes.
PersonKey person_key(const Seed&, std::uint32_t concert, std::string_view user_id);

}  // namespace spillway::waitroom
