// SPDX-License-Identifier: Apache-2.0
//
// Tests the warnings of --check, to the letter, and that there are no others.
#include "policy/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/config/testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Warnings(const std::string& text) {
  const LoadedConfig loaded = ParseText(text);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  if (!loaded.config) return {"not loaded"};
  return Strings(Lint(*loaded.config, {.uid = 65534, .gid = 65534}));
}

// Two listeners and a backend on the first line; the rules begin on line 2.
std::string WithRules(const std::string& rules) {
  return "listener = [{ name = \"a\", address = \"unix:///a\" }, "
         "{ name = \"b\", address = \"unix:///b\" }]\n" +
         rules +
         // This rule prevents warnings about the listeners and the backend.
         "[[backend]]\nname = \"shim\"\naddress = \"unix:///shim\"\n"
         "[[rule]]\nname = \"last\"\nusers = [1]\nmethods = [\"/last/Last\"]\naction = \"allow\"\n"
         "backend = \"shim\"\nmetadata = { k = \"v\" }\n";
}

std::string Rule(const std::string& name, const std::string& rest) {
  return "[[rule]]\nname = \"" + name + "\"\n" + rest;
}

std::string Allow(const std::string& name, const std::string& users, const std::string& methods) {
  return Rule(name, "users = " + users + "\nmethods = " + methods +
                        "\naction = \"allow\"\nbackend = \"shim\"\n");
}

TEST(LintTest, NothingIsServed) {
  EXPECT_THAT(Warnings(""),
              ElementsAre("c: warning: there is no [[listener]], so nothing is served; add one"));
}

TEST(LintTest, AGoodConfigurationHasNoWarnings) {
  EXPECT_THAT(Warnings(WithRules(Allow("r", "[1000]", "[\"/s/M\"]"))), IsEmpty());
}

TEST(LintTest, AuditOfEachCallWithoutARate) {
  const std::string why =
      " lets every allowed user cause any number of audit lines; set requests_per_second_per_user "
      "in [limits]";
  const std::string all = "[audit]\ncalls = \"all\"\n";
  const std::string rate = "[limits]\nrequests_per_second_per_user = 1000\n";
  const std::string rule = Allow("r", "[1000]", "[\"/s/M\"]") + "audit = \"all\"\n";
  EXPECT_THAT(Warnings(WithRules(all)),
              ElementsAre("c: warning: calls = \"all\" in [audit]" + why));
  EXPECT_THAT(Warnings(WithRules(rule)),
              ElementsAre("c:2:1: warning: audit = \"all\" in rule \"r\"" + why));
  EXPECT_THAT(Warnings(WithRules(all + rate + rule)), IsEmpty());
  // rate_per_user in [audit] limits the lines of these rules.
  EXPECT_THAT(Warnings(WithRules(rule + "enforce = false\n")), IsEmpty());
  EXPECT_THAT(
      Warnings(WithRules(Rule("d", "methods = [\"/s/M\"]\naction = \"deny\"\naudit = \"all\"\n"))),
      IsEmpty());
}

TEST(LintTest, UnusedBackend) {
  EXPECT_THAT(
      Warnings(WithRules("[[backend]]\nname = \"x\"\naddress = \"unix:///x\"\n")),
      ElementsAre("c:2:1: warning: no rule uses backend \"x\"; remove it, or name it in a rule"));
}

TEST(LintTest, ListenerThatAdmitsNobody) {
  const std::string warning =
      "c:1:1: warning: no enforced allow rule applies to listener \"a\", so it admits nobody; add "
      "a rule, or remove the listener";
  const std::string listener = "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n";
  EXPECT_THAT(Warnings(listener), ElementsAre(warning));
  EXPECT_THAT(Warnings(listener + "[[rule]]\nname = \"r\"\naction = \"deny\"\n"),
              ElementsAre(warning));
  EXPECT_THAT(Warnings(listener + "[[backend]]\nname = \"shim\"\naddress = \"unix:///shim\"\n" +
                       Allow("r", "[0]", "[\"/s/M\"]") + "enforce = false\n"),
              ElementsAre(warning));
}

