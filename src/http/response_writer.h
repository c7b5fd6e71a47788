#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "http/byte_buffer.h"
#include "http/message.h"
#include "http/rate_limits.h"

namespace spillway::http {

/// The value of the Date field (RFC 9110, 5.6.7), made again when the second changes.
class DateText {
 public:
  void update(Timestamp now);
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  std::int64_t second_ = -1;
  std::array<char, 29> text_{};
};

/// What the session adds to a Response.
struct Framing {
  std::string_view date;
  std::string_view traceparent;  ///< empty: none
  bool http11 = true;
  bool close = false;
  bool head_only = false;                 ///< the answer to HEAD
  bool chunked = false;                   ///< the start of a stream: no Content-Length, no body
  const LimitRefusal* refusal = nullptr;  ///< told in RateLimit, RateLimit-Policy and Retry-After
  bool hsts = false;
};

void write_response(ByteBuffer& out, const Response& response, const Framing& framing);

}  // namespace spillway::http
