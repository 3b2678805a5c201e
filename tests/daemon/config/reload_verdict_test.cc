// SPDX-License-Identifier: Apache-2.0
//
// Tests the text of a ReloadVerdict, and that it reads back the same.
#include "config/reload_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace proxyd {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ReloadVerdictTest, IsLinesThatPeopleCanRead) {
  ReloadVerdict verdict;
  verdict.time = system_clock::time_point(std::chrono::seconds(1700000000));
  verdict.read = steady_clock::time_point(microseconds(123));
  verdict.digest = "abc";
  verdict.warnings = {"c:1:2: warning: w"};
  EXPECT_EQ(FormatReloadVerdict(verdict),
            "time=2023-11-14T22:13:20.000000Z\nread_us=123\ndigest=abc\nresult=ok\nwarning=c:1:2: "
            "warning: w\n");
  verdict.errors = {"c:1:2: error: x = y", "two\nlines"};
  EXPECT_EQ(FormatReloadVerdict(verdict),
            "time=2023-11-14T22:13:20.000000Z\nread_us=123\ndigest=abc\nresult=refused\nerror=c:1:"
            "2: error: x = y\nerror=two\\nlines\nwarning=c:1:2: warning: w\n");
}

TEST(ReloadVerdictTest, ReadsBackTheSame) {
  ReloadVerdict verdict;
  verdict.read = steady_clock::time_point(microseconds(1'234'567'890'123));
  verdict.digest = "abc";
  verdict.errors = {"c:1:2: error: x = y", ""};
  verdict.warnings = {"w"};
  const auto read = ParseReloadVerdict(FormatReloadVerdict(verdict));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->read, verdict.read);
  EXPECT_EQ(read->digest, "abc");
  EXPECT_THAT(read->errors, ElementsAre("c:1:2: error: x = y", ""));
  EXPECT_THAT(read->warnings, ElementsAre("w"));
  verdict.errors.clear();
  const auto applied = ParseReloadVerdict(FormatReloadVerdict(verdict));
  ASSERT_TRUE(applied);
  EXPECT_THAT(applied->errors, IsEmpty());
}

TEST(ReloadVerdictTest, NothingElseIsAVerdict) {
  for (const char* text :
       {"", "read_us=1\n", "result=ok\n", "read_us=1\nresult=ok", "read_us=1\nresult=ok\nx\n",
        "read_us=-1\nresult=ok\n", "read_us=1x\nresult=ok\n", "read_us=1\nresult=refused\n",
        "read_us=1\nresult=ok\nerror=e\n", "read_us=1\nresult=yes\n"})
    EXPECT_FALSE(ParseReloadVerdict(text)) << text;
  EXPECT_TRUE(ParseReloadVerdict("read_us=1\nresult=ok\nlater=key\n"));
}

}  // namespace
}  // namespace proxyd
