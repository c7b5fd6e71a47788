#include "intake/request_id.h"

#include <sodium.h>

#include <cstring>

#include "base/check.h"

namespace spillway::intake {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kNumberChars = 8;
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}();

void write_base32(std::uint64_t value, std::size_t chars, char* into) {
  for (std::size_t i = chars; i-- > 0; value >>= 5) into[i] = kAlphabet[value & 31];
}

std::optional<std::uint64_t> parse_base32(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const std::uint8_t digit = kDigits[static_cast<unsigned char>(c)];
    if (digit == kNoDigit) return std::nullopt;
    value = value << 5 | digit;
  }
  return value;
}

std::uint64_t secret_of(const Seed& seed, std::uint64_t number) {
  static_assert(std::tuple_size_v<Seed> == crypto_shorthash_KEYBYTES);
  unsigned char in[sizeof number];
  std::memcpy(in, &number, sizeof number);
  unsigned char hash[crypto_shorthash_BYTES];
  crypto_shorthash(hash, in, sizeof in, seed.data());
  std::uint64_t value = 0;
  std::memcpy(&value, hash, sizeof value);
  return value & ((std::uint64_t{1} << 60) - 1);
}

}  // namespace

void write_number(std::uint64_t number, char* into) { write_base32(number, kNumberChars, into); }

std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.size() != kNumberChars) return std::nullopt;
  return parse_base32(text);
}

void write_request_id(const Seed& seed, std::uint64_t number, char* into) {
  write_number(number, into);
  write_base32(secret_of(seed, number), kRequestIdBytes - kNumberChars, into + kNumberChars);
}

std::string request_id(const Seed& seed, std::uint64_t number) {
  std::string id(kRequestIdBytes, '\0');
  write_request_id(seed, number, id.data());
  return id;
}

std::optional<std::uint64_t> request_number(const Seed& seed, std::string_view id) {
  if (id.size() != kRequestIdBytes) return std::nullopt;
  const auto number = parse_base32(id.substr(0, kNumberChars));
  const auto secret = parse_base32(id.substr(kNumberChars));
  if (!number || !secret || *secret != secret_of(seed, *number)) return std::nullopt;
  return number;
}

}  // namespace spillway::intake
