#include "load/wire/response_parser.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace spillway::load {

ResponseParser::Outcome ResponseParser::parse_anew(std::string_view in, Answer* answer) {
  const std::size_t end = in.find(kEnd);
  if (end == std::string_view::npos)
    return in.size() > kMaxHeadBytes ? Outcome::kMalformed : Outcome::kIncomplete;
  const std::string_view head = in.substr(0, end + kEnd.size());
  if (!head.starts_with("HTTP/1.") || head.size() < kStatusBytes + kEnd.size()) return Outcome::kMalformed;
  Layout layout;
  for (std::size_t i = 9; i < kStatusBytes; ++i) {
    if (head[i] < '0' || head[i] > '9') return Outcome::kMalformed;
    layout.status = layout.status * 10 + (head[i] - '0');
  }
  if (layout.status < 200) {  // 100 Continue and the like: what comes behind is the answer
    if (++informational_ > kMaxInformational) return Outcome::kMalformed;
    const Outcome outcome = parse_anew(in.substr(head.size()), answer);
    --informational_;
    if (outcome == Outcome::kComplete) answer->size += head.size();
    return outcome;
  }
  const bool closes = equals_ignoring_case(field(head, "connection"), "close") || head[7] == '0';
  layout.head_size = head.size();
  const std::string_view length = field(head, "content-length");
  if (layout.status == 204 || layout.status == 304) {
    *answer = {layout.status, head.size(), head, {}, closes};
    return Outcome::kComplete;
  }
  if (!field(head, "transfer-encoding").empty()) return parse_chunked(in, answer);
  const auto [last, error] = std::from_chars(length.data(), length.data() + length.size(), layout.body_size);
  if (length.empty() || error != std::errc{} || last != length.data() + length.size() ||
      layout.body_size > kMaxBodyBytes) {
    return Outcome::kMalformed;
  }
  layout.length_at = static_cast<std::size_t>(length.data() - head.data());
  layout.length = std::string(length) + "\r\n";
  std::memcpy(layout.status_line.data(), head.data(), kStatusBytes);
  const Outcome outcome = complete(layout, in, answer);
  if (outcome == Outcome::kComplete) {
    answer->closes = closes;
    // One that closes is not one of many that look alike.
    if (!closes) layouts_[next_layout_++ % layouts_.size()] = std::move(layout);
  }
  return outcome;
}

/// From its beginning each time that more has come: such answers are rare here, and small.
ResponseParser::Outcome ResponseParser::parse_chunked(std::string_view in, Answer* answer) {
  namespace beast = boost::beast;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.eager(true);
  parser.header_limit(kMaxHeadBytes);
  parser.body_limit(kMaxBodyBytes);
  beast::error_code error;
  std::size_t used = 0;
  while (!parser.is_done() && used < in.size()) {
    used += parser.put(boost::asio::buffer(in.data() + used, in.size() - used), error);
    if (error == beast::http::error::need_more) return Outcome::kIncomplete;
    if (error) return Outcome::kMalformed;
  }
  if (!parser.is_done()) return Outcome::kIncomplete;
  const bool closes = !parser.get().keep_alive();
  const int status = parser.get().result_int();
  body_ = std::move(parser.get().body());
  *answer = {status, used, in.substr(0, in.find(kEnd) + kEnd.size()), body_, closes};
  return Outcome::kComplete;
}

}  // namespace spillway::load
