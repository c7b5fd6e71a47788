#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/person_key.h"

namespace spillway::intake {

/// The secret of one journal: what request ids and person keys are hashed with. Drawn once, by the first
/// event.
using Seed = std::array<std::uint8_t, 16>;

inline constexpr std::size_t kRequestIdBytes = 20;
inline constexpr std::uint64_t kMaxRequestNumber = (std::uint64_t{1} << 40) - 1;

/// A request's id as clients see it: 20 characters of lower-case Crockford base32 (no i, l, o, u). The first
/// 8 are the request's number (40 bits, most significant first), so that ids sort as requests came; the other
/// 12 are 60 bits of SipHash-2-4 over the number, so that nobody guesses the id of somebody else and no table
/// is needed to tell a real one from a forged one.
void write_request_id(const Seed&, std::uint64_t number, char* into);
std::string request_id(const Seed&, std::uint64_t number);
/// The number in an id that this seed has made (whether or not that request exists), else nothing.
std::optional<std::uint64_t> request_number(const Seed&, std::string_view id);

/// 40 bits as 8 characters of the same alphabet, and back.
void write_number(std::uint64_t number, char* into);
std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace spillway::intake
