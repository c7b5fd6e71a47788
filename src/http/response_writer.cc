#include "http/response_writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

namespace spillway::http {
namespace {

std::string_view status_line(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\n";
    case 201:
      return "HTTP/1.1 201 Created\r\n";
    case 202:
      return "HTTP/1.1 202 Accepted\r\n";
    case 204:
      return "HTTP/1.1 204 No Content\r\n";
    case 301:
      return "HTTP/1.1 301 Moved Permanently\r\n";
    case 302:
      return "HTTP/1.1 302 Found\r\n";
    case 303:
      return "HTTP/1.1 303 See Other\r\n";
    case 304:
      return "HTTP/1.1 304 Not Modified\r\n";
    case 307:
      return "HTTP/1.1 307 Temporary Redirect\r\n";
    case 308:
      return "HTTP/1.1 308 Permanent Redirect\r\n";
    case 400:
      return "HTTP/1.1 400 Bad Request\r\n";
    case 401:
      return "HTTP/1.1 401 Unauthorized\r\n";
    case 403:
      return "HTTP/1.1 403 Forbidden\r\n";
    case 404:
      return "HTTP/1.1 404 Not Found\r\n";
    case 405:
      return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408:
      return "HTTP/1.1 408 Request Timeout\r\n";
    case 409:
      return "HTTP/1.1 409 Conflict\r\n";
    case 410:
      return "HTTP/1.1 410 Gone\r\n";
    case 412:
      return "HTTP/1.1 412 Precondition Failed\r\n";
    case 413:
      return "HTTP/1.1 413 Content Too Large\r\n";
    case 414:
      return "HTTP/1.1 414 URI Too Long\r\n";
    case 415:
      return "HTTP/1.1 415 Unsupported Media Type\r\n";
    case 417:
      return "HTTP/1.1 417 Expectation Failed\r\n";
    case 422:
      return "HTTP/1.1 422 Unprocessable Content\r\n";
    case 429:
      return "HTTP/1.1 429 Too Many Requests\r\n";
    case 431:
      return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 500:
      return "HTTP/1.1 500 Internal Server Error\r\n";
    case 501:
      return "HTTP/1.1 501 Not Implemented\r\n";
    case 503:
      return "HTTP/1.1 503 Service Unavailable\r\n";
    case 505:
      return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
    case 507:
      return "HTTP/1.1 507 Insufficient Storage\r\n";
    default:
      return {};
  }
}

void append_number(ByteBuffer& out, std::uint64_t value) {
  char* at = out.prepare(20);
  out.commit(static_cast<std::size_t>(std::to_chars(at, at + 20, value).ptr - at));
}

/// Whether a byte of `value` is a control character: eight at a time, since this is asked of every field.
bool has_control(std::string_view value) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHighBits = kOnes * 0x80;
  const auto any = [](std::uint64_t word) {
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
    const std::uint64_t is_delete = word ^ kOnes * 0x7f;
    return ((below_space | ((is_delete - kOnes) & ~is_delete)) & kHighBits) != 0;
  };
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof word <= value.size(); at += sizeof word) {
    std::memcpy(&word, value.data() + at, sizeof word);
    if (any(word)) return true;
  }
  std::uint64_t last = kOnes * ' ';
  if (at < value.size()) std::memcpy(&last, value.data() + at, value.size() - at);
  return any(last);
}

/// A field of our own making whose value may hold what somebody sent: control characters become spaces.
void append_field(ByteBuffer& out, std::string_view name, std::string_view value) {
  out.append(name);
  char* const begin = out.prepare(value.size() + 2);
  char* const end = begin + value.size();
  if (!value.empty()) std::memcpy(begin, value.data(), value.size());
  if (has_control(value)) [[unlikely]] {
    const auto is_control = [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; };
    std::replace_if(begin, end, is_control, ' ');
  }
  std::memcpy(end, "\r\n", 2);
  out.commit(value.size() + 2);
}

}  // namespace

void DateText::update(Timestamp now) {
  const std::int64_t second = now.us / kSecond;
  if (second == second_) return;
  second_ = second;
  const auto time = static_cast<std::time_t>(second);
  std::tm tm{};
  gmtime_r(&time, &tm);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto text = [this](std::size_t at, std::string_view s) {
    for (std::size_t i = 0; i < s.size(); ++i) text_[at + i] = s[i];
  };
  const auto digits = [this](std::size_t at, int value) {
    text_[at] = static_cast<char>('0' + value / 10 % 10);
    text_[at + 1] = static_cast<char>('0' + value % 10);
  };
  text(0, "ddd, 00 mmm 0000 00:00:00 GMT");
  text(0, kDays[tm.tm_wday]);
  digits(5, tm.tm_mday);
  text(8, kMonths[tm.tm_mon]);
  digits(12, (tm.tm_year + 1900) / 100);
  digits(14, tm.tm_year + 1900);
  digits(17, tm.tm_hour);
  digits(20, tm.tm_min);
  digits(23, tm.tm_sec);
}

void write_response(ByteBuffer& out, const Response& response, const Framing& framing) {
  // One check of the room for all that is usual, so that each append below is a plain copy.
  out.prepare(320 + response.location.size() + response.body.size());
  if (const std::string_view line = status_line(response.status); !line.empty()) [[likely]] {
    out.append(line);
  } else {
    out.append("HTTP/1.1 ");
    append_number(out, static_cast<std::uint64_t>(response.status));
    out.append(" \r\n");
  }
  out.append("Date: ");
  out.append(framing.date);
  out.append("\r\n");
  if (!response.content_type.empty()) append_field(out, "Content-Type: ", response.content_type);
  if (framing.chunked) {
    if (framing.http11) out.append("Transfer-Encoding: chunked\r\n");
  } else if (response.status != 204 && (response.status != 304 || !response.body.empty())) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  if (!response.location.empty()) append_field(out, "Location: ", response.location);
  if (response.no_store) append_field(out, "Cache-Control: ", "no-store");
  const LimitRefusal* const refusal = framing.refusal;
  if (const auto wait = refusal != nullptr ? static_cast<int>(refusal->wait_s) : response.retry_after_s;
      wait > 0) {
    out.append("Retry-After: ");
    append_number(out, static_cast<std::uint64_t>(wait));
    out.append("\r\n");
  }
  if (refusal != nullptr) [[unlikely]] {
    append_field(out, "RateLimit: ", refusal->limit_field());
    append_field(out, "RateLimit-Policy: ", refusal->policy_field());
  }
  for (const Header& header : response.headers) {
    out.append(header.name);
    append_field(out, ": ", header.value);
  }
  if (!framing.traceparent.empty()) append_field(out, "traceparent: ", framing.traceparent);
  if (framing.hsts) out.append("Strict-Transport-Security: max-age=31536000\r\n");
  if (framing.close) {
    out.append("Connection: close\r\n");
  } else if (!framing.http11) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  if (!framing.head_only && !framing.chunked && response.status != 204 && response.status != 304) {
    out.append(response.body);
  }
}

}  // namespace spillway::http
