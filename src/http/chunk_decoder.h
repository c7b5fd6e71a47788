#pragma once

#include <cstddef>
#include <cstdint>

#include "http/head.h"

namespace spillway::http {

/// Decodes a chunked body (RFC 9112, 7.1) in place, byte by byte where it is framing and in one move where it
/// is data, so that a split anywhere changes nothing. Extensions are checked for their characters and
/// ignored, trailer fields likewise.
class ChunkDecoder {
 public:
  enum class State : std::uint8_t { kMore, kDone, kRefused };

  void reset(std::size_t max_body_bytes) {
    *this = {};
    max_ = max_body_bytes;
  }
  /// Reads `size` bytes at `in`, writes what is body at `out` (at or before `in`). Afterwards consumed()
  /// bytes were read and written() bytes written by this call.
  State decode(const char* in, std::size_t size, char* out);
  std::size_t consumed() const { return consumed_; }
  std::size_t written() const { return written_; }
  const Refusal* refusal() const { return refusal_; }

 private:
  enum class At : std::uint8_t {
    kSize,
    kMoreSize,
    kSpace,
    kExtension,
    kQuoted,
    kEscaped,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
    kDone
  };

  /// One byte of framing; false when it is not valid.
  bool step(char c);
  bool step_size(char c);
  bool step_trailer(char c);
  bool extension_byte();

  At at_ = At::kSize;
  std::uint64_t left_ = 0;  ///< of the size being read, then of the chunk's data
  std::size_t total_ = 0;
  std::size_t max_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t consumed_ = 0;
  std::size_t written_ = 0;
  bool space_ = false;  ///< white space after the size: only a ';' may follow
  const Refusal* refusal_ = nullptr;
};

}  // namespace spillway::http
