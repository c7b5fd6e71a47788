#include "http/head.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "http/characters.h"
#include "http/target.h"

namespace spillway::http {
namespace {

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

struct NamedMethod {
  std::string_view name;
  Method method;
};
constexpr NamedMethod kMethods[] = {{"GET", Method::kGet},        {"POST", Method::kPost},
                                    {"PUT", Method::kPut},        {"HEAD", Method::kHead},
                                    {"DELETE", Method::kDelete},  {"PATCH", Method::kPatch},
                                    {"OPTIONS", Method::kOptions}};

/// uri-host [ ":" port ] as far as a server needs it that serves every name alike: the characters, and digits
/// only after the last colon outside of brackets.
bool valid_host(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = std::min(host.find(']'), host.size());
    const std::string_view rest = host.substr(end);
    return end > 1 && host.find_first_not_of("0123456789abcdefABCDEF:.vV", 1) == end &&
           rest.starts_with(']') &&
           (rest.size() == 1 || (rest[1] == ':' && all_fit(Place::kDigit, rest.substr(2))));
  }
  const std::size_t name = count_fitting(Place::kHost, host);
  return name > 0 &&
         (name == host.size() || (host[name] == ':' && all_fit(Place::kDigit, host.substr(name + 1))));
}

/// Calls `each` with the elements of a list as RFC 9110, 5.6.1 has them, empty ones as well, while it answers
/// true.
template <class Each>
bool for_each_element(std::string_view list, const Each& each) {
  for (;;) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (!each(trimmed(list.substr(0, comma)))) return false;
    if (comma == list.size()) return true;
    list.remove_prefix(comma + 1);
  }
}

/// Reads a head line by line. Each step answers why the request is refused, or null.
class HeadParser {
 public:
  HeadParser(std::string_view block, Head& head) : rest_(block), head_(head) {}

  const Refusal* parse() {
    const Refusal* refusal = request_line();
    while (refusal == nullptr && !rest_.starts_with("\r\n")) refusal = field_line();
    return refusal != nullptr ? refusal : whole();
  }

 private:
  /// Takes the next line from the rest, without its CR LF. False when no CR LF ends it.
  bool take_line(std::string_view& line) {
    const std::size_t end = rest_.find('\r');
    if (end >= rest_.size() - 1 || rest_[end + 1] != '\n') return false;
    line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return true;
  }

  /// request-line = method SP request-target SP HTTP-version (RFC 9112, 3)
  const Refusal* request_line() {
    std::string_view line;
    if (!take_line(line)) return &kBadLine;
    const std::size_t method = count_fitting(Place::kToken, line);
    if (method == 0 || method == line.size() || line[method] != ' ') return &kBadStart;
    const std::string_view after = line.substr(method + 1);
    const std::size_t space = after.rfind(' ');
    if (space == std::string_view::npos) return &kBadStart;
    if (const Refusal* refusal = version(after.substr(space + 1))) return refusal;

    const std::string_view target = after.substr(0, space);
    if (!find_method(line.substr(0, method))) return &kUnknownMethod;
    if (target.size() > limits::kMaxTargetBytes) return &kLongTarget;
    return !target.empty() && split_target(target, head_) ? nullptr : &kBadTarget;
  }

  const Refusal* version(std::string_view text) {
    const bool named = text.size() == 8 && text.starts_with("HTTP/") && fits(Place::kDigit, text[5]) &&
                       text[6] == '.' && fits(Place::kDigit, text[7]);
    if (!named) return &kBadStart;
    if (text[5] != '1' || text[7] > '1') return &kVersion;
    head_.http11 = text[7] == '1';
    return nullptr;
  }

  bool find_method(std::string_view name) {
    for (const NamedMethod& known : kMethods) {
      if (known.name != name) continue;
      head_.method = known.method;
      return true;
    }
    return false;
  }

