#include "app/page_text.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace spillway::app {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

/// The next piece of `rest` up to `separator`, which is taken away with it.
std::string_view take(std::string_view& rest, char separator) {
  const std::string_view piece = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), piece.size() + 1));
  return piece;
}

bool same_host(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

bool starts_with_tag(std::string_view range, std::string_view tag) {
  if (range.size() < tag.size()) return false;
  for (std::size_t i = 0; i < tag.size(); ++i) {
    const char c = range[i] >= 'A' && range[i] <= 'Z' ? static_cast<char>(range[i] + ('a' - 'A')) : range[i];
    if (c != tag[i]) return false;
  }
  return range.size() == tag.size() || range[tag.size()] == '-';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The weight of one range of Accept-Language, 0 to 1000.
int weight_of(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return 1000;
  const std::string number(parameters.substr(at + 2, 5));
  const double weight = std::strtod(number.c_str(), nullptr);
  return weight >= 0 && weight <= 1 ? static_cast<int>(std::lround(weight * 1000)) : 0;
}

}  // namespace

std::optional<std::string> form_field(std::string_view body, std::string_view name) {
  while (!body.empty()) {
    std::string_view pair = take(body, '&');
    const auto key = decode(take(pair, '='));
    if (key == name) return decode(pair);
  }
  return std::nullopt;
}

bool is_from_here(std::string_view sec_fetch_site, std::string_view origin, std::string_view host) {
  if (!sec_fetch_site.empty()) return sec_fetch_site == "same-origin" || sec_fetch_site == "none";
  if (origin.empty()) return true;
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && !host.empty() && same_host(origin.substr(scheme + 3), host);
}

std::optional<Language> parse_language(std::string_view text) {
  if (text == "en") return Language::kEnglish;
  if (text == "ko") return Language::kKorean;
  return std::nullopt;
}

Language preferred_language(std::string_view accept_language) {
  int korean = 0;
  int english = 0;
  while (!accept_language.empty()) {
    const std::string_view range = accept_language.substr(0, accept_language.find(','));
    accept_language.remove_prefix(std::min(accept_language.size(), range.size() + 1));
    const std::size_t semicolon = std::min(range.find(';'), range.size());
    const std::string_view tag = trim(range.substr(0, semicolon));
    const int weight = weight_of(range.substr(semicolon));
    if (starts_with_tag(tag, "ko")) korean = std::max(korean, weight);
    if (starts_with_tag(tag, "en")) english = std::max(english, weight);
  }
  return korean > english ? Language::kKorean : Language::kEnglish;
}

}  // namespace spillway::app