TEST(LintTest, OpenDoor) {
  const std::string rest = "[[backend]]\nname = \"shim\"\naddress = \"unix:///shim\"\n" +
                           Allow("narrow", "[\"1000-1999\"]", "[\"/s/M\"]") +
                           Allow("wide", "[\"*\"]", "[\"/s/M\"]");
  EXPECT_THAT(
      Warnings("[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = \"0666\"\n" + rest),
      ElementsAre(
          "c:1:1: warning: every local user can connect to listener \"a\", and rule \"wide\" "
          "allows calls of every user; name users in the rule, or set a stricter mode"));
  EXPECT_THAT(Warnings("[[listener]]\nname = \"a\"\naddress = \"unix-abstract:a\"\n" + rest),
              ElementsAre("c:1:1: warning: every local user can connect to listener \"a\", and "
                          "rule \"wide\" allows calls of every user; name users in the rule, or "
                          "use unix:///abs/path with a stricter mode"));
  EXPECT_THAT(
      Warnings("[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = \"0660\"\n" + rest),
      IsEmpty());
}

TEST(LintTest, EverybodyOfAGroupIsNotEverybody) {
  EXPECT_THAT(Warnings("[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = \"0666\"\n"
                       "[[backend]]\nname = \"shim\"\naddress = \"unix:///shim\"\n" +
                       Allow("r", "[\"*\"]", "[\"/s/M\"]") + "groups = [\"monitoring\"]\n"),
              IsEmpty());
}

// --- rules that can never match ---

const std::string kNever =
    "c:8:1: warning: rule \"second\" can never match, because rule \"first\" at c:2:1 matches "
    "before it; reorder the rules, or remove this one";

std::vector<std::string> WarningsOfTwo(const std::string& first, const std::string& second) {
  return Warnings(WithRules(first + second));
}

TEST(CheckReachTest, TheSameRuleAgain) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[1000]", "[\"/s/M\"]"),
                            Allow("second", "[1000]", "[\"/s/M\"]")),
              ElementsAre(kNever));
}

TEST(CheckReachTest, AnAllowAfterACatchAllDeny) {
  EXPECT_THAT(Warnings(WithRules(Rule("first", "action = \"deny\"\n"))),
              ElementsAre("c:8:1: warning: rule \"last\" can never match, because rule \"first\" "
                          "at c:2:1 matches before it; reorder the rules, or remove this one"));
}

TEST(CheckReachTest, WiderUsersAndMethods) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[\"1000-1999\", \"2000-2999\", 5]", "[\"/s*/*\"]"),
                            Allow("second", "[5, \"1500-2500\"]", "[\"/s.v1.*/Get*\", \"/s/M\"]")),
              ElementsAre(kNever));
}

TEST(CheckReachTest, OnlyPartOfTheUsers) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[\"1000-1999\"]", "[\"/s/M\"]"),
                            Allow("second", "[\"1000-2000\"]", "[\"/s/M\"]")),
              IsEmpty());
}

TEST(CheckReachTest, OnlyPartOfTheMethods) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[1000]", "[\"/s/Get*\"]"),
                            Allow("second", "[1000]", "[\"/s/GetX\", \"/s/PutX\"]")),
              IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[1000]", "[\"/s/Get*\"]"),
                            Allow("second", "[1000]", "[\"/s/*\"]")),
              IsEmpty());
}

TEST(CheckReachTest, OnlyPartOfTheListeners) {
  EXPECT_THAT(WarningsOfTwo(Rule("first",
                                 "users = [1000]\nmethods = [\"/s/M\"]\naction = \"allow\"\n"
                                 "backend = \"shim\"\nlisteners = [\"b\"]\n"),
                            Allow("second", "[1000]", "[\"/s/M\"]")),
              IsEmpty());
}

TEST(CheckReachTest, DifferentRulesForEachListener) {
  const std::string allow =
      "users = [7]\nmethods = [\"/s/M\"]\naction = \"allow\"\nbackend = "
      "\"shim\"\n";
  EXPECT_THAT(
      Warnings(WithRules(Rule("on a", allow + "listeners = [\"a\"]\n") +
                         Rule("on b", allow + "listeners = [\"b\"]\n") + Rule("both", allow))),
      ElementsAre("c:16:1: warning: rule \"both\" can never match, because rule \"on a\" at c:2:1 "
                  "matches before it; reorder the rules, or remove this one"));
}

