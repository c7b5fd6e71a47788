#include "http/head.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/asio_impl.h"

#include <boost/beast/http/basic_parser.hpp>

#include "http/target.h"

namespace spillway::http {
namespace {

namespace beast = boost::beast::http;
using beast_view = boost::beast::string_view;
using boost::beast::error_code;

constexpr Refusal kBadLine{ErrorCode::kMalformedRequest, "a line does not end with CR LF"};
constexpr Refusal kFolded{ErrorCode::kMalformedRequest, "a header line begins with white space"};
constexpr Refusal kBadStart{ErrorCode::kMalformedRequest, "the request line is not valid"};
constexpr Refusal kBadField{ErrorCode::kMalformedRequest, "a header field is not valid"};
constexpr Refusal kBadTarget{ErrorCode::kMalformedRequest, "the request target is not valid"};
constexpr Refusal kBadLength{ErrorCode::kMalformedRequest, "the Content-Length is not valid"};
constexpr Refusal kBadCoding{ErrorCode::kMalformedRequest, "the Transfer-Encoding is not valid"};
constexpr Refusal kBadHost{ErrorCode::kMalformedRequest, "exactly one valid Host is needed"};
constexpr Refusal kLongHead{ErrorCode::kHeadersTooLarge, "the header block is longer than 16 KiB"};
constexpr Refusal kManyFields{ErrorCode::kHeadersTooLarge, "there are more than 100 header fields"};
constexpr Refusal kLongTarget{ErrorCode::kUriTooLong, "the request target is longer than 8 KiB"};
constexpr Refusal kUnknownMethod{ErrorCode::kNotImplemented, "this method is not implemented"};
constexpr Refusal kUnknownCoding{ErrorCode::kNotImplemented,
                                 "only the chunked transfer coding is implemented"};
constexpr Refusal kVersion{ErrorCode::kVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken"};
constexpr Refusal kExpectation{ErrorCode::kExpectationFailed, "only 100-continue can be expected"};

std::string_view to_view(beast_view s) { return {s.data(), s.size()}; }

/// tchar of RFC 9110, 5.6.2.
bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

bool to_method(beast::verb verb, Method& method) {
  switch (verb) {
    case beast::verb::get:
      method = Method::kGet;
      return true;
    case beast::verb::head:
      method = Method::kHead;
      return true;
    case beast::verb::post:
      method = Method::kPost;
      return true;
    case beast::verb::put:
      method = Method::kPut;
      return true;
    case beast::verb::delete_:
      method = Method::kDelete;
      return true;
    case beast::verb::patch:
      method = Method::kPatch;
      return true;
    case beast::verb::options:
      method = Method::kOptions;
      return true;
    default:
      return false;
  }
}

/// uri-host [ ":" port ] as far as a server needs it that serves every name alike: the characters, and digits
/// only after the last colon outside of brackets.
bool valid_host(std::string_view host) {
  if (host.empty()) return false;
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::string_view port = host.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
    host = host.substr(0, colon);
    if (host.empty()) return false;
  }
  if (host.front() == '[') {
    return host.back() == ']' && host.size() > 2 &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.vV") ==
               std::string_view::npos;
  }
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::strchr("-._~%!$&'()*+,;=", c) != nullptr);
  });
}

/// Beast's parser, for the head only and always with a whole head. Two reasons for not giving it the body: a
/// body that has arrived with its head needs no parser, and its chunk parser asserts that five bytes are
/// there when the last chunk arrives in pieces, which a peer decides.
class BeastParser final : public beast::basic_parser<true> {
 public:
  explicit BeastParser(Head& head) : head_(head) {
    header_limit(static_cast<std::uint32_t>(limits::kMaxHeaderBytes + 1));
    skip(true);
  }

  const Refusal* refusal() const { return refusal_; }
  /// What can only be said when all fields are known.
  const Refusal* finish() {
    if (head_.http11 ? hosts_ != 1 : hosts_ > 1) return &kBadHost;
    if (codings_ > 0) {
      if (codings_ > 1 || lengths_ > 0 || !head_.http11) return &kBadCoding;
      head_.framing = Head::Framing::kChunked;
    } else if (lengths_ > 0) {
      if (lengths_ > 1) return &kBadLength;
      head_.content_length = content_length().value_or(0);
      if (head_.content_length > 0) head_.framing = Head::Framing::kLength;
    }
    if (traceparents_ > 1) head_.traceparent = {};
    if (authorizations_ > 1) head_.authorization = {};
    head_.keep_alive = keep_alive();
    return nullptr;
  }

