#pragma once

#include <string_view>

namespace spillway {

/// C0 and C1 controls and DEL, the latter two as UTF-8: what has no business in an id or a title.
bool has_control_characters(std::string_view utf8);

}  // namespace spillway
