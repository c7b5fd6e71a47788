#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spillway {

/// Who takes part in what: 128 bits of SipHash-2-4 over the index of what it is and the user's id, under the
/// secret of a journal.
struct PersonKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const PersonKey&, const PersonKey&) = default;
};
/// `user_id`: at most 255 bytes.
PersonKey person_key(const std::array<std::uint8_t, 16>& secret, std::uint32_t index,
                     std::string_view user_id);

}  // namespace spillway
