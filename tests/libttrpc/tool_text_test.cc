// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "text.h"

namespace ttrpc::tool {
namespace {

TEST(PrintableTest, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(Printable("no such thing: \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \"\\"),
            "no such thing: \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \"\\");
}

TEST(PrintableTest, WhatATerminalWouldObeyIsShown) {
  EXPECT_EQ(Printable("\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(Printable("\xC2\x9B"), "\\u009b");
  EXPECT_EQ(Printable(std::string("\xE2\x80").append("\xAE")), "\\u202e");
}

TEST(PrintableTest, WhatIsNoUtf8IsShownByteForByte) {
  EXPECT_EQ(Printable("a\xFFz"), "a\\xffz");
  EXPECT_EQ(Printable("\xC3"), "\\xc3");                             // cut
  EXPECT_EQ(Printable("\xC0\xAF"), "\\xc0\\xaf");                    // over-long
  EXPECT_EQ(Printable("\xE0\x80\xAF"), "\\xe0\\x80\\xaf");           // over-long
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond
  EXPECT_EQ(Printable("\xF0\x80\x80\x80"), "\\xf0\\x80\\x80\\x80");
}

TEST(PrintableLinesTest, LinesStayAndNothingElseDoes) {
  EXPECT_EQ(PrintableLines("a\tb\nc\n"), "a\\x09b\n  c\n  ");
  EXPECT_EQ(PrintableLines(""), "");
}

TEST(JsonQuotedTest, IsAJsonString) {
  EXPECT_EQ(JsonQuoted("a\"b\\c\nd\x01"), R"("a\"b\\c\nd\u0001")");
  EXPECT_EQ(JsonQuoted("\xC3\xA4\xFF"), "\"\xC3\xA4\xEF\xBF\xBD\"");
  EXPECT_EQ(JsonQuoted(""), "\"\"");
}

}  // namespace
}  // namespace ttrpc::tool
