#pragma once

#include <charconv>
#include <concepts>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/clock.h"

namespace spillway {

constexpr bool json_needs_escape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

/// The name of a member that is known when this is compiled: what has to be appended for it is, too. In an
/// answer of ten members names were a tenth of the whole request's work.
class JsonName {
 public:
  template <std::size_t N>
  consteval JsonName(const char (&name)[N]) : size_(N + 3) {
    static_assert(N + 3 <= kMost, "a shorter name, please");
    char* to = piece_;
    for (const char c : {',', '"'}) *to++ = c;
    for (std::size_t i = 0; i + 1 < N; ++i) {
      if (json_needs_escape(name[i])) throw "this would have to be escaped";
      *to++ = name[i];
    }
    for (const char c : {'"', ':'}) *to++ = c;
  }

 private:
  friend class JsonWriter;
  static constexpr std::size_t kMost = 48;
  std::string_view piece(bool first) const { return {piece_ + first, size_ - first}; }

  char piece_[kMost]{};
  std::size_t size_;
};

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
  JsonWriter& key(const JsonName& name) {
    out_.append(name.piece(first_));
    first_ = true;  // what follows is the value, not a next member
    return *this;
  }
  /// A name that is known only now.
  template <std::convertible_to<std::string_view> Name>
  requires(!std::is_array_v<Name>) JsonWriter& key(const Name& name) {
    value(std::string_view(name));
    out_.push_back(':');
    first_ = true;
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    if (text.size() > kShort || !is_plain(text)) return long_value(text);
    char piece[kShort + 3];
    piece[0] = ',';
    piece[1] = '"';
    if (!text.empty()) std::memcpy(piece + 2, text.data(), text.size());
    piece[text.size() + 2] = '"';
    out_.append(piece + first_, text.size() + 3 - first_);
    first_ = false;
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool b) { return raw(b ? "true" : "false"); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonWriter& value(T number) {
    return number_after(first_ ? "" : ",", number);
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
  JsonWriter& member(const JsonName& name, const T& v) {
    return key(name).value(v);
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonWriter& member(const JsonName& name, const T& number) {
    return number_after(name.piece(first_), number);
  }
  template <std::convertible_to<std::string_view> Name, class T>
  requires(!std::is_array_v<Name>) JsonWriter& member(const Name& name, const T& v) {
    return key(name).value(v);
  }

 private:
  // What is usual is put together here first: an append costs more than the copy.
  static constexpr std::size_t kDigits = 20, kShort = 125;

  /// `before` is JsonName::kMost bytes at most.
  template <class T>
  JsonWriter& number_after(std::string_view before, T number) {
    char piece[JsonName::kMost + kDigits];
    std::memcpy(piece, before.data(), before.size());
    const auto end = std::to_chars(piece + before.size(), piece + sizeof piece, number).ptr;
    out_.append(piece, static_cast<std::size_t>(end - piece));
    first_ = false;
    return *this;
  }
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
  /// Whether nothing in it needs an escape.
  static bool is_plain(std::string_view text);
  /// The text is longer than kShort, or has something to escape.
  JsonWriter& long_value(std::string_view text);
  void escape(std::string_view text);

  std::string& out_;
  bool first_ = true;
};

}  // namespace spillway
