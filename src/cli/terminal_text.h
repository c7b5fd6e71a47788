#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spillway::cli {

/// What a server sent, made fit for a terminal: control characters, what turns the direction of writing, and
/// bytes that are no UTF-8 are told as \x1b, \u202e and \xff, so that a title cannot move the cursor, colour
/// the screen or pass for another one. A backslash stays as it is: this is for eyes, not for programs.
std::string printable(std::string_view utf8);

/// Columns that a terminal needs for a text that printable() made: 2 for Hangul, Hanja and most emoji, 0 for
/// combining marks.
std::size_t display_width(std::string_view printable);

}  // namespace spillway::cli
