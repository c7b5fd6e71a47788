#include "http/message.h"

#include <algorithm>

#include "base/text.h"
#include "http/request_data.h"
#include "http/trace.h"

namespace spillway::http {
namespace {

/// The length of the valid UTF-8 sequence `text` begins with (RFC 3629), or 0.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2) || (first == 0xE0 && at(1) < 0xA0) || (first == 0xED && at(1) > 0x9F)) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3) || (first == 0xF0 && at(1) < 0x90) ||
        (first == 0xF4 && at(1) > 0x8F)) {
      return 0;
    }
    return 4;
  }
  return 0;
}

}  // namespace

std::string_view name(Method method) {
  static constexpr std::string_view kNames[kMethods] = {"GET",    "HEAD",  "POST",   "PUT",
                                                        "DELETE", "PATCH", "OPTIONS"};
  return kNames[static_cast<std::size_t>(method)];
}

Method Request::method() const { return data_.head.method; }
std::string_view Request::raw_path() const { return data_.head.path; }
std::string_view Request::body() const { return data_.body; }
std::string_view Request::remote_address() const { return data_.remote_address; }
Timestamp Request::arrived() const { return data_.arrived; }

Status Request::count_for(std::string_view account) const {
  if (data_.limits == nullptr || data_.counted) return Ok{};
  data_.counted = true;
  if (data_.limits->count(data_.route_class, LimitBy::kAccount, account, data_.now_us, *data_.refusal)) {
    return Ok{};
  }
  return data_.refusal->error();
}

void Request::expect_count_for(std::string_view account) const {
  if (data_.limits == nullptr || data_.counted) return;
  data_.limits->prefetch(data_.route_class, LimitBy::kAccount, account);
}

std::string_view Request::path() const {
  if (!data_.head.escaped_path) return data_.head.path;
  if (data_.decoded_path.empty()) percent_decode(data_.head.path, false, data_.decoded_path);
  return data_.decoded_path;
}

std::string_view Request::param(std::size_t n) const {
  return n < data_.match.param_count ? data_.match.params[n] : std::string_view();
}

std::optional<std::string> Request::query(std::string_view wanted) const {
  std::string_view rest = data_.head.query;
  std::string decoded;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    decoded.clear();
    percent_decode(pair.substr(0, equals), true, decoded);
    if (decoded != wanted) continue;
    decoded.clear();
    if (equals < pair.size()) percent_decode(pair.substr(equals + 1), true, decoded);
    return decoded;
  }
  return std::nullopt;
}

std::string_view Request::header(std::string_view wanted) const { return data_.head.field(wanted); }

std::string_view Request::bearer() const {
  std::string_view value = data_.head.authorization;
  if (value.size() < 7 || !equals_ignoring_case(value.substr(0, 7), "bearer ")) return {};
  value.remove_prefix(7);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

std::string_view cookie(std::string_view field, std::string_view name) {
  while (!field.empty()) {
    const std::size_t end = std::min(field.find(';'), field.size());
    std::string_view pair = field.substr(0, end);
    field.remove_prefix(std::min(end + 1, field.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      return pair.substr(name.size() + 1);
  }
  return {};
}

std::string_view Request::trace_id() const {
  if (valid_traceparent(data_.head.traceparent)) return trace_id_of(data_.head.traceparent);
  if (!data_.has_trace_id) make_trace_id(data_.trace_id);
  data_.has_trace_id = true;
  return {data_.trace_id.data(), data_.trace_id.size()};
}

Response Response::json(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c < 0x20 || c == 0x7f) {
      static constexpr char kHex[] = "0123456789abcdef";
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
    } else if (length == 0) {
      out.append("\xEF\xBF\xBD");
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
}

Response problem(const Error& error, std::string_view instance) {
  const ErrorInfo& info = error_info(error.code);
  Response response;
  response.status = info.http_status;
  response.content_type = "application/problem+json";
  response.retry_after_s = error.retry_after_s;
  std::string& body = response.body;
  const auto member = [&body](std::string_view name, std::string_view value) {
    body.append(body.empty() ? "{\"" : ",\"").append(name).append("\":");
    append_json_string(body, value);
  };
  std::string type = "/problems/";
  type.append(info.code);
  member("type", type);
  member("title", info.title);
  body.append(",\"status\":").append(std::to_string(info.http_status));
  if (!error.message.empty()) member("detail", error.message);
  if (!instance.empty()) member("instance", instance);
  member("code", info.code);
  if (!error.request_id.empty()) member("requestId", error.request_id);
  body.push_back('}');
  if (info.http_status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

}  // namespace spillway::http
