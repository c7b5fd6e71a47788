#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace spillway::load {

// How agents tell what they measured: strings with their length in front, numbers with a space behind.

inline void put_text(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out += ' ';
  out += text;
}

template <class T>
void put_number(std::string& out, T number) {
  char digits[40];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  out += ' ';
}

/// Reads what these wrote. Once something is wrong everything that is read is empty and good() says so.
class WireReader {
 public:
  explicit WireReader(std::string_view in) : in_(in) {}
  bool good() const { return good_; }
  bool at_end() const { return in_.empty(); }

  template <class T>
  T number() {
    T value{};
    const auto [end, error] = std::from_chars(in_.data(), in_.data() + in_.size(), value);
    if (!good_ || error != std::errc{} || end == in_.data() + in_.size() || *end != ' ') {
      good_ = false;
      return {};
    }
    in_.remove_prefix(static_cast<std::size_t>(end - in_.data()) + 1);
    return value;
  }
  /// A view into what is read.
  std::string_view text() {
    const auto size = number<std::size_t>();
    if (!good_ || size > in_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view found = in_.substr(0, size);
    in_.remove_prefix(size);
    return found;
  }

 private:
  std::string_view in_;
  bool good_ = true;
};

}  // namespace spillway::load
