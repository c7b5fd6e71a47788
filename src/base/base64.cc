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

void append_base64url(std::string& text, std::string_view bytes) {
  const std::size_t before = text.size();
  text.resize(before + (bytes.size() * 4 + 2) / 3);
  char* out = text.data() + before;
  const auto byte = [&](std::size_t at) { return unsigned{static_cast<unsigned char>(bytes[at])}; };
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const unsigned bits = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    *out++ = kAlphabet[bits >> 18];
    *out++ = kAlphabet[bits >> 12 & 0x3f];
    *out++ = kAlphabet[bits >> 6 & 0x3f];
    *out++ = kAlphabet[bits & 0x3f];
  }
  if (const std::size_t rest = bytes.size() - at; rest > 0) {
    const unsigned bits = byte(at) << 16 | (rest == 2 ? byte(at + 1) << 8 : 0);
    *out++ = kAlphabet[bits >> 18];
    *out++ = kAlphabet[bits >> 12 & 0x3f];
    if (rest == 2) *out++ = kAlphabet[bits >> 6 & 0x3f];
  }
}

std::string base64url(std::string_view bytes) {
  std::string text;
  append_base64url(text, bytes);
  return text;
}

bool base64url_decode(std::string_view text, std::string& into) {
  if (text.size() % 4 == 1) return false;
  into.resize(text.size() * 3 / 4);
  char* out = into.data();
  const auto value = [&](std::size_t at) { return int{kValues[static_cast<unsigned char>(text[at])]}; };
  // Every request carries a token: four characters at a time, and what is not in the alphabet (-1) shows as a
  // sign at the end.
  int sign = 0;
  std::size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    const int a = value(at), b = value(at + 1), c = value(at + 2), d = value(at + 3);
    sign |= a | b | c | d;
    *out++ = static_cast<char>(a << 2 | b >> 4);
    *out++ = static_cast<char>(b << 4 | c >> 2);
    *out++ = static_cast<char>(c << 6 | d);
  }
  int unused = 0;  // bits of the last character that say nothing: only zero is canonical
  if (const std::size_t rest = text.size() - at; rest > 0) {
    const int a = value(at), b = value(at + 1), c = rest == 3 ? value(at + 2) : 0;
    sign |= a | b | c;
    *out++ = static_cast<char>(a << 2 | b >> 4);
    if (rest == 3) *out++ = static_cast<char>(b << 4 | c >> 2);
    unused = rest == 3 ? c & 0x3 : b & 0xf;
  }
  return sign >= 0 && unused == 0;
}

}  // namespace spillway
