// SPDX-License-Identifier: Apache-2.0
//
// What somebody may have meant.
#include "text/nearest.h"

#include <gtest/gtest.h>

namespace text {
namespace {

const std::vector<std::string> kKnown = {"status", "peers", "calls", "close", "tap"};

TEST(NearestTest, ASlipOrTwo) {
  for (const char* word : {"staus", "statuss", "sattus", "stetus", "Status", "stats", "taatus"})
    EXPECT_EQ(Nearest(word, kKnown), "status") << word;
  EXPECT_EQ(Nearest("status", kKnown), "status");
  EXPECT_EQ(Nearest("tpa", kKnown), "tap");
}

TEST(NearestTest, NothingIsNear) {
  for (const char* word : {"", "x", "nonsense", "statistics"})
    EXPECT_EQ(Nearest(word, kKnown), "") << word;
  EXPECT_EQ(Nearest(std::string(100000, 's'), kKnown), "");
}

TEST(NearestTest, TwoThatAreAsNearAreNoAnswer) {
  EXPECT_EQ(Nearest("clls", {"calls", "cells"}), "");
  EXPECT_EQ(Nearest("clls", {"calls", "cells", "clls!"}), "");
  EXPECT_EQ(Nearest("cals", {"calls", "cells"}), "calls");
}

TEST(UnknownCommandTest, SaysWhatWasMeantOrWhatThereIs) {
  EXPECT_EQ(UnknownCommand("staus", kKnown), "unknown command \"staus\"; did you mean \"status\"?");
  EXPECT_EQ(UnknownCommand("n\x1b", kKnown),
            "unknown command \"n\\u001b\", expected status, peers, calls, close or tap");
  EXPECT_EQ(UnknownCommand("x", {"one"}), "unknown command \"x\", expected one");
}

}  // namespace
}  // namespace text
