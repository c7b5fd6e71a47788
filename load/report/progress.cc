#include "load/report/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "load/report/html_text.h"

namespace spillway::load {
namespace {

constexpr std::size_t kMaxNamed = 40;  // steps, or watched values, of one block
constexpr std::size_t kNameCharacters = 32;
constexpr std::uint64_t kMillion = 1'000'000;

/// Long numbers would push what matters out of the line.
std::string count_text(std::uint64_t count) {
  if (count < 10 * kMillion) return grouped(count);
  if (count < 10'000 * kMillion) return grouped(count / kMillion) + "M";
  return grouped(count / kMillion / 1000) + "G";
}

/// Names come from plans; a terminal obeys control characters.
std::string plain(const std::string& name) {
  std::string text = shortened(name, kNameCharacters);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  // C1 controls are two bytes of UTF-8.
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xc2' && static_cast<unsigned char>(text[i + 1]) < 0xa0) text.replace(i, 2, "?");
  }
  return text;
}

/// "  name value" wrapped to lines of at most kProgressColumns.
void append_wrapped(std::string& out, const std::string& first, const std::vector<std::string>& items) {
  std::string line = first;
  for (const std::string& item : items) {
    if (line.size() > first.size() && line.size() + item.size() + 2 > kProgressColumns) {
      out += line + "\n";
      line.assign(first.size(), ' ');
    }
    line += "  " + item;
  }
  if (!items.empty()) out += line + "\n";
}

}  // namespace

std::string progress_line(const TimelinePoint& point, double total_s, std::uint64_t total_requests,
                          std::uint64_t total_failed) {
  std::string line = clock_text(point.at_s);
  if (total_s > 0) {
    line +=
        fmt::format(" / {}  left {}", clock_text(total_s), clock_text(std::max(0.0, total_s - point.at_s)));
  }
  line += fmt::format("  {}/s  {} VUs  p95 {}", count_text(point.requests), count_text(point.vus),
                      point.requests == 0 ? "-" : ms_text(point.service.p95));
  const double share =
      total_requests == 0 ? 0 : static_cast<double>(total_failed) / static_cast<double>(total_requests);
  line += fmt::format("  errors {} ({} of {})", share_text(share), count_text(total_failed),
                      count_text(total_requests));
  if (point.dropped > 0) line += fmt::format("  dropped {}", count_text(point.dropped));
  // All of it is ASCII but for what shortened() itself puts to the end.
  return shortened(line, kProgressColumns);
}

std::string progress_lines(const TimelinePoint& point, double total_s, std::uint64_t total_requests,
                           std::uint64_t total_failed) {
  std::string out = progress_line(point, total_s, total_requests, total_failed) + "\n";
  std::vector<std::string> steps, watched;
  for (const auto& [name, p95] : point.steps) {
    if (steps.size() < kMaxNamed) steps.push_back(plain(name) + " " + ms_text(p95));
  }
  for (const auto& [name, value] : point.gauges) {
    if (watched.size() < kMaxNamed) watched.push_back(plain(name) + " " + short_number_text(value));
  }
  append_wrapped(out, "    p95    ", steps);
  append_wrapped(out, "    watched", watched);
  return out;
}

}  // namespace spillway::load