TEST(CheckReachTest, WithGroupsAnEarlierRuleIsNarrower) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[1000]", "[\"/s/M\"]") + "groups = [1]\n",
                            Allow("second", "[1000]", "[\"/s/M\"]")),
              IsEmpty());
}

TEST(CheckReachTest, WithMetadataAnEarlierRuleIsNarrower) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[1000]", "[\"/s/M\"]") + "metadata = { k = \"v\" }\n",
                            Allow("second", "[1000]", "[\"/s/M\"]")),
              IsEmpty());
}

TEST(CheckReachTest, AnUnenforcedRuleTakesNothingAway) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[1000]", "[\"/s/M\"]") + "enforce = false\n",
                            Allow("second", "[1000]", "[\"/s/M\"]")),
              IsEmpty());
}

TEST(CheckReachTest, AllowForAnyoneLeavesTheOverflowIdToOthers) {
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[\"*\"]", "[\"/s/M\"]"),
                            Rule("second", "methods = [\"/s/M\"]\naction = \"deny\"\n")),
              IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Allow("first", "[\"*\"]", "[\"/s/M\"]"),
                            Allow("second", "[\"0-4294967294\"]", "[\"/s/M\"]")),
              ElementsAre(kNever,
                          "c:8:1: warning: rule \"second\" has the range \"0-4294967294\", which "
                          "does not match the overflow uid 65534; list 65534 as well to allow it"));
}

TEST(CheckReachTest, DenyForAnyoneIsForTheOverflowIdToo) {
  EXPECT_THAT(Warnings(WithRules(Rule("first", "users = [\"*\"]\naction = \"deny\"\n"))),
              ElementsAre("c:9:1: warning: rule \"last\" can never match, because rule \"first\" "
                          "at c:2:1 matches before it; reorder the rules, or remove this one"));
}

// --- the overflow ids ---

TEST(CheckOverflowTest, WrittenOut) {
  EXPECT_THAT(
      Warnings(WithRules(Allow("r", "[\"nobody\"]", "[\"/s/M\"]"))),
      ElementsAre("c:2:1: warning: rule \"r\" allows uid 65534, which the kernel reports for every "
                  "uid without a mapping; remove it unless you mean all of them"));
  EXPECT_THAT(
      Warnings(WithRules(Allow("r", "[1000]", "[\"/s/M\"]") + "groups = [65534]\n")),
      ElementsAre("c:2:1: warning: rule \"r\" allows gid 65534, which the kernel reports for every "
                  "gid without a mapping; remove it unless you mean all of them"));
}

TEST(CheckOverflowTest, InARange) {
  EXPECT_THAT(Warnings(WithRules(Allow("r", "[1, \"60000-70000\"]", "[\"/s/M\"]"))),
              ElementsAre("c:2:1: warning: rule \"r\" has the range \"60000-70000\", which does "
                          "not match the overflow uid 65534; list 65534 as well to allow it"));
}

TEST(CheckOverflowTest, DenyRulesAndStarsAreNotWarnedAbout) {
  EXPECT_THAT(Warnings(WithRules(Rule("r",
                                      "users = [65534]\ngroups = [\"0-70000\"]\n"
                                      "action = \"deny\"\n"))),
              IsEmpty());
  EXPECT_THAT(Warnings(WithRules(Allow("r", "[\"*\"]", "[\"/s/M\"]"))), IsEmpty());
}

TEST(CheckOverflowTest, TheKernelsIdsCount) {
  const LoadedConfig loaded =
      ParseText(WithRules(Allow("r", "[65534, 99]", "[\"/s/M\"]") + "groups = [98]\n"));
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(Strings(Lint(*loaded.config, {.uid = 99, .gid = 98})),
              ElementsAre("c:2:1: warning: rule \"r\" allows uid 99, which the kernel reports for "
                          "every uid without a mapping; remove it unless you mean all of them",
                          "c:2:1: warning: rule \"r\" allows gid 98, which the kernel reports for "
                          "every gid without a mapping; remove it unless you mean all of them"));
}

// --- rules that may stream ---

