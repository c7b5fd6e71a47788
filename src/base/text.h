#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace spillway {

/// C0 and C1 controls and DEL, the latter two as UTF-8: what has no business in an id or a title.
bool has_control_characters(std::string_view utf8);

/// Header fields, schemes and the like: `a` is `b` but for the case of A to Z.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  constexpr char kCase = 'a' - 'A';
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return x == y || ((x ^ y) == kCase && (x | kCase) >= 'a' && (x | kCase) <= 'z');
  });
}

/// Two digits a byte, in lower case.
std::string hex(std::string_view bytes);

/// For HTML, between tags and in quoted attributes: what comes from outside goes through it. Control
/// characters, which HTML does not know, become spaces.
std::string html_escape(std::string_view text);

/// Appends any bytes so that they are one segment or one value of a query: all but what RFC 3986 calls
/// unreserved, escaped.
void percent_encode(std::string& out, std::string_view bytes);

}  // namespace spillway
