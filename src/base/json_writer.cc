#include "base/json_writer.h"

#include <cmath>

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

void JsonWriter::quote(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out_.push_back('"');
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') [[likely]]
      continue;
    out_.append(text, done, i - done);
    done = i + 1;
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(static_cast<char>(c));
    } else {
      out_.append("\\u00");
      out_.push_back(kHex[c >> 4]);
      out_.push_back(kHex[c & 15]);
    }
  }
  out_.append(text, done);
  out_.push_back('"');
}

}  // namespace spillway
