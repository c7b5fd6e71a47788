#include "http/target.h"

#include <cstring>

#include "base/text.h"
#include "http/characters.h"
#include "http/head.h"

namespace spillway::http {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Runs over characters of one class with their escapes; stops at the first that is neither.
std::size_t run(std::string_view text, Place place, bool& escaped, bool& bad) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (fits(place, text[at])) {
      ++at;
    } else if (text[at] == '%') {
      const int high = at + 2 < text.size() ? hex(text[at + 1]) : -1;
      const int low = at + 2 < text.size() ? hex(text[at + 2]) : -1;
      if (high < 0 || low < 0 || (high == 0 && low == 0)) {
        bad = true;
        return at;
      }
      escaped = true;
      at += 3;
    } else {
      break;
    }
  }
  return at;
}

bool is_dots(std::string_view segment) {
  std::size_t dots = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && (segment[2] | 0x20) == 'e') {
      segment.remove_prefix(3);
    } else {
      return false;
    }
    if (++dots > 2) return false;
  }
  return dots > 0;
}

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash <= 6 && is_dots(path.substr(0, slash))) return true;
    path.remove_prefix(slash);
  }
  return false;
}

/// absolute-form: takes scheme and authority away. False when they are not valid.
bool strip_authority(std::string_view& target) {
  std::size_t scheme = 0;
  if (target.size() >= 7 && equals_ignoring_case(target.substr(0, 7), "http://")) scheme = 7;
  if (target.size() >= 8 && equals_ignoring_case(target.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return false;
  target.remove_prefix(scheme);
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  if (end == 0) return false;
  // userinfo in an http URI is a mistake or a trap (RFC 9110, 4.2.4)
  for (const char c : target.substr(0, end)) {
    if (c == '@' || (c != '[' && c != ']' && !fits(Place::kPath, c))) return false;
  }
  target.remove_prefix(end);
  return true;
}

}  // namespace

bool split_target(std::string_view target, Head& head) {
  head.asterisk = false;
  head.escaped_path = false;
  head.path = "/";
  head.query = {};
  if (target == "*") return head.asterisk = head.method == Method::kOptions;
  if (target.front() != '/' && !strip_authority(target)) return false;

  bool bad = false;
  bool escaped_query = false;
  const std::size_t path = run(target, Place::kPath, head.escaped_path, bad);
  if (path > 0) head.path = target.substr(0, path);
  if (path < target.size() && target[path] == '?' && !bad) {
    head.query = target.substr(path + 1);
    if (run(head.query, Place::kQuery, escaped_query, bad) != head.query.size()) return false;
  } else if (path != target.size()) {
    return false;
  }
  if (bad) return false;
  if (head.path.find("/.") == std::string_view::npos && !head.escaped_path) return true;
  return !has_dot_segment(head.path);
}

void percent_decode(std::string_view text, bool form, std::string& out) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size()) {
      out.push_back(static_cast<char>(hex(text[at + 1]) * 16 + hex(text[at + 2])));
      at += 2;
    } else {
      out.push_back(form && text[at] == '+' ? ' ' : text[at]);
    }
  }
}

std::size_t split_path(std::string_view path, bool escaped, std::string& storage, std::string_view* segments,
                       std::size_t max) {
  storage.clear();
  if (escaped) storage.reserve(path.size());  // so that the views into it stay good
  std::size_t count = 0;
  while (!path.empty()) {
    path.remove_prefix(1);
    const void* found = path.empty() ? nullptr : std::memchr(path.data(), '/', path.size());
    const std::size_t size = found == nullptr
                                 ? path.size()
                                 : static_cast<std::size_t>(static_cast<const char*>(found) - path.data());
    if (count == max) return max + 1;
    if (escaped) {
      const std::size_t start = storage.size();
      percent_decode(path.substr(0, size), false, storage);
      segments[count++] = std::string_view(storage).substr(start);
    } else {
      segments[count++] = path.substr(0, size);
    }
    path.remove_prefix(size);
  }
  return count;
}

}  // namespace spillway::http
