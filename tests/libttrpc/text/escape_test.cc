// SPDX-License-Identifier: Apache-2.0
#include "text/escape.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/numbers.h"

namespace text {
namespace {

using namespace std::string_view_literals;

constexpr size_t kNoLimit = 1000;

std::string Json(std::string_view value, size_t limit = kNoLimit) {
  std::string out;
  AppendJsonString(value, limit, &out);
  return out;
}

std::string Plain(std::string_view value, size_t limit = kNoLimit) {
  std::string out;
  AppendPlainText(value, limit, &out);
  return out;
}

TEST(EscapeTest, Table) {
  struct Row {
    std::string_view value;
    std::string_view json;  // without the quotes
    std::string_view plain;
  };
  const std::vector<Row> rows = {
      {"", "", ""},
      {"/svc.Name/Method", "/svc.Name/Method", "/svc.Name/Method"},
      {"say \"hi\"", "say \\\"hi\\\"", "say \"hi\""},
      {"a\\b", "a\\\\b", "a\\b"},
      {"a\nb\r\tc", "a\\nb\\r\\tc", "a\\nb\\r\\tc"},
      {"\0"sv, "\\u0000", "\\u0000"},
      {"\x1b[31m", "\\u001b[31m", "\\u001b[31m"},
      {"\x7f", "\\u007f", "\\u007f"},
      {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
      {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
      // C1 controls, next line, line separator, right-to-left override and isolates.
      {"\xC2\x9B", "\\u009b", "\\u009b"},
      {"\xC2\x85", "\\u0085", "\\u0085"},
      {"\xE2\x80\xA8", "\\u2028", "\\u2028"},
      // NOLINTBEGIN(misc-misleading-bidirectional): they are tested, and written as escapes.
      {"\xE2\x80\xAE", "\\u202e", "\\u202e"},
      {"\xE2\x81\xA6", "\\u2066", "\\u2066"},
      // NOLINTEND(misc-misleading-bidirectional)
      // Bytes that are not UTF-8: a lone continuation, truncated characters, over-long NUL and
      // slash, a surrogate, a value beyond U+10FFFF, bytes that are never used.
      {"a\x80z", "a\xEF\xBF\xBDz", "a\\x80z"},
      {"\xC3", "\xEF\xBF\xBD", "\\xc3"},
      {"\xC3(", "\xEF\xBF\xBD(", "\\xc3("},
      {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD", "\\xe2\\x82"},
      {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD", "\\xc0\\x80"},
      {"\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", "\\xe0\\x80\\xaf"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", "\\xed\\xa0\\x80"},
      {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
       "\\xf4\\x90\\x80\\x80"},
      {"\xFF\xFE", "\xEF\xBF\xBD\xEF\xBF\xBD", "\\xff\\xfe"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Json(row.value), '"' + std::string(row.json) + '"');
    EXPECT_EQ(Plain(row.value), row.plain);
  }
}

// AppendUtf8() returns the value of the JSON string, and JsonStringSize() its length.
TEST(EscapeTest, Utf8IsWhatTheJsonStringMeans) {
  const auto check = [](std::string_view value, size_t limit) {
    const std::string json = Json(value, limit);
    std::string utf8;
    AppendUtf8(value, limit, &utf8);
    EXPECT_EQ(utf8, nlohmann::json::parse(json).get<std::string>());
    EXPECT_EQ(JsonStringSize(value, limit), json.size());
  };
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second)
      check(std::string({static_cast<char>(first), static_cast<char>(second)}), kNoLimit);
  }
  for (size_t limit = 0; limit < 12; ++limit) check("plain \xF0\x9F\x98\x80\n\"", limit);
}

TEST(EscapeTest, EachPairOfBytesGivesJsonInOneLine) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string value = {static_cast<char>(first), static_cast<char>(second)};
      const std::string json = Json(value);
      const auto parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
      ASSERT_TRUE(parsed.is_string()) << json;
      for (const std::string& text : {json, Plain(value)}) {
        for (const char byte : text) {
          ASSERT_GE(static_cast<unsigned char>(byte), 0x20) << text;
          ASSERT_NE(byte, 0x7F) << text;
        }
      }
      if (first < 0x80 && second < 0x80) {
        ASSERT_EQ(parsed.get<std::string>(), value);
      }
    }
  }
}

TEST(EscapeTest, LongValuesAreCutBetweenCharacters) {
  EXPECT_EQ(Plain("abcdef", 6), "abcdef");
  EXPECT_EQ(Plain("abcdef", 5), "abcde\xE2\x80\xA6");
  EXPECT_EQ(Json("abcdef", 5), "\"abcde\xE2\x80\xA6\"");
  EXPECT_EQ(Plain("abc\xE2\x82\xAC", 5), "abc\xE2\x80\xA6");
  EXPECT_EQ(Plain("abc\xE2\x82\xAC", 4), "abc\xE2\x80\xA6");
  EXPECT_EQ(Plain("abc\xE2\x82\xAC!", 6), "abc\xE2\x82\xAC\xE2\x80\xA6");
  // Cutting does not walk back to the front over an endless run of continuation bytes.
  EXPECT_EQ(Json(std::string(1000, '\x80'), 8).size(), 2 + 5 * 3 + 3U);
}

// Quoted text is also read on terminals. The escapes mean the same to a TOML parser.
TEST(QuoteTest, WhatTurnsTextAroundIsEscaped) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"\xC2\x9B", "\\u009b"},
      {"\xC2\x85", "\\u0085"},
      {"\xD8\x9C", "\\u061c"},
      {std::string("\xE2\x80").append("\x8E"), "\\u200e"},
      {std::string("\xE2\x80").append("\x8F"), "\\u200f"},
      {std::string("\xE2\x80").append("\xAE"), "\\u202e"},
      {std::string("\xE2\x81").append("\xA6"), "\\u2066"},
  };
  for (const auto& [value, escaped] : rows) {
    EXPECT_EQ(Quote("a" + value), "\"a" + escaped + "\"");
    EXPECT_EQ(QuoteShort("a" + value), "\"a" + escaped + "\"");
    EXPECT_EQ(OneLine("a" + value), "a" + escaped);
    EXPECT_EQ(Printable("a" + value), "a" + escaped);
    EXPECT_EQ(Json("a" + value), "\"a" + escaped + "\"");
    EXPECT_EQ(Plain("a" + value), "a" + escaped);
  }
  EXPECT_EQ(Quote("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC"), "\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC\"");
}

TEST(EscapeTest, Numbers) {
  std::string out;
  AppendNumber(0, &out);
  out += ' ';
  AppendNumber(UINT64_MAX, &out);
  EXPECT_EQ(out, "0 18446744073709551615");
}

TEST(EscapeTest, Time) {
  const auto text = [](int64_t microseconds) {
    std::string out;
    AppendTime(std::chrono::system_clock::time_point(std::chrono::microseconds(microseconds)),
               &out);
    return out;
  };
  EXPECT_EQ(text(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(text(1709251199'999999), "2024-02-29T23:59:59.999999Z");
  EXPECT_EQ(text(1709251200'000001), "2024-03-01T00:00:00.000001Z");
  EXPECT_EQ(text(-1), "1969-12-31T23:59:59.999999Z");
}

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
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
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
}  // namespace text
