#include "cli/times.h"

#include <fmt/format.h>
#include <time.h>

#include <cstdlib>

#include "base/rfc3339.h"

namespace spillway::cli {

std::string show_time(std::string_view rfc3339, Zone zone) {
  const auto time = parse_time(rfc3339);
  if (!time) return std::string(rfc3339);
  const ::time_t seconds = time->us / kSecond;
  const auto milliseconds = static_cast<int>(time->us % kSecond / kMillisecond);
  ::tm parts{};
  if (zone == Zone::kUtc) {
    ::gmtime_r(&seconds, &parts);
  } else {
    ::localtime_r(&seconds, &parts);
  }
  std::string out = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (milliseconds != 0) out += fmt::format(".{:03}", milliseconds);
  if (zone == Zone::kUtc) return out + 'Z';
  const long minutes = std::labs(parts.tm_gmtoff) / 60;
  return out + fmt::format(" {}{:02}:{:02}", parts.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

Result<std::string> typed_time(std::string_view typed, Zone zone) {
  if (const auto time = parse_time(typed)) return format_time(*time);
  const Error bad = invalid_argument(
      fmt::format("must be a time as 2026-12-01T09:00:00Z, or as \"2026-12-01 18:00\" in {}, not {}",
                  zone == Zone::kUtc ? "UTC" : "the local zone", typed));
  const std::string text(typed);
  for (const char* format : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"}) {
    ::tm parts{};
    const char* end = ::strptime(text.c_str(), format, &parts);
    if (end == nullptr || *end != '\0') continue;
    ::tm asked = parts;
    asked.tm_isdst = -1;
    const ::time_t seconds = zone == Zone::kUtc ? ::timegm(&asked) : ::mktime(&asked);
    // Moved to another day or hour: a 31st of February, or an hour that the clocks leave out.
    if (seconds < 0 || asked.tm_mday != parts.tm_mday || asked.tm_hour != parts.tm_hour) return bad;
    return format_time(Timestamp{seconds * kSecond});
  }
  return bad;
}

}  // namespace spillway::cli
