// SPDX-License-Identifier: Apache-2.0
#include "text/closest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace text {
namespace {

const std::vector<std::string> kWords = {"status",    "peers",    "calls",  "rules",
                                         "users",     "backends", "reload", "drain",
                                         "log-level", "explain",  "tap"};

TEST(ClosestTest, FindsWhatWasMeant) {
  EXPECT_EQ(Closest("staus", kWords), "status") << "a letter is missing";
  EXPECT_EQ(Closest("statuss", kWords), "status") << "a letter is superfluous";
  EXPECT_EQ(Closest("stetus", kWords), "status") << "a letter is wrong";
  EXPECT_EQ(Closest("sattus", kWords), "status") << "two letters are exchanged";
  EXPECT_EQ(Closest("ruels", kWords), "rules");
  EXPECT_EQ(Closest("relaod", kWords), "reload");
  EXPECT_EQ(Closest("loglevel", kWords), "log-level");
  EXPECT_EQ(Closest("backend", kWords), "backends");
  EXPECT_EQ(Closest("tab", kWords), "tap");
  EXPECT_EQ(Closest("reload", kWords), "reload");
}

TEST(ClosestTest, SuggestsNothingThatIsFarOff) {
  for (const std::string typed : {"", "nonsense", "stop", "version", "xyz"})
    EXPECT_EQ(Closest(typed, kWords), "") << typed;
  EXPECT_EQ(Closest("status", {}), "");
}

TEST(ClosestTest, OfTwoThatAreAsCloseTheFirstCounts) {
  EXPECT_EQ(Closest("ax", {"ab", "ac"}), "ab");
  EXPECT_EQ(Closest("rulers", {"users", "rules"}), "rules") << "nearer, though later";
}

TEST(ClosestTest, DidYouMeanSuggestsOrSaysOtherwise) {
  EXPECT_EQ(DidYouMean("staus", kWords, "use status"), "did you mean \"status\"?");
  EXPECT_EQ(DidYouMean("nonsense", kWords, "use status"), "use status");
}

TEST(ClosestTest, WordsWithoutEndAreNotCompared) {
  const std::string endless(100'000, 'x');
  EXPECT_EQ(Closest(endless, {endless}), "");
  EXPECT_EQ(Closest("status", {endless, "status"}), "status");
}

}  // namespace
}  // namespace text
