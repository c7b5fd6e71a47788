#include "load/report/html_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spillway::load {
namespace {

constexpr double kLargest = 1e15;  // beyond it a double has no units any more

/// Three digits, no more than a person compares; without zeros that say nothing.
std::string three_digits(double value) {
  const double size = std::fabs(value);
  std::string text = size < 0.9995  ? fmt::format("{:.3f}", value)
                     : size < 9.995 ? fmt::format("{:.2f}", value)
                     : size < 99.95 ? fmt::format("{:.1f}", value)
                                    : fmt::format("{:.0f}", value);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

bool sayable(double value) { return std::isfinite(value) && std::fabs(value) < kLargest; }

}  // namespace

std::string shortened(std::string_view utf8, std::size_t characters) {
  std::size_t seen = 0, cut = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    if ((static_cast<unsigned char>(utf8[i]) & 0xc0) == 0x80) continue;
    if (seen + 1 == characters) cut = i;
    if (++seen > characters) return std::string(utf8.substr(0, cut)) + "…";
  }
  return std::string(utf8);
}

std::string short_number_text(double value) {
  if (!sayable(value)) return "-";
  if (std::fabs(value) < 999.5) return three_digits(value);
  return (value < 0 ? "-" : "") + grouped(static_cast<std::uint64_t>(std::llround(std::fabs(value))));
}

std::string ms_text(double ms) {
  if (!sayable(ms)) return "-";
  return std::fabs(ms) < 999.5 ? three_digits(ms) + " ms" : short_number_text(ms / 1e3) + " s";
}

std::string share_text(double share) {
  if (!sayable(share)) return "-";
  const double percent = share * 100;
  if (percent > 0 && percent < 0.01) return "< 0.01%";
  if (percent < 100 && percent > 99.99) return "> 99.99%";
  std::string text = fmt::format("{:.2f}", percent);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + "%";
}

std::string clock_text(double seconds) {
  if (!sayable(seconds)) return "-";
  const auto whole = static_cast<std::uint64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 3600) return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string length_text(double seconds) {
  if (!sayable(seconds) || seconds < 0) return "-";
  if (seconds < 59.95) return three_digits(std::round(seconds * 10) / 10) + " s";
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  std::string text;
  if (whole >= 3600) text = fmt::format("{} h ", grouped(whole / 3600));
  if (whole / 60 % 60 > 0) text += fmt::format("{} min ", whole / 60 % 60);
  if (whole % 60 > 0) text += fmt::format("{} s ", whole % 60);
  text.pop_back();
  return text;
}

}  // namespace spillway::load
