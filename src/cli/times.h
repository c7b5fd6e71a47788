#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::cli {

/// Whose clock on the wall is meant.
enum class Zone { kLocal, kUtc };

/// "2026-12-01T09:00:00.004711Z" as "2026-12-01 18:00:00.004 +09:00", in UTC as "2026-12-01 09:00:00.004Z"; a
/// whole second without its milliseconds. What is no RFC 3339 time comes back as it is.
std::string show_time(std::string_view rfc3339, Zone zone);

/// What people type, as RFC 3339 for the server: RFC 3339 itself, or "2026-12-01 18:00", with or without
/// seconds, which is meant in `zone`. Errors are sentences without the field.
Result<std::string> typed_time(std::string_view typed, Zone zone);

}  // namespace spillway::cli
