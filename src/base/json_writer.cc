#include "base/json_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/rfc3339.h"

namespace spillway {

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return raw("null");  // JSON has no word for it
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return raw({digits, static_cast<std::size_t>(end - digits)});
}

JsonWriter& JsonWriter::value(Timestamp t) {
  separate();
  out_.push_back('"');
  append_time(out_, t);
  out_.push_back('"');
  return *this;
}

namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101, kSigns = 0x8080808080808080;  // in each byte

/// A sign bit in each byte that is `c`.
constexpr std::uint64_t bytes_equal(std::uint64_t word, unsigned char c) {
  const std::uint64_t off = word ^ kOnes * c;
  return (off - kOnes) & ~off & kSigns;
}

/// Whether any of the eight bytes needs an escape.
bool word_needs_escape(const char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, 8);
  const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kSigns;
  return (below_space | bytes_equal(word, '"') | bytes_equal(word, '\\')) != 0;
}

}  // namespace

/// Eight bytes at a time, because nearly always that is so.
bool JsonWriter::is_plain(std::string_view text) {
  if (text.size() < 8) {
    return std::none_of(text.begin(), text.end(), json_needs_escape);
  }
  bool escape = word_needs_escape(text.data() + text.size() - 8);  // may look at some a second time
  for (std::size_t at = 0; at + 8 < text.size(); at += 8) escape |= word_needs_escape(text.data() + at);
  return !escape;
}

JsonWriter& JsonWriter::long_value(std::string_view text) {
  separate();
  out_.push_back('"');
  if (is_plain(text)) {
    out_.append(text);
  } else {
    escape(text);
  }
  out_.push_back('"');
  return *this;
}

void JsonWriter::escape(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char each : text) {
    const auto c = static_cast<unsigned char>(each);
    if (!json_needs_escape(each)) {
      out_.push_back(each);
    } else if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(each);
    } else {
      out_.append("\\u00");
      out_.push_back(kHex[c >> 4]);
      out_.push_back(kHex[c & 15]);
    }
  }
}

}  // namespace spillway
