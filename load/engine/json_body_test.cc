#include "load/engine/json_body.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::load {
namespace {

TEST(JsonBody, ReadsWhatIsThereAndMissesWhatIsNot) {
  const JsonBody data(R"({"data":{"token":"t\u00e9","position":3,"sizes":{"active":2,"mode":"fifo"}}})",
                      "data");
  EXPECT_TRUE(data.is_object());
  EXPECT_EQ(data.text("token"), "té");
  EXPECT_EQ(data.number("position"), 3);
  EXPECT_EQ(data.number("sizes", "active"), 2);
  EXPECT_EQ(data.text("sizes", "mode"), "fifo");
  EXPECT_EQ(data.text("position"), "");
  EXPECT_EQ(data.number("token"), std::nullopt);
  EXPECT_EQ(data.number("sizes", "none"), std::nullopt);
  EXPECT_FALSE(data.has("data"));
}

TEST(JsonBody, IsEmptyForWhatIsNoObject) {
  for (const char* text : {"", "{", "[1]", "\"x\"", "null", "<html>", R"({"data":1})", R"({"other":{}})"}) {
    const JsonBody data(text, "data");
    EXPECT_FALSE(data.is_object()) << text;
    EXPECT_FALSE(data.has("x")) << text;
    EXPECT_EQ(data.text("x"), "") << text;
    data.each("x", [](const JsonBody::Item&) { FAIL(); });
  }
}

TEST(JsonBody, GoesThroughLists) {
  const JsonBody page(R"({"items":[{"id":"a"},{"id":7},{},3,{"id":"b"}]})");
  std::vector<std::string> ids;
  page.each("items", [&](const JsonBody::Item& item) { ids.emplace_back(item.text("id")); });
  EXPECT_EQ(ids, (std::vector<std::string>{"a", "", "", "", "b"}));
}

TEST(JsonBody, TakesMoreThanItsSmallBuffer) {
  std::string text = R"({"items":[)";
  for (int i = 0; i < 5'000; ++i) text += R"({"id":"0123456789"},)";
  text += R"({"id":"last"}]})";
  int count = 0;
  const JsonBody page(text);
  page.each("items", [&](const JsonBody::Item&) { ++count; });
  EXPECT_EQ(count, 5'001);
}

}  // namespace
}  // namespace spillway::load
