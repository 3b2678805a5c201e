// SPDX-License-Identifier: Apache-2.0
//
// Tables, colours and quantities.
#include "ctl/table.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <chrono>

#include "ctl/units.h"

namespace proxyd::ctl {
namespace {

using std::chrono::microseconds;

Table TwoColumns() {
  return Table({{.title = "NAME", .align = Align::kLeft},
                {.title = "CALLS", .align = Align::kRight},
                {.title = "WHERE", .align = Align::kLeft}});
}

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table = TwoColumns();
  table.AddRow({"a", uint64_t{7}, "x"});
  table.AddRow({"longer than its title", uint64_t{1234567}, "somewhere"});
  EXPECT_EQ(table.Render(false),
            "NAME                     CALLS  WHERE\n"
            "a                            7  x\n"
            "longer than its title  1234567  somewhere\n");
}

TEST(TableTest, WithoutRowsThereAreTheTitles) {
  EXPECT_EQ(TwoColumns().Render(false), "NAME  CALLS  WHERE\n");
}

TEST(TableTest, EmptyCellsAreSeen) {
  Table table = TwoColumns();
  table.AddRow({"", uint64_t{0}, ""});
  EXPECT_EQ(table.Render(false), "NAME  CALLS  WHERE\n-         0  -\n");
}

TEST(TableTest, CharactersCountAndNotBytes) {
  Table table = TwoColumns();
  table.AddRow({"gr\u00fc\u00df", uint64_t{1}, "x"});
  table.AddRow({"abcde", uint64_t{1}, "x"});
  EXPECT_EQ(table.Render(false),
            "NAME   CALLS  WHERE\ngr\u00fc\u00df       1  x\nabcde      1  x\n");
}

TEST(TableTest, ControlCharactersOfPeersNeverReachTheTerminal) {
  Table table = TwoColumns();
  // The last character reverses the text after it. Split in two, it does not do so in this file.
  const std::string hostile = std::string("\x1b[2J\a\r\n\x7f\xff\u009b31m\xe2\x80").append("\xae");
  table.AddRow({hostile, uint64_t{1}, Cell("\x1b]0;x\a", Tone::kBad)});
  EXPECT_EQ(table.Render(false),
            "NAME                                        CALLS  WHERE\n"
            "\\x1b[2J\\x07\\x0d\\x0a\\x7f\\xff\\u009b31m\\u202e      1  \\x1b]0;x\\x07\n");
  // The only escape sequences are the table's own colours.
  const std::string coloured = table.Render(true);
  EXPECT_EQ(coloured.find("\x1b]"), std::string::npos);
  EXPECT_EQ(coloured.find("\x1b[2J"), std::string::npos);
  EXPECT_EQ(coloured.find('\a'), std::string::npos);
}

TEST(TableTest, ColoursDoNotCountAsWidth) {
  Table table = TwoColumns();
  table.AddRow({Cell("bad", Tone::kBad), uint64_t{1}, "x"});
  EXPECT_EQ(table.Render(true),
            "\x1b[1mNAME\x1b[0m  \x1b[1mCALLS\x1b[0m  \x1b[1mWHERE\x1b[0m\n"
            "\x1b[31mbad\x1b[0m       1  x\n");
}

TEST(UnitsTest, Bytes) {
  EXPECT_EQ(HumanBytes(0), "0B");
  EXPECT_EQ(HumanBytes(1023), "1023B");
  EXPECT_EQ(HumanBytes(1024), "1KiB");
  EXPECT_EQ(HumanBytes(1536), "1.5KiB");
  EXPECT_EQ(HumanBytes(10239), "9.9KiB");
  EXPECT_EQ(HumanBytes(10240), "10KiB");
  EXPECT_EQ(HumanBytes((uint64_t{1} << 20) - 1), "1023KiB");
  EXPECT_EQ(HumanBytes(uint64_t{64} << 20), "64MiB");
  EXPECT_EQ(HumanBytes(uint64_t{5} << 30), "5GiB");
  EXPECT_EQ(HumanBytes(UINT64_MAX), "15EiB");
}

TEST(UnitsTest, Durations) {
  EXPECT_EQ(HumanDuration(microseconds(-5)), "0us");
  EXPECT_EQ(HumanDuration(microseconds(999)), "999us");
  EXPECT_EQ(HumanDuration(microseconds(1000)), "1ms");
  EXPECT_EQ(HumanDuration(microseconds(1250)), "1.2ms");
  EXPECT_EQ(HumanDuration(microseconds(999'999)), "999ms");
  EXPECT_EQ(HumanDuration(microseconds(2'500'000)), "2.5s");
  EXPECT_EQ(HumanDuration(std::chrono::seconds(59)), "59s");
  EXPECT_EQ(HumanDuration(std::chrono::seconds(125)), "2m05s");
  EXPECT_EQ(HumanDuration(std::chrono::minutes(192)), "3h12m");
  EXPECT_EQ(HumanDuration(std::chrono::hours(124)), "5d04h");
}

TEST(UnitsTest, Times) {
  ASSERT_EQ(::setenv("TZ", "UTC", 1), 0);
  ::tzset();
  EXPECT_EQ(HumanTime(0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(HumanTime(1'706'745'599'000'001), "2024-01-31 23:59:59 UTC");
  EXPECT_EQ(ClockTime(1'706'745'599'000'001), "23:59:59.000001");
  EXPECT_EQ(HumanTime(INT64_MAX), "294247-01-10 04:00:54 UTC");
}

}  // namespace
}  // namespace proxyd::ctl
