#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spillway {

/// base64url without padding (RFC 4648, section 5). Written out here because it is on the hot path: a token
/// is decoded for every request.
std::string base64url(std::string_view bytes);
void append_base64url(std::string& text, std::string_view bytes);
/// False when `text` is not the one canonical encoding of something: two spellings of one token would be two
/// tokens. Writes into `into`, which is meant to be reused.
bool base64url_decode(std::string_view text, std::string& into);

}  // namespace spillway
