#include "base/base64.h"

#include <array>
#include <cstdint>

namespace spillway {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

}  // namespace

std::string base64url(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      text.push_back(kAlphabet[bits >> held & 0x3f]);
    }
  }
  if (held > 0) text.push_back(kAlphabet[bits << (6 - held) & 0x3f]);
  return text;
}

bool base64url_decode(std::string_view text, std::string& into) {
  if (text.size() % 4 == 1) return false;
  into.resize(text.size() * 3 / 4);
  char* out = into.data();
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      *out++ = static_cast<char>(bits >> held & 0xff);
    }
  }
  return (bits & ((1U << held) - 1)) == 0;
}

}  // namespace spillway
