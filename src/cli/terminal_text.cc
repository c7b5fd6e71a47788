#include "cli/terminal_text.h"

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include <iterator>

namespace spillway::cli {
namespace {

/// The C library's tables of characters, whatever locale the person's environment names: this thread's locale
/// is one of UTF-8 while this lives.
class Utf8Scope {
 public:
  Utf8Scope() : before_(locale() == locale_t{} ? locale_t{} : ::uselocale(locale())) {}
  ~Utf8Scope() {
    if (before_ != locale_t{}) ::uselocale(before_);
  }
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;

 private:
  static locale_t locale() {
    static const locale_t kLocale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
    return kLocale;
  }
  locale_t before_;
};

struct Character {
  wchar_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

/// The one that `text`, which is not empty, begins with. Needs a Utf8Scope; without such a locale on the
/// machine all but ASCII is not valid.
Character first_character(std::string_view text) {
  Character c;
  std::mbstate_t state{};
  const std::size_t bytes = std::mbrtowc(&c.code, text.data(), text.size(), &state);
  c.valid = bytes != static_cast<std::size_t>(-1) && bytes != static_cast<std::size_t>(-2);
  if (c.valid && bytes > 1) c.bytes = bytes;
  return c;
}

/// Marks, overrides and isolates of the direction (Unicode, UAX 9), and the separators of lines.
bool turns_the_line(wchar_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string printable(std::string_view utf8) {
  const Utf8Scope scope;
  std::string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    const Character c = first_character(utf8);
    const auto code = static_cast<unsigned>(c.code);
    if (!c.valid) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(utf8.front()));
    } else if (code < 0x20 || code == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", code);
    } else if (turns_the_line(c.code) || ::wcwidth(c.code) < 0) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
    } else {
      out.append(utf8.substr(0, c.bytes));
    }
    utf8.remove_prefix(c.bytes);
  }
  return out;
}

std::size_t display_width(std::string_view printable) {
  const Utf8Scope scope;
  std::size_t width = 0;
  while (!printable.empty()) {
    const Character c = first_character(printable);
    const int columns = c.valid ? ::wcwidth(c.code) : 1;
    if (columns > 0) width += static_cast<std::size_t>(columns);
    printable.remove_prefix(c.bytes);
  }
  return width;
}

}  // namespace spillway::cli
