#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"
#include "http/message.h"

namespace spillway::http {

/// Why a request cannot be taken; all of these end the connection, because where the next request would begin
/// is not certain any more. The objects live for ever.
struct Refusal {
  ErrorCode code;
  const char* message;
};

struct Field {
  std::string_view name;
  std::string_view value;
};

/// The head of a request: request line and fields. The views point into the block that was parsed.
struct Head {
  enum class Framing : std::uint8_t { kNone, kLength, kChunked };

  Method method = Method::kGet;
  bool http11 = false;
  bool keep_alive = false;
  bool expect_continue = false;
  bool asterisk = false;  ///< OPTIONS *
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;
  std::string_view path;           ///< of the target, still percent-encoded, begins with '/'
  std::string_view query;          ///< without the '?'
  bool escaped_path = false;       ///< has a '%'
  std::string_view traceparent;    ///< empty when there is none or more than one
  std::string_view authorization;  ///< likewise
  std::array<Field, limits::kMaxHeaderFields> fields{};
  std::size_t field_count = 0;

  /// The first of that name, in any case; empty when absent.
  std::string_view field(std::string_view name) const;
};

/// Finds the end of a head as it arrives, and refuses what no later byte could make valid: a line that does
/// not end with CRLF, a folded line, a head that is too long. Its answers do not depend on how the bytes were
/// split.
class HeadScanner {
 public:
  void reset() { *this = {}; }
  /// Of `data`, all bytes of this head so far: the length of the head with its empty line, or 0 for more.
  /// Sets `refusal` when it cannot become valid.
  std::size_t scan(std::string_view data, const Refusal*& refusal);

 private:
  std::size_t scanned_ = 0;
  std::size_t line_ = 0;
};

/// Parses a whole head as HeadScanner found it, strictly by RFC 9112. Null when it is valid. Does not
/// allocate.
const Refusal* parse_head(std::string_view block, Head& head);

}  // namespace spillway::http
