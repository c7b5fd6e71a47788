#include "cli/terminal_text.h"

#include <gtest/gtest.h>

namespace spillway::cli {
namespace {

TEST(TerminalText, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("겨울 콘서트"), 11U);
  EXPECT_EQ(display_width("漢字"), 4U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U);       // a combining accent
  EXPECT_EQ(display_width("\u1100\u1161"), 2U);  // a syllable in its parts
  EXPECT_EQ(display_width("🎫"), 2U);
}

TEST(TerminalText, LeavesTextAlone) {
  for (const char* text : {"", "plain", "겨울 콘서트 🎫", "C:\\dir", "naïve"})
    EXPECT_EQ(printable(text), text);
}

TEST(TerminalText, NothingMovesTheCursor) {
  const struct {
    std::string_view sent;
    const char* shown;
  } rows[] = {
      {"a\x1b[31mred", "a\\x1b[31mred"},
      {"two\nlines\r", "two\\x0alines\\x0d"},
      {std::string_view("nul\0", 4), "nul\\x00"},
      {"del\x7f", "del\\x7f"},
      {"\u009b31m", "\\u009b31m"},             // CSI as one C1 character
      {"abc\u202ecba", "abc\\u202ecba"},       // right to left from here
      {"a\u2066b\u2069", "a\\u2066b\\u2069"},  // isolates
      {"a\u2028b", "a\\u2028b"},               // a line separator
      {"\xff\xfe", "\\xff\\xfe"},              // no UTF-8
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},     // a surrogate
      {"\xea\xb2", "\\xea\\xb2"},              // half a syllable
  };
  for (const auto& row : rows) EXPECT_EQ(printable(row.sent), row.shown);
}

}  // namespace
}  // namespace spillway::cli
