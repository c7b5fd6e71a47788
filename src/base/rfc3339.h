#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace spillway {

/// "2026-11-20T09:00:00.000000Z": always UTC and microseconds, so that texts sort as times do.
std::string format_time(Timestamp);
/// Appends the same.
void append_time(std::string& out, Timestamp);
/// Any RFC 3339 date-time between the years 1971 and 9999, with any offset and up to nine digits of a second
/// (past microseconds cut off). A leap second (":60") is not taken.
std::optional<Timestamp> parse_time(std::string_view text);

}  // namespace spillway