TEST(CheckStreamsTest, APatternThatMayStream) {
  const auto warning = [](const std::string& pattern) {
    return "c:2:1: warning: rule \"r\" has streams = true and the pattern \"" + pattern +
           "\", so clients can send data to methods that do not stream, which crashes servers of "
           "ttrpc's Go implementation; name the methods that stream";
  };
  const auto rule = [](const std::string& methods) {
    return WithRules(Allow("r", "[1000]", methods) + "streams = true\n");
  };
  EXPECT_THAT(Warnings(rule("[\"/s/*\"]")), ElementsAre(warning("/s/*")));
  EXPECT_THAT(Warnings(rule("[\"/s/M\", \"/*.v1/Get\", \"/*/*\"]")),
              ElementsAre(warning("/*.v1/Get")));
  EXPECT_THAT(Warnings(rule("[\"/s/M\", \"/s/N\"]")), IsEmpty());
  EXPECT_THAT(Warnings(WithRules(Allow("r", "[1000]", "[\"/s/*\"]"))), IsEmpty());
}

// --- the admin service ---

TEST(CheckAdminTest, OpenToEverybody) {
  EXPECT_THAT(Warnings(WithRules("[admin]\nusers = [\"*\", 0]\n")),
              ElementsAre("c:2:1: warning: users in [admin] contains \"*\", so everyone who can "
                          "connect can see all calls and stop the daemon; name the users"));
  EXPECT_THAT(Warnings(WithRules("[admin]\nusers = [0, \"1000-1999\"]\n")), IsEmpty());
  // The users of [admin] are matched like those of an allow rule.
  EXPECT_THAT(Warnings(WithRules("[admin]\nusers = [\"nobody\"]\n")),
              ElementsAre("c:2:1: warning: [admin] allows uid 65534, which the kernel reports for "
                          "every uid without a mapping; remove it unless you mean all of them"));
}

// --- a rule that takes the calls of another listener ---

std::vector<std::string> WarningsOfTwoBackends(const std::string& first,
                                               const std::string& second) {
  return Warnings(WithRules(first + second +
                            "[[backend]]\nname = \"agent\"\naddress = \"unix:///agent\"\n"
                            "[[rule]]\nname = \"agent too\"\nusers = [1]\n"
                            "methods = [\"/last/Agent\"]\naction = \"allow\"\n"
                            "backend = \"agent\"\nmetadata = { k = \"v\" }\n"));
}

std::string AllowAgent(const std::string& users, const std::string& rest) {
  return Rule("second", "users = " + users +
                            "\nmethods = [\"/agent/Do\"]\naction = \"allow\"\n"
                            "backend = \"agent\"\n" +
                            rest);
}

const std::string kOnB = "listeners = [\"b\"]\n";

TEST(CheckDiversionTest, ARuleWithoutListenersBeforeOneOfAnotherBackend) {
  const std::string warning =
      "c:2:1: warning: rule \"first\" has no listeners, so it sends calls on listener \"b\" to "
      "backend \"shim\" before rule \"second\" at c:8:1 can send them to backend \"agent\"; add "
      "listeners to it";
  EXPECT_THAT(WarningsOfTwoBackends(Allow("first", "[1000]", "[\"/*/*\"]"),
                                    AllowAgent("[\"1000-1999\"]", kOnB)),
              ElementsAre(warning));
  EXPECT_THAT(WarningsOfTwoBackends(Allow("first", "[1000]", "[\"/s/M\", \"/agent/*\"]"),
                                    AllowAgent("[\"*\"]", kOnB + "groups = [7]\n")),
              ElementsAre(warning));
}

TEST(CheckDiversionTest, NothingIsTaken) {
  const std::string first = Allow("first", "[1000]", "[\"/*/*\"]");
  const std::string all = "[\"1000-1999\"]";
  EXPECT_THAT(WarningsOfTwoBackends(first, AllowAgent("[2000]", kOnB)), IsEmpty());
  EXPECT_THAT(WarningsOfTwoBackends(first, AllowAgent(all, "")), IsEmpty());
  EXPECT_THAT(WarningsOfTwoBackends(first, AllowAgent(all, kOnB + "enforce = false\n")), IsEmpty());
  EXPECT_THAT(WarningsOfTwoBackends(first + "enforce = false\n", AllowAgent(all, kOnB)), IsEmpty());
  EXPECT_THAT(WarningsOfTwoBackends(first + "listeners = [\"a\", \"b\"]\n", AllowAgent(all, kOnB)),
              IsEmpty());
  EXPECT_THAT(WarningsOfTwoBackends(first + "metadata = { k = \"v\" }\n", AllowAgent(all, kOnB)),
              IsEmpty());
  EXPECT_THAT(
      WarningsOfTwoBackends(Allow("first", "[1000]", "[\"/agent/Other\"]"), AllowAgent(all, kOnB)),
      IsEmpty());
  EXPECT_THAT(WarningsOfTwoBackends(AllowAgent(all, kOnB), first), IsEmpty());
}

