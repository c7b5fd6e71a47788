#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spillway::http {

struct Head;

/// Splits a request target (RFC 9112, 3.2) into head.path and head.query: origin-form, absolute-form with
/// http or https (its host is ours, whatever it says), asterisk-form with OPTIONS. Strict: only the
/// characters RFC 3986 has in a path or a query, every '%' with two hex digits and never %00, no segment that
/// is "." or "..".
bool split_target(std::string_view target, Head& head);

/// Appends `text`, which split_target() has passed, with its escapes resolved; '+' becomes a space if `form`.
void percent_decode(std::string_view text, bool form, std::string& out);

/// Splits a path that begins with '/' into its segments ("/" has one, empty). With `escaped`, each is decoded
/// into `storage`, after the split, so that %2F stays inside its segment. Returns their number, or max + 1
/// for more.
std::size_t split_path(std::string_view path, bool escaped, std::string& storage, std::string_view* segments,
                       std::size_t max);

}  // namespace spillway::http