 private:
  void on_request_impl(beast::verb verb, beast_view, beast_view target, int version,
                       error_code& ec) override {
    head_.http11 = version == 11;
    if (!to_method(verb, head_.method)) return refuse(kUnknownMethod, ec);
    if (target.size() > limits::kMaxTargetBytes) return refuse(kLongTarget, ec);
    if (!split_target(to_view(target), head_)) refuse(kBadTarget, ec);
  }
  void on_field_impl(beast::field field, beast_view name_view, beast_view value_view,
                     error_code& ec) override {
    if (head_.field_count == head_.fields.size()) return refuse(kManyFields, ec);
    const std::string_view value = to_view(value_view);
    head_.fields[head_.field_count++] = {to_view(name_view), value};
    switch (field) {
      case beast::field::host:
        ++hosts_;
        if (!valid_host(value)) refuse(kBadHost, ec);
        break;
      case beast::field::content_length:
        ++lengths_;
        if (value.find(',') != std::string_view::npos) refuse(kBadLength, ec);
        break;
      case beast::field::transfer_encoding:
        on_coding(value, ec);
        break;
      case beast::field::expect:
        if (!head_.http11) break;
        if (!equals_ignoring_case(value, "100-continue")) return refuse(kExpectation, ec);
        head_.expect_continue = true;
        break;
      case beast::field::authorization:
        ++authorizations_;
        head_.authorization = value;
        break;
      case beast::field::unknown:
        if (equals_ignoring_case(to_view(name_view), "traceparent")) {
          ++traceparents_;
          head_.traceparent = value;
        }
        break;
      default:
        break;
    }
  }
  /// RFC 9112, 6.1 and 6.3: chunked must come last, else the length is not known (400); a coding before it
  /// that we do not know is 501.
  void on_coding(std::string_view value, error_code& ec) {
    ++codings_;
    if (equals_ignoring_case(value, "chunked")) return;
    const std::size_t comma = value.rfind(',');
    if (comma == std::string_view::npos) return refuse(kBadCoding, ec);
    std::string_view last = value.substr(comma + 1);
    last.remove_prefix(std::min(last.find_first_not_of(" \t"), last.size()));
    const std::string_view before = value.substr(0, comma);
    const auto has_chunked = [](std::string_view list) {
      for (std::size_t at = 0; at + 7 <= list.size(); ++at) {
        if (equals_ignoring_case(list.substr(at, 7), "chunked")) return true;
      }
      return false;
    };
    refuse(equals_ignoring_case(last, "chunked") && !has_chunked(before) ? kUnknownCoding : kBadCoding, ec);
  }
  void refuse(const Refusal& refusal, error_code& ec) {
    refusal_ = &refusal;
    ec = beast::make_error_code(beast::error::bad_value);
  }

  void on_response_impl(int, beast_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast_view body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}

  Head& head_;
  const Refusal* refusal_ = nullptr;
  int hosts_ = 0, lengths_ = 0, codings_ = 0, traceparents_ = 0, authorizations_ = 0;
};

/// The request line ends with " HTTP/<digit>.<digit>": then the version is well formed, only not ours.
bool names_a_version(std::string_view block) {
  const std::string_view line = block.substr(0, block.find('\r'));
  if (line.size() < 9) return false;
  const std::string_view tail = line.substr(line.size() - 9);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return tail.starts_with(" HTTP/") && digit(tail[6]) && tail[7] == '.' && digit(tail[8]);
}

const Refusal* explain(const error_code& ec, std::string_view block) {
  using beast::error;
  if (ec == error::bad_version) return names_a_version(block) ? &kVersion : &kBadStart;
  if (ec == error::bad_target) {
    return block.substr(0, block.find('\r')).size() > limits::kMaxTargetBytes ? &kLongTarget : &kBadTarget;
  }
  if (ec == error::bad_content_length || ec == error::multiple_content_length) return &kBadLength;
  if (ec == error::bad_transfer_encoding) return &kBadCoding;
  if (ec == error::bad_line_ending) return &kBadLine;
  if (ec == error::bad_method) return &kBadStart;
  return &kBadField;
}

}  // namespace

std::string_view Head::field(std::string_view name) const {
  for (std::size_t i = 0; i < field_count; ++i) {
    if (equals_ignoring_case(fields[i].name, name)) return fields[i].value;
  }
  return {};
}

std::size_t HeadScanner::scan(std::string_view data, const Refusal*& refusal) {
  if (scanned_ == 0 && !data.empty() && !is_token_char(data[0])) {
    refusal = &kBadStart;
    return 0;
  }
  const std::size_t end = std::min(data.size(), limits::kMaxHeaderBytes);
  while (scanned_ < end) {
    const void* found = std::memchr(data.data() + scanned_, '\n', end - scanned_);
    if (found == nullptr) {
      scanned_ = end;
      break;
    }
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - data.data());
    if (at == line_ || data[at - 1] != '\r') {
      refusal = &kBadLine;
      return 0;
    }
    if (at == line_ + 1) return at + 1;
    if (line_ > 0 && (data[line_] == ' ' || data[line_] == '\t')) {
      refusal = &kFolded;
      return 0;
    }
    scanned_ = line_ = at + 1;
  }
  if (data.size() >= limits::kMaxHeaderBytes) {
    // The first line alone is that long, or its target is: say so rather than blame the fields.
    const std::string_view line = data.substr(0, data.find('\r'));
    refusal = line.size() > limits::kMaxTargetBytes + 16 ? &kLongTarget : &kLongHead;
  }
  return 0;
}

const Refusal* parse_head(std::string_view block, Head& head) {
  head.field_count = 0;
  head.framing = Head::Framing::kNone;
  head.content_length = 0;
  head.expect_continue = false;
  head.traceparent = head.authorization = {};
  BeastParser parser(head);
  error_code ec;
  parser.put(boost::asio::const_buffer(block.data(), block.size()), ec);
  if (parser.refusal() != nullptr) return parser.refusal();
  if (ec) return explain(ec, block);
  if (!parser.is_done()) return &kBadField;
  return parser.finish();
}

}  // namespace spillway::http