// --- a deny rule for something that a client can drop ---

std::string Deny(const std::string& rest) { return Rule("deny", "action = \"deny\"\n" + rest); }

TEST(CheckEvasionTest, AGroupCanBeDropped) {
  const std::string warning =
      "c:2:1: warning: rule \"deny\" denies calls by group, but a client can drop a group, and "
      "then rule \"allow\" at c:6:1 allows them; allow only the groups that need access instead";
  const std::string deny = Deny("groups = [7]\n");
  EXPECT_THAT(WarningsOfTwo(deny, Allow("allow", "[1000]", "[\"/s/M\"]")), ElementsAre(warning));
  EXPECT_THAT(WarningsOfTwo(deny, Rule("allow",
                                       "groups = [7, 8]\nmethods = [\"/s/*\"]\naction = "
                                       "\"allow\"\nbackend = \"shim\"\n")),
              ElementsAre(warning));
}

TEST(CheckEvasionTest, WhatTheGroupIsNeededForIsDenied) {
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [7]\nmethods = [\"/s/*\"]\n"),
                            Rule("allow",
                                 "groups = [7]\nmethods = [\"/s/M\", \"/t/M\"]\n"
                                 "action = \"allow\"\nbackend = \"shim\"\n")),
              IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [\"*\"]\nusers = [1000]\n"),
                            Allow("allow", "[\"1000-1999\"]", "[\"/s/M\"]")),
              IsEmpty())
      << "everybody has a group";
}

TEST(CheckEvasionTest, AUserCanHaveSubordinateUids) {
  const std::string warning =
      "c:2:1: warning: rule \"deny\" denies calls by user, but a user can call with a subordinate "
      "uid, and then rule \"allow\" at c:6:1 allows them; allow only the users that need access "
      "instead, or a range such as \"1000-59999\"";
  const std::string deny = Deny("users = [1000]\n");
  EXPECT_THAT(WarningsOfTwo(deny, Allow("allow", "[\"*\"]", "[\"/s/M\"]")), ElementsAre(warning));
  EXPECT_THAT(WarningsOfTwo(deny, Allow("allow", "[1000, \"90000-100000\"]", "[\"/s/M\"]")),
              ElementsAre(warning));
  EXPECT_THAT(WarningsOfTwo(deny, Rule("allow",
                                       "groups = [8]\nmethods = [\"/s/*\"]\naction = "
                                       "\"allow\"\nbackend = \"shim\"\n")),
              ElementsAre(warning));
  EXPECT_THAT(WarningsOfTwo(deny, Allow("allow", "[\"1000-59999\"]", "[\"/s/M\"]")), IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Deny("users = [1000, \"65536-4294967294\"]\n"),
                            Allow("allow", "[\"*\"]", "[\"/s/M\"]")),
              IsEmpty());
}

TEST(CheckEvasionTest, CallsThatTheDenyRuleDoesNotMatchCauseNoWarning) {
  const std::string allow = Allow("allow", "[1000]", "[\"/s/Get*\"]");
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [7]\nusers = [2000]\n"), allow), IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [7]\nmethods = [\"/s/*Put\"]\n"), allow),
              testing::SizeIs(1))
      << "/s/GetPut";
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [7]\nmethods = [\"/s/Put*\", \"/t/*\"]\n"), allow),
              IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [7]\nenforce = false\n"), allow), IsEmpty());
  EXPECT_THAT(WarningsOfTwo(allow, Deny("groups = [7]\nusers = [2000]\n")), IsEmpty());
  EXPECT_THAT(
      WarningsOfTwo(Deny("groups = [7]\nusers = [1000]\nlisteners = [\"a\"]\n"), allow + kOnB),
      IsEmpty());
  EXPECT_THAT(WarningsOfTwo(Deny("groups = [7]\nmetadata = { k = \"1\" }\n"),
                            allow + "metadata = { k = \"2\" }\n"),
              IsEmpty());
}

}  // namespace
}  // namespace proxyd
