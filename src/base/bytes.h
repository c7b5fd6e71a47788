#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace spillway {

/// Appends little-endian values to a string. The counterpart of ByteReader.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u16(std::uint16_t v) { fixed(v); }
  void u32(std::uint32_t v) { fixed(v); }
  void u64(std::uint64_t v) { fixed(v); }
  void i64(std::int64_t v) { fixed(static_cast<std::uint64_t>(v)); }
  /// LEB128: 7 bits a byte, low bits first.
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      u8(static_cast<std::uint8_t>(v | 0x80));
      v >>= 7;
    }
    u8(static_cast<std::uint8_t>(v));
  }
  /// Length as varint, then the bytes.
  void string(std::string_view s) {
    varint(s.size());
    out_.append(s);
  }

 private:
  static_assert(std::endian::native == std::endian::little,
                "formats are little-endian, as every machine we build for");
  template <class T>
  void fixed(T v) {
    char bytes[sizeof v];
    std::memcpy(bytes, &v, sizeof v);
    out_.append(bytes, sizeof v);
  }
  std::string& out_;
};

/// Reads what ByteWriter wrote. After a read past the end every read answers zero or empty and ok() is false,
/// so that a decoder checks once, at its end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  /// ok, and nothing left over.
  bool done() const { return ok_ && in_.empty(); }
  std::size_t left() const { return in_.size(); }

  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  std::int64_t i64() { return static_cast<std::int64_t>(fixed<std::uint64_t>()); }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = u8();
      if (shift == 63 && byte > 1) break;
      v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return v;
    }
    ok_ = false;
    return 0;
  }
  /// Points into the input.
  std::string_view string() {
    const std::uint64_t size = varint();
    if (size > in_.size()) {
      ok_ = false;
      in_ = {};
      return {};
    }
    const std::string_view s = in_.substr(0, size);
    in_.remove_prefix(size);
    return s;
  }

 private:
  template <class T>
  T fixed() {
    if (in_.size() < sizeof(T)) {
      ok_ = false;
      in_ = {};
      return 0;
    }
    T v;
    std::memcpy(&v, in_.data(), sizeof v);
    in_.remove_prefix(sizeof v);
    return v;
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace spillway
