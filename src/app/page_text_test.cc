#include "app/page_text.h"

#include <gtest/gtest.h>

namespace spillway::app {
namespace {

TEST(PageText, the_language_that_is_read_best) {
  EXPECT_EQ(preferred_language(""), Language::kEnglish);
  EXPECT_EQ(preferred_language("ko"), Language::kKorean);
  EXPECT_EQ(preferred_language("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"), Language::kKorean);
  EXPECT_EQ(preferred_language("en-US,en;q=0.9,ko;q=0.8"), Language::kEnglish);
  EXPECT_EQ(preferred_language("fr, ko;q=0.2, en;q=0.1"), Language::kKorean);
  EXPECT_EQ(preferred_language("KO-kr"), Language::kKorean);
  EXPECT_EQ(preferred_language("kok, en;q=0"), Language::kEnglish);
  EXPECT_EQ(preferred_language(",;q=;,=,ko;q=abc"), Language::kEnglish);
  EXPECT_EQ(preferred_language("ko;q=9"), Language::kEnglish);
}

TEST(PageText, fields_of_a_form) {
  EXPECT_EQ(form_field("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(form_field("a=1&b=%ED%95%9C+x%3D&c", "b"), "\xed\x95\x9c x=");
  EXPECT_EQ(form_field("a=1&c", "c"), "");
  EXPECT_EQ(form_field("a=1", "b"), std::nullopt);
  EXPECT_EQ(form_field("", "b"), std::nullopt);
  EXPECT_EQ(form_field("%61=x", "a"), "x");
  for (const char* bad : {"a=%", "a=%4", "a=%zz", "a=x%4"})
    EXPECT_EQ(form_field(bad, "a"), std::nullopt) << bad;
  EXPECT_EQ(form_field("a=%00", "a"), std::string(1, '\0'));
  EXPECT_EQ(form_field("a=x%41", "a"), "xA");
}

TEST(PageText, forms_of_other_sites) {
  EXPECT_TRUE(is_from_here("same-origin", "", ""));
  EXPECT_TRUE(is_from_here("none", "", ""));
  EXPECT_FALSE(is_from_here("same-site", "https://a.example", "a.example"));
  EXPECT_FALSE(is_from_here("cross-site", "https://a.example", "a.example"));
  EXPECT_TRUE(is_from_here("", "https://a.example", "a.example"));
  EXPECT_TRUE(is_from_here("", "http://A.example:81", "a.EXAMPLE:81"));
  EXPECT_FALSE(is_from_here("", "https://a.example", "b.example"));
  EXPECT_FALSE(is_from_here("", "https://a.example.evil", "a.example"));
  EXPECT_FALSE(is_from_here("", "null", "a.example"));
  EXPECT_FALSE(is_from_here("", "https://", ""));
  EXPECT_TRUE(is_from_here("", "", "a.example"));
}

}  // namespace
}  // namespace spillway::app
