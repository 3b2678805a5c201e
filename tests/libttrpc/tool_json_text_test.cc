// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "json_text.h"

namespace ttrpc::tool {
namespace {

TEST(JsonTextTest, EscapesAreDecodedLikeProtobuf) {
  EXPECT_EQ(Unquoted("plain"), "plain");
  EXPECT_EQ(Unquoted(R"("")"), "");
  EXPECT_EQ(Unquoted(R"('a"b')"), "a\"b");
  EXPECT_EQ(Unquoted(R"("a\b\f\n\r\t\v\"\'\\\/\q")"), "a\b\f\n\r\t\v\"'\\/q");
  EXPECT_EQ(Unquoted(R"("\u0041\u00fC\u20ac\uFFFF\ud83d\ude00z")"), "Aü€\xef\xbf\xbf😀z");
  EXPECT_EQ(Unquoted(R"("\u0000")"), std::string(1, '\0'));
  for (const char* wrong : {R"("\u")", R"("\u12")", R"("\u12x4")", R"("\u-123")", R"("\ud83d")",
                            R"("\ud83dz")", R"("\ud83d\u0041")", R"("\ude00")"}) {
    EXPECT_EQ(Unquoted(wrong), std::nullopt) << wrong;
  }
}

TEST(JsonTextTest, ValuesEndAtTheirOwnBracket) {
  JsonText text(R"( {"a]":['}',{}]} [1],x)");
  EXPECT_EQ(text.TakeValue(), R"({"a]":['}',{}]})");
  EXPECT_EQ(text.TakeValue(), "[1]");
  EXPECT_TRUE(text.Take(','));
  EXPECT_EQ(text.TakeValue(), "x");
  EXPECT_TRUE(text.AtEnd());
  EXPECT_EQ(JsonText("[[]").TakeValue(), "");
  EXPECT_EQ(JsonText("[\"]").TakeValue(), "");
}

TEST(JsonTextTest, DepthCountsOpenBrackets) {
  EXPECT_EQ(DepthOfJson("1"), 0U);
  EXPECT_EQ(DepthOfJson("]}{}[]"), 1U);
  EXPECT_EQ(DepthOfJson(R"({"[[[":[{}],'{{{\'{':1}[)"), 3U);
  EXPECT_EQ(DepthOfJson("[\"[["), 1U);
}

TEST(JsonTextTest, ANulIsNotTheEnd) {
  JsonText text(std::string_view(" \0", 2));
  EXPECT_FALSE(text.AtEnd());
}

}  // namespace
}  // namespace ttrpc::tool
