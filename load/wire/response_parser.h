#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace spillway::load {

/// What the load client wants to know of an answer. `size` is that of head and body together.
struct Answer {
  int status = 0;
  std::size_t size = 0;
  std::string_view head;  ///< status line and fields, with the empty line
  std::string_view body;
  bool closes = false;  ///< the server closes the connection after it
};

/// Finds the end of HTTP/1.1 answers. A generator must cost less than the server that it loads, so an answer
/// whose head is laid out like one seen before (the same status line, the same length, the same
/// Content-Length at the same place, the empty line where it was) is not searched again. Answers to HEAD, and
/// such that end with their connection, are not for it: kMalformed. Not thread-safe; one for all connections
/// of a thread.
class ResponseParser {
 public:
  enum class Outcome : std::uint8_t { kComplete, kIncomplete, kMalformed };
  static constexpr int kMaxInformational = 8;  ///< of 100 to 199 before the answer
  static constexpr std::size_t kMaxHeadBytes = 16 * 1024;
  static constexpr std::size_t kMaxBodyBytes = 64UL * 1024 * 1024;

  /// `in`: from the first byte of the answer on. The answer's views are good until the next call, and as long
  /// as `in` is.
  Outcome parse(std::string_view in, Answer* answer) {
    for (const Layout& layout : layouts_) {
      if (matches(layout, in)) return complete(layout, in, answer);
    }
    return parse_anew(in, answer);
  }

  /// The value of a field (name in lower case), or empty; searches, so not for every answer.
  static std::string_view field(std::string_view head, std::string_view lower_name) {
    for (std::size_t line = head.find("\r\n"); line != std::string_view::npos;
         line = head.find("\r\n", line + 2)) {
      const std::string_view rest = head.substr(line + 2);
      if (rest.size() <= lower_name.size() || rest[lower_name.size()] != ':') continue;
      std::size_t same = 0;
      while (same < lower_name.size() && lower(rest[same]) == lower_name[same]) ++same;
      if (same < lower_name.size()) continue;
      std::string_view value = rest.substr(same + 1, rest.find("\r\n") - same - 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    }
    return {};
  }

 private:
  static constexpr std::string_view kEnd = "\r\n\r\n";
  static constexpr std::size_t kStatusBytes = 12;  // "HTTP/1.1 202"

  struct Layout {
    int status = 0;
    std::size_t head_size = 0;  // 0: unused
    std::size_t body_size = 0;
    std::size_t length_at = 0;  // where the Content-Length's value stands
    std::string length;         // with the "\r\n" behind it
    std::array<char, kStatusBytes> status_line{};
  };

  static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

  static bool matches(const Layout& layout, std::string_view in) {
    return layout.head_size != 0 && in.size() >= layout.head_size &&
           std::memcmp(in.data(), layout.status_line.data(), kStatusBytes) == 0 &&
           std::memcmp(in.data() + layout.head_size - kEnd.size(), kEnd.data(), kEnd.size()) == 0 &&
           std::memcmp(in.data() + layout.length_at, layout.length.data(), layout.length.size()) == 0;
  }

  static Outcome complete(const Layout& layout, std::string_view in, Answer* answer) {
    const std::size_t size = layout.head_size + layout.body_size;
    if (in.size() < size) return Outcome::kIncomplete;
    *answer = {layout.status, size, in.substr(0, layout.head_size),
               in.substr(layout.head_size, layout.body_size), false};
    return Outcome::kComplete;
  }

  Outcome parse_anew(std::string_view in, Answer* answer);
  Outcome parse_chunked(std::string_view in, Answer* answer);

  std::array<Layout, 4> layouts_;
  std::size_t next_layout_ = 0;
  std::string body_;       // of a chunked answer
  int informational_ = 0;  // how many answers of 100 to 199 stand before the one that is parsed
};

}  // namespace spillway::load
