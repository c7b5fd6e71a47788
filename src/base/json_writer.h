#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace spillway {

/// Appends JSON to a string, in the order in which it is told: replies are small and their shape is known, so
/// a tree of values (Boost.JSON, which reads what comes in) would only cost allocations. The caller nests
/// correctly.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& open_object() { return open('{'); }
  JsonWriter& close_object() { return close('}'); }
  JsonWriter& open_array() { return open('['); }
  JsonWriter& close_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    quote(name, "\":");
    first_ = true;  // what follows is the value, not a next member
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    quote(text, "\"");
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool b) { return raw(b ? "true" : "false"); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonWriter& value(T number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return raw({digits, static_cast<std::size_t>(end - digits)});
  }
  JsonWriter& value(double number);
  JsonWriter& value(Timestamp t);
  /// JSON that is known to be valid.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_.append(json);
    return *this;
  }
  template <class T>
  JsonWriter& member(std::string_view name, const T& v) {
    key(name);
    return value(v);
  }

 private:
  JsonWriter& open(char c) {
    separate();
    out_.push_back(c);
    first_ = true;
    return *this;
  }
  JsonWriter& close(char c) {
    out_.push_back(c);
    first_ = false;
    return *this;
  }
  void separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }
  /// `after`: from the closing quotation mark on.
  void quote(std::string_view text, std::string_view after);
  void escape(std::string_view text);

  std::string& out_;
  bool first_ = true;
};

}  // namespace spillway
