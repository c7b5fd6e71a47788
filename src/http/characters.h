#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace spillway::http {

/// Which characters may stand where (RFC 9110, RFC 3986): one bit for each place.
enum class Place : std::uint8_t {
  kToken = 1,   ///< tchar: methods, names of fields
  kText = 2,    ///< values of fields: all but controls, and the tab
  kPath = 4,    ///< pchar and '/', without '%'
  kQuery = 8,   ///< the same and '?'
  kHost = 16,   ///< a registered name, '%' as it is
  kDigit = 32,  ///< 0 to 9
};

inline constexpr auto kPlaces = [] {
  std::array<std::uint8_t, 256> places{};
  const auto add = [&places](Place place, std::string_view characters) {
    for (const char c : characters) places[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(place);
  };
  constexpr std::string_view kDigits = "0123456789";
  for (const Place place : {Place::kToken, Place::kPath, Place::kQuery, Place::kHost}) {
    add(place, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    add(place, kDigits);
  }
  add(Place::kDigit, kDigits);
  add(Place::kToken, "!#$%&'*+-.^_`|~");
  add(Place::kPath, "-._~!$&'()*+,;=:@/");
  add(Place::kQuery, "-._~!$&'()*+,;=:@/?");
  add(Place::kHost, "-._~!$&'()*+,;=%");
  for (unsigned c = 0; c < places.size(); ++c) {
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) places[c] |= static_cast<std::uint8_t>(Place::kText);
  }
  return places;
}();

constexpr bool fits(Place place, char c) {
  return (kPlaces[static_cast<unsigned char>(c)] & static_cast<std::uint8_t>(place)) != 0;
}

/// Whether every character fits; so does the empty text.
constexpr bool all_fit(Place place, std::string_view text) {
  return std::all_of(text.begin(), text.end(), [place](char c) { return fits(place, c); });
}

/// all_fit(Place::kText, text), eight bytes at a time: values are long, and nearly always without a tab.
inline bool is_field_text(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof word);
    // Where a byte is less than 0x20, or 0x7f, its high bit is set; a borrow may set that of a byte above it
    // as well.
    const std::uint64_t doubtful =
        ((word - 0x20 * kOnes) | ((word ^ 0x7f * kOnes) - kOnes)) & ~word & kHighBits;
    if (doubtful != 0 && !all_fit(Place::kText, text.substr(0, sizeof word))) return false;
    text.remove_prefix(sizeof word);
  }
  return all_fit(Place::kText, text);
}

/// How many of the first characters fit.
constexpr std::size_t count_fitting(Place place, std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && fits(place, text[count])) ++count;
  return count;
}

/// Without the spaces and tabs around it (OWS of RFC 9110).
constexpr std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace spillway::http
