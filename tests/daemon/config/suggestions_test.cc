// SPDX-License-Identifier: Apache-2.0
//
// Tests that an error about an unknown name suggests the name that was probably meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/known_names.h"
#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::SizeIs;

constexpr const char* kTables =
    "[[listener]]\nname = \"shims\"\naddress = \"unix:///a\"\n"
    "[[backend]]\nname = \"shim\"\naddress = \"unix:///b\"\n";

std::vector<std::string> ErrorsOf(const std::string& text) {
  return Strings(ParseText(text).errors);
}

TEST(SuggestionsTest, AreMadeForSectionsKeysAndWords) {
  EXPECT_THAT(ErrorsOf("[[rules]]\n[limit]\n[log]\nlevel = \"inof\"\ntraget = \"stderr\"\n"
                       "[audit]\ntarget = \"logs\"\n"),
              ElementsAre("c:1:3: error: unknown section \"rules\"; did you mean [[rule]]?",
                          "c:2:2: error: unknown section \"limit\"; did you mean [limits]?",
                          "c:4:9: error: level is \"inof\"; did you mean \"info\"?",
                          "c:5:1: error: unknown key \"traget\" in [log]; did you mean \"target\"?",
                          "c:7:10: error: target is \"logs\"; did you mean \"log\"?"));
}

TEST(SuggestionsTest, AreMadeForNames) {
  EXPECT_THAT(
      ErrorsOf(std::string(kTables) +
               "[[rule]]\nname = \"r\"\nlisteners = [\"shim\"]\nusers = [\"promtheus\"]\n"
               "groups = [\"monitorin\"]\nmethods = [\"/s/M\"]\naction = \"alow\"\n"
               "backend = \"shims\"\n"),
      ElementsAre("c:9:14: error: listener \"shim\" does not exist; did you mean \"shims\"?",
                  "c:10:10: error: user \"promtheus\" does not exist; did you mean \"prometheus\"?",
                  "c:11:11: error: group \"monitorin\" does not exist; did you mean "
                  "\"monitoring\"?",
                  "c:13:10: error: action is \"alow\"; did you mean \"allow\"?",
                  "c:14:11: error: backend \"shims\" does not exist; did you mean \"shim\"?"));
}

TEST(SuggestionsTest, WithoutACloseNameTheNamesAreListed) {
  const std::string rule = "[[rule]]\nname = \"r\"\naction = \"deny\"\nlisteners = [\"x\"]\n";
  EXPECT_THAT(
      ErrorsOf(rule),
      ElementsAre("c:4:14: error: listener \"x\" does not exist; the configuration has none"));
  EXPECT_THAT(ErrorsOf(kTables + rule),
              ElementsAre("c:10:14: error: listener \"x\" does not exist; use \"shims\""));
}

// A large file with many mistakes would otherwise take seconds.
TEST(SuggestionsTest, EndAfterManyComparisons) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "[[listener]]\nname = \"listener-" + std::to_string(100 + i) +
            "\"\naddress = \"unix:///" + std::to_string(i) + "\"\n";
  }
  for (int i = 0; i < 200; ++i) {
    text += "[[rule]]\nname = \"" + std::to_string(i) +
            "\"\naction = \"deny\"\nlisteners = [\"listner-100\"]\n";
  }
  const std::vector<std::string> errors = ErrorsOf(text);
  ASSERT_THAT(errors, SizeIs(200));
  EXPECT_THAT(errors.front(), EndsWith("; did you mean \"listener-100\"?"));
  EXPECT_THAT(errors.back(), EndsWith("; use the name of a [[listener]]"));
}

struct Named {
  std::string name;
};

TEST(SuggestionsTest, AreMadeForNamesInRequests) {
  std::vector<Named> things = {{"shims"}, {"agents"}};
  EXPECT_EQ(NoSuchName("listener", "shim", things).ToString(),
            "NOT_FOUND: no listener \"shim\"; did you mean \"shims\"?");
  EXPECT_EQ(NoSuchName("listener", "x", things).message(),
            "no listener \"x\"; use \"shims\" or \"agents\"");
  EXPECT_EQ(NoSuchName("rule", "x", std::vector<Named>()).message(),
            "no rule \"x\"; the configuration has none");
  for (char c = 'a'; c <= 'j'; ++c) things.push_back({std::string(8, c)});
  EXPECT_EQ(NoSuchName("listener", "x", things).message(),
            "no listener \"x\"; use \"shims\", \"agents\", \"aaaaaaaa\", \"bbbbbbbb\", "
            "\"cccccccc\", \"dddddddd\", \"eeeeeeee\", \"ffffffff\", \"gggggggg\", \"hhhhhhhh\" or "
            "one of 2 more");
}

}  // namespace
}  // namespace proxyd