  /// field-line = field-name ":" OWS field-value OWS (RFC 9112, 5)
  const Refusal* field_line() {
    std::string_view line;
    if (!take_line(line)) return &kBadField;
    const std::size_t colon = count_fitting(Place::kToken, line);
    if (colon == 0 || colon == line.size() || line[colon] != ':') return &kBadField;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_field_text(value)) return &kBadField;
    if (head_.field_count == head_.fields.size()) return &kManyFields;
    head_.fields[head_.field_count++] = {name, value};
    return known_field(name, value);
  }

  /// Those that say how to read the request, and those that every request is asked for.
  const Refusal* known_field(std::string_view name, std::string_view value) {
    const auto is = [name](std::string_view known) { return equals_ignoring_case(name, known); };
    switch (name.size()) {  // each name has a length of its own
      case 4:
        if (!is("host")) break;
        ++hosts_;
        return valid_host(value) ? nullptr : &kBadHost;
      case 6:
        return is("expect") ? expectation(value) : nullptr;
      case 10:
        return is("connection") ? connection(value) : nullptr;
      case 11:
        if (is("traceparent")) head_.traceparent = ++traceparents_ == 1 ? value : std::string_view();
        break;
      case 13:
        if (is("authorization")) head_.authorization = ++authorizations_ == 1 ? value : std::string_view();
        break;
      case 14:
        return is("content-length") ? length(value) : nullptr;
      case 17:
        return is("transfer-encoding") ? coding(value) : nullptr;
      default:
        break;
    }
    return nullptr;
  }

  const Refusal* expectation(std::string_view value) {
    if (!head_.http11) return nullptr;
    if (!equals_ignoring_case(value, "100-continue")) return &kExpectation;
    head_.expect_continue = true;
    return nullptr;
  }

  const Refusal* connection(std::string_view value) {
    const bool valid = for_each_element(value, [this](std::string_view option) {
      if (equals_ignoring_case(option, "close")) closes_ = true;
      if (equals_ignoring_case(option, "keep-alive")) stays_ = true;
      return all_fit(Place::kToken, option);
    });
    return valid ? nullptr : &kBadField;
  }

  const Refusal* length(std::string_view value) {
    ++lengths_;
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, head_.content_length);
    const bool number = error == std::errc() && stop == end;
    return number ? nullptr : &kBadLength;
  }

  /// RFC 9112, 6.1 and 6.3: chunked must come last, else the length is not known (400); a coding before it
  /// that we do not know is 501.
  const Refusal* coding(std::string_view value) {
    ++codings_;
    if (equals_ignoring_case(value, "chunked")) return nullptr;
    const std::size_t comma = value.rfind(',');
    if (comma == std::string_view::npos || !equals_ignoring_case(trimmed(value.substr(comma + 1)), "chunked"))
      return &kBadCoding;
    const std::string_view before = value.substr(0, comma);
    for (std::size_t at = 0; at + 7 <= before.size(); ++at) {
      if (equals_ignoring_case(before.substr(at, 7), "chunked")) return &kBadCoding;
    }
    return &kUnknownCoding;
  }

  /// What can only be said when all fields are known.
  const Refusal* whole() {
    if (head_.http11 ? hosts_ != 1 : hosts_ > 1) return &kBadHost;
    if (codings_ > 0) {
      if (codings_ > 1 || lengths_ > 0 || !head_.http11) return &kBadCoding;
      head_.framing = Head::Framing::kChunked;
    } else if (lengths_ > 0) {
      if (lengths_ > 1) return &kBadLength;
      if (head_.content_length > 0) head_.framing = Head::Framing::kLength;
    }
    head_.keep_alive = !closes_ && (head_.http11 || stays_);
    return nullptr;
  }

  std::string_view rest_;
  Head& head_;
  int hosts_ = 0, lengths_ = 0, codings_ = 0, traceparents_ = 0, authorizations_ = 0;
  bool closes_ = false, stays_ = false;
};

}  // namespace

std::string_view Head::field(std::string_view name) const {
  for (std::size_t i = 0; i < field_count; ++i) {
    if (equals_ignoring_case(fields[i].name, name)) return fields[i].value;
  }
  return {};
}

std::size_t HeadScanner::scan(std::string_view data, const Refusal*& refusal) {
  if (scanned_ == 0 && !data.empty() && !fits(Place::kToken, data[0])) {
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
  return HeadParser(block, head).parse();
}

}  // namespace spillway::http
