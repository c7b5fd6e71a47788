#include "cli/json.h"

#include <gtest/gtest.h>

namespace spillway::cli {
namespace {

TEST(Json, WhatIsNotThereIsEmpty) {
  const auto json =
      Json::parse(R"({"a":"x","n":-1,"u":18446744073709551615,"d":1.25,"b":true,"z":null,"l":[1,2]})");
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["a"].text(), "x");
  EXPECT_EQ((*json)["n"].text(), "-1");
  EXPECT_EQ((*json)["n"].number(), 0U);
  EXPECT_EQ((*json)["u"].number(), 18'446'744'073'709'551'615U);
  EXPECT_EQ((*json)["d"].text(), "1.25");
  EXPECT_EQ((*json)["d"].real(), 1.25);
  EXPECT_EQ((*json)["b"].text(), "yes");
  EXPECT_EQ((*json)["l"].items().size(), 2U);
  for (const Json& none : {(*json)["z"], (*json)["nothing"], (*json)["a"]["b"]["c"]}) {
    EXPECT_TRUE(none.is_null());
    EXPECT_EQ(none.text(), "");
    EXPECT_EQ(none.number(), 0U);
    EXPECT_TRUE(none.items().empty());
    EXPECT_EQ(none.serialize(), "null");
  }
  EXPECT_FALSE(Json::parse("<html>"));
  EXPECT_FALSE(Json::parse(""));
}

TEST(Json, RawPartsAreTakenAsTheyStand) {
  const std::string_view text =
      R"( { "a" : 1.50 , "b\"}":"x,\"]}\\" ,"c":[ {"d":[1,2]} , "]" , -0 ],"e":{} , "f" : null } )";
  const auto members = raw_members(text);
  ASSERT_EQ(members.size(), 5U);
  EXPECT_EQ(members[0].name, "a");
  EXPECT_EQ(members[0].value, "1.50");
  EXPECT_EQ(members[1].name, "b\\\"}");
  EXPECT_EQ(members[1].value, R"("x,\"]}\\")");
  EXPECT_EQ(members[3].value, "{}");
  EXPECT_EQ(members[4].value, "null");
  const auto elements = raw_elements(members[2].value);
  ASSERT_EQ(elements.size(), 3U);
  EXPECT_EQ(elements[0], R"({"d":[1,2]})");
  EXPECT_EQ(elements[1], R"("]")");
  EXPECT_EQ(elements[2], "-0");
  EXPECT_TRUE(raw_members("{}").empty());
  EXPECT_TRUE(raw_elements("[ ]").empty());
  EXPECT_TRUE(raw_elements("12").empty());
}

}  // namespace
}  // namespace spillway::cli
