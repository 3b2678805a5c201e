// SPDX-License-Identifier: Apache-2.0
//
// Tests the exit status of a start that fails because of its configuration. Names that do not
// resolve may resolve later; no other error disappears by itself.
#include <gtest/gtest.h>
#include <sysexits.h>

#include <string>
#include <vector>

#include "testing.h"

namespace proxyd {
namespace {

const char kRest[] = R"(
[[listener]]
name = "l"
address = "unix:///run/l.sock"
[[backend]]
name = "b"
address = "unix:///run/b.sock"
)";

std::string RuleOf(const std::string& who) {
  return std::string(kRest) + "[[rule]]\nname = \"r\"\nmethods = [\"/a/B\"]\nbackend = \"b\"\n" +
         "action = \"allow\"\n" + who;
}

// The configurations have an unresolved name in each place where a name is possible.
const std::vector<std::string> kUnresolved = {
    "[[listener]]\nname = \"l\"\naddress = \"unix:///run/l\"\nowner = \"later\"\n",
    "[[listener]]\nname = \"l\"\naddress = \"unix:///run/l\"\ngroup = \"later\"\n",
    "[[backend]]\nname = \"b\"\naddress = \"unix:///run/b\"\nusers = [\"root\", \"later\"]\n",
    "[[backend]]\nname = \"b\"\naddress = \"unix:///run/b\"\nusers = [\"later\"]\n",
    "[admin]\naddress = \"unix:///run/a\"\nusers = [\"later\"]\n",
    "[admin]\naddress = \"unix:///run/a\"\nowner = \"later\"\n",
    "[metrics]\naddress = \"unix:///run/m\"\ngroup = \"later\"\n",
    RuleOf("users = [\"later\"]\n"),
    RuleOf("users = [\"root\", \"later\", \"even-later\"]\n"),
    RuleOf("groups = [\"later\"]\n"),
    RuleOf("users = [\"later\"]\ngroups = [\"later\"]\n"),
};

int StatusOf(const std::string& text) { return ExitStatusOf(ParseText(text).errors); }

TEST(ConfigExitStatusTest, IsFineWithoutErrors) { EXPECT_EQ(StatusOf(kRest), EX_OK); }

TEST(ConfigExitStatusTest, ANameMayResolveLater) {
  for (const std::string& text : kUnresolved) EXPECT_EQ(StatusOf(text), EX_TEMPFAIL) << text;
}

TEST(ConfigExitStatusTest, AnyOtherErrorBesideItStays) {
  for (const std::string& text : kUnresolved) {
    EXPECT_EQ(StatusOf("[log]\nlevel = 5\n" + text), EX_CONFIG) << text;
    EXPECT_EQ(StatusOf("[log]\ncolour = 5\n" + text), EX_CONFIG) << text;
    EXPECT_EQ(ExitStatusOf(ParseFilesForTest({{"c", text}, {"d", "no TOML"}}).errors), EX_CONFIG)
        << text;
  }
}

TEST(ConfigExitStatusTest, WhatCanBeNoNameNeverResolves) {
  for (const std::string who :
       {"users = [\"\"]\n", "users = [\"a\\u0000b\"]\n", "users = [\"4294967295\"]\n",
        "users = [\"9-\"]\n", "users = [4294967295]\n", "users = []\n", "groups = [\"\"]\n"}) {
    EXPECT_EQ(StatusOf(RuleOf(who)), EX_CONFIG) << who;
  }
  // The user database returns -1 for this name.
  EXPECT_EQ(StatusOf(RuleOf("users = [\"broken\"]\n")), EX_CONFIG);
}

}  // namespace
}  // namespace proxyd
