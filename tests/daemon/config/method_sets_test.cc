// SPDX-License-Identifier: Apache-2.0
//
// Tests the built-in sets of methods, [method_sets], and the rules that name sets. Errors are
// compared to the letter.
#include "config/method_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/rpc_names.h"
#include "testing.h"

namespace proxyd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

using Methods = std::vector<std::string>;

const Methods& BuiltIn(const std::string& name) {
  static const Methods kNone;
  const auto found = BuiltInMethodSets().find(name);
  EXPECT_NE(found, BuiltInMethodSets().end()) << name;
  return found != BuiltInMethodSets().end() ? found->second : kNone;
}

// Returns the patterns of the first rule.
Methods MethodsOf(const LoadedConfig& loaded) {
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  Methods methods;
  if (!loaded.config) return methods;
  for (const MethodPattern& pattern : loaded.config->rules.at(0).methods)
    methods.push_back("/" + pattern.service + "/" + pattern.method);
  return methods;
}

std::string RuleWith(const std::string& methods) {
  return "[[rule]]\nname = \"r\"\naction = \"deny\"\nmethods = " + methods + "\n";
}

std::vector<std::string> ErrorsIn(const std::string& text) {
  return Strings(ParseText(text).errors);
}

TEST(BuiltInMethodSetsTest, AreThoseOfTheManual) {
  EXPECT_THAT(
      BuiltInMethodSets(),
      ElementsAre(Key("containerd-events"), Key("containerd-read"), Key("containerd-sandbox"),
                  Key("containerd-task"), Key("kata-read"), Key("nri-plugin"), Key("nri-runtime")));
}

// TaskMethodSets() and the check for circles rely on it.
TEST(BuiltInMethodSetsTest, ContainOnlyPatternsAndEachOnce) {
  for (const auto& [name, methods] : BuiltInMethodSets()) {
    EXPECT_TRUE(IsMethodSetName(name)) << name;
    EXPECT_THAT(methods, Not(IsEmpty())) << name;
    for (const std::string& method : methods)
      EXPECT_TRUE(ParseMethodPattern(method).has_value()) << name << ": " << method;
    EXPECT_EQ(std::set<std::string>(methods.begin(), methods.end()).size(), methods.size()) << name;
  }
}

TEST(BuiltInMethodSetsTest, ReadIsReadOnly) {
  EXPECT_THAT(BuiltIn("containerd-read"),
              ElementsAre("/containerd.task.v2.Task/State", "/containerd.task.v2.Task/Pids",
                          "/containerd.task.v2.Task/Stats", "/containerd.task.v2.Task/Wait",
                          "/containerd.task.v2.Task/Connect", "/containerd.task.v3.Task/State",
                          "/containerd.task.v3.Task/Pids", "/containerd.task.v3.Task/Stats",
                          "/containerd.task.v3.Task/Wait", "/containerd.task.v3.Task/Connect",
                          "/containerd.runtime.sandbox.v1.Sandbox/SandboxStatus",
                          "/containerd.runtime.sandbox.v1.Sandbox/PingSandbox",
                          "/containerd.runtime.sandbox.v1.Sandbox/Platform",
                          "/containerd.runtime.sandbox.v1.Sandbox/SandboxMetrics"));
  EXPECT_THAT(BuiltIn("kata-read"),
              ElementsAre("/grpc.AgentService/StatsContainer", "/grpc.AgentService/ListInterfaces",
                          "/grpc.AgentService/ListRoutes", "/grpc.AgentService/GetIPTables",
                          "/grpc.AgentService/GetMetrics", "/grpc.AgentService/GetGuestDetails",
                          "/grpc.AgentService/GetVolumeStats", "/grpc.Health/*"));
}

TEST(BuiltInMethodSetsTest, TheOthersHaveWholeServices) {
  EXPECT_THAT(BuiltIn("containerd-sandbox"), Contains("/containerd.runtime.sandbox.v1.Sandbox/*"));
  EXPECT_THAT(BuiltIn("containerd-events"),
              ElementsAre("/containerd.services.events.ttrpc.v1.Events/Forward"));
  EXPECT_THAT(BuiltIn("nri-runtime"), ElementsAre("/nri.pkg.api.v1alpha1.Runtime/*"));
  EXPECT_THAT(BuiltIn("nri-plugin"), ElementsAre("/nri.pkg.api.v1alpha1.Plugin/*"));
}

TEST(BuiltInMethodSetsTest, TaskHasSeventeenMethodsOfBothVersions) {
  EXPECT_THAT(BuiltIn("containerd-task"), SizeIs(34));
  std::vector<std::string> names;
  for (const auto& [name, methods] : TaskMethodSets()) {
    names.push_back(name);
    const std::string method = name.substr(name.find('/'));
    EXPECT_THAT(methods, ElementsAre("/containerd.task.v2.Task" + method,
                                     "/containerd.task.v3.Task" + method));
  }
  EXPECT_THAT(names, ElementsAre("containerd/Checkpoint", "containerd/CloseIO",
                                 "containerd/Connect", "containerd/Create", "containerd/Delete",
                                 "containerd/Exec", "containerd/Kill", "containerd/Pause",
                                 "containerd/Pids", "containerd/ResizePty", "containerd/Resume",
                                 "containerd/Shutdown", "containerd/Start", "containerd/State",
                                 "containerd/Stats", "containerd/Update", "containerd/Wait"));
}

TEST(MethodSetsTest, ARuleMayNameThem) {
  EXPECT_THAT(MethodsOf(ParseText(RuleWith("[\"@containerd-read\"]"))),
              ElementsAreArray(BuiltIn("containerd-read")));
  EXPECT_THAT(
      MethodsOf(ParseText(RuleWith("[\"/a.B/*\", \"@containerd/Kill\"]"))),
      ElementsAre("/a.B/*", "/containerd.task.v2.Task/Kill", "/containerd.task.v3.Task/Kill"));
}

TEST(MethodSetsTest, APatternIsThereOnce) {
  EXPECT_THAT(MethodsOf(ParseText(RuleWith("[\"@containerd/Kill\", \"@containerd-task\", "
                                           "\"/containerd.task.v3.Task/State\"]"))),
              SizeIs(34));
}

TEST(MethodSetsTest, TheConfigurationAddsSetsThatMayNameSets) {
  const std::string sets =
      "[method_sets]\nours = [\"/a.B/*\", \"@theirs\", \"@containerd/State\"]\n"
      "theirs = [\"/c.D/E\", \"/a.B/*\"]\n";
  EXPECT_THAT(MethodsOf(ParseText(sets + RuleWith("[\"@ours\"]"))),
              testing::UnorderedElementsAre("/a.B/*", "/c.D/E", "/containerd.task.v2.Task/State",
                                            "/containerd.task.v3.Task/State"));
}

TEST(MethodSetsTest, TheConfigurationReplacesABuiltInSet) {
  const std::string sets = "[method_sets]\ncontainerd-read = [\"/a.B/C\"]\n";
  EXPECT_THAT(MethodsOf(ParseText(sets + RuleWith("[\"@containerd-read\"]"))),
              ElementsAre("/a.B/C"));
}

// A replaced containerd-task does not change which methods there are.
TEST(MethodSetsTest, ReplacingASetDoesNotChangeTheSetsOfSingleMethods) {
  const std::string sets = "[method_sets]\ncontainerd-task = [\"/a.B/C\"]\n";
  EXPECT_THAT(MethodsOf(ParseText(sets + RuleWith("[\"@containerd/Kill\"]"))), SizeIs(2));
}

TEST(MethodSetsTest, AnotherFileMayDefineThem) {
  const LoadedConfig loaded = ParseFilesForTest({{"c", RuleWith("[\"@ours\"]")},
                                                 {"d", "[method_sets]\nours = [\"@theirs\"]\n"},
                                                 {"e", "[method_sets]\ntheirs = [\"/a.B/C\"]\n"}});
  EXPECT_THAT(MethodsOf(loaded), ElementsAre("/a.B/C"));
}

TEST(MethodSetsTest, OneSetInTwoFilesIsAnError) {
  const LoadedConfig loaded =
      ParseFilesForTest({{"c", "[method_sets]\nours = [\"/a.B/C\"]\n"},
                         {"d", "[method_sets]\nours = [\"/a.B/D\", \"no pattern\"]\n"}});
  EXPECT_THAT(Strings(loaded.errors),
              ElementsAre("d:2:1: error: ours in [method_sets] is already set at c:2:1; remove one "
                          "of the two"));
}

// The printed configuration must mean the same to a version with other built-in sets.
TEST(MethodSetsTest, ThePrintedConfigurationKeepsTheNamesAndHasTheSetsThatAreUsed) {
  const std::string sets =
      "[method_sets]\nours = [\"@nri-plugin\", \"/a.B/C\"]\nunused = [\"/a.B/D\"]\n";
  const LoadedConfig loaded =
      ParseText(sets + RuleWith("[\"@ours\", \"@containerd/Kill\", \"/x.Y/*\"]"));
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(loaded.config->method_sets,
              ElementsAre(Pair("nri-plugin", ElementsAre("/nri.pkg.api.v1alpha1.Plugin/*")),
                          Pair("ours", ElementsAre("@nri-plugin", "/a.B/C"))));
  const std::string printed = PrintConfig(*loaded.config);
  EXPECT_THAT(printed, testing::HasSubstr("\n[method_sets]\n"
                                          "nri-plugin = [\n"
                                          "  \"/nri.pkg.api.v1alpha1.Plugin/*\",\n"
                                          "]\n"
                                          "ours = [\n"
                                          "  \"@nri-plugin\",\n"
                                          "  \"/a.B/C\",\n"
                                          "]\n"
                                          "\n[[rule]]\n"));
  EXPECT_THAT(printed,
              testing::HasSubstr("\nmethods = [\"@ours\", \"@containerd/Kill\", \"/x.Y/*\"]\n"));
  const LoadedConfig again = ParseText(printed);
  EXPECT_EQ(MethodsOf(again), MethodsOf(loaded));
  EXPECT_EQ(PrintConfig(*again.config), printed);
}

TEST(MethodSetsTest, WithoutSetsNothingOfThemIsPrinted) {
  const LoadedConfig loaded =
      ParseText("[method_sets]\nunused = [\"/a.B/D\"]\n" + RuleWith("[\"/x.Y/*\"]"));
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(loaded.config->rules.at(0).written_methods, IsEmpty());
  EXPECT_THAT(PrintConfig(*loaded.config), Not(testing::HasSubstr("unused")));
}

TEST(MethodSetErrors, AnUnknownSetInARule) {
  const std::string use =
      "\"@containerd-events\", \"@containerd-read\", \"@containerd-sandbox\", "
      "\"@containerd-task\", \"@kata-read\", \"@nri-plugin\", \"@nri-runtime\" or "
      "\"@containerd/METHOD\"";
  EXPECT_THAT(ErrorsIn(RuleWith("[\"@contanerd-read\", \"@zzz\", \"@\"]")),
              ElementsAre("c:4:12: error: method set \"@contanerd-read\" does not exist; did you "
                          "mean \"@containerd-read\"? Otherwise use " +
                              use,
                          "c:4:31: error: method set \"@zzz\" does not exist; use " + use,
                          "c:4:39: error: method set \"@\" does not exist; use " + use));
}

TEST(MethodSetErrors, AnUnknownMethodOfTheTaskServices) {
  const auto errors = ErrorsIn(RuleWith("[\"@containerd/Kil\"]"));
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors[0],
              testing::StartsWith("c:4:12: error: method set \"@containerd/Kil\" does not exist; "
                                  "did you mean \"@containerd/Kill\"? Otherwise use "
                                  "\"@containerd/Checkpoint\", "));
  EXPECT_THAT(errors[0], testing::EndsWith(" or one of 7 more"));
}

TEST(MethodSetErrors, ASetWithoutItsSign) {
  EXPECT_THAT(
      ErrorsIn(RuleWith("[\"containerd-read\", \"containerd/Kill\"]")),
      ElementsAre("c:4:12: error: method \"containerd-read\" is not a valid pattern; did you "
                  "mean \"@containerd-read\"?",
                  "c:4:31: error: method \"containerd/Kill\" is not a valid pattern; did you "
                  "mean \"@containerd/Kill\"?"));
}

TEST(MethodSetErrors, TheSetsOfTheConfigurationAreSuggested) {
  const auto errors = ErrorsIn("[method_sets]\nours = [\"/a.B/C\"]\n" + RuleWith("[\"@our\"]"));
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors[0], testing::HasSubstr("did you mean \"@ours\"?"));
}

// A rule that names a wrong set has no error of its own.
TEST(MethodSetErrors, WhatIsNoSet) {
  const std::string advice =
      "; use an array of patterns such as \"/package.Service/Method\", and of sets";
  EXPECT_THAT(
      ErrorsIn("[method_sets]\na = \"/a.B/C\"\nb = []\nc = [1]\nd = [\"/a.B/C\", \"/a.B/C\"]\n"
               "e = [\"a.B/C\"]\n\"f g\" = [\"/a.B/C\"]\n" +
               RuleWith("[\"@a\", \"@b\", \"@c\", \"@d\", \"@e\"]")),
      ElementsAre("c:2:5: error: a is \"/a.B/C\"" + advice,
                  "c:3:5: error: b is an empty array" + advice,
                  "c:4:6: error: c contains an integer; use only strings",
                  "c:5:16: error: d contains \"/a.B/C\" twice; remove one of the two",
                  "c:6:6: error: method \"a.B/C\" is not a valid pattern; use /SERVICE/METHOD with "
                  "letters, digits, _ and *, and dots in SERVICE, at most 256 each",
                  "c:7:1: error: method set \"f g\" has no valid name; use at most 64 letters, "
                  "digits, - and _"));
}

TEST(MethodSetErrors, SetsThatNameThemselves) {
  EXPECT_THAT(ErrorsIn("[method_sets]\na = [\"/a.B/C\", \"@a\"]\n" + RuleWith("[\"@a\"]")),
              ElementsAre("c:2:16: error: method set \"@a\" names itself; remove it here, or give "
                          "the set another name"));
  EXPECT_THAT(ErrorsIn("[method_sets]\na = [\"@b\"]\nb = [\"@c\", \"/a.B/C\"]\nc = [\"@a\"]\n"
                       "d = [\"@a\"]\n" +
                       RuleWith("[\"@d\"]")),
              ElementsAre("c:4:6: error: method set \"@a\" names itself through \"@b\", \"@c\"; "
                          "remove it here, or give the set another name"));
}

// The replaced set cannot be extended by its own name.
TEST(MethodSetErrors, ASetThatReplacesABuiltInOneIsNotThatOne) {
  EXPECT_THAT(ErrorsIn("[method_sets]\nkata-read = [\"@kata-read\", \"/a.B/C\"]\n"),
              ElementsAre("c:2:14: error: method set \"@kata-read\" names itself; remove it here, "
                          "or give the set another name"));
}

TEST(MethodSetErrors, SetsThatShareASetAreNoCircle) {
  EXPECT_THAT(ErrorsIn("[method_sets]\na = [\"@b\", \"@c\"]\nb = [\"@d\"]\nc = [\"@d\"]\n"
                       "d = [\"/a.B/C\"]\n" +
                       RuleWith("[\"@a\"]")),
              IsEmpty());
}

// Neither the stack nor the time may grow with the ways through sets.
TEST(MethodSetErrors, LongChainsAndManyWaysAreRead) {
  std::string sets = "[method_sets]\ns0 = [\"/a.B/C\"]\nt0 = [\"/a.B/D\"]\n";
  constexpr int kSets = 5000;
  for (int i = 1; i <= kSets; ++i) {
    const std::string before = std::to_string(i - 1);
    for (const char* kind : {"s", "t"}) {
      sets.append(kind).append(std::to_string(i)).append(" = [\"@s").append(before);
      sets.append("\", \"@t").append(before).append("\"]\n");
    }
  }
  EXPECT_THAT(MethodsOf(ParseText(sets + RuleWith("[\"@s" + std::to_string(kSets) + "\"]"))),
              testing::UnorderedElementsAre("/a.B/C", "/a.B/D"));
}

TEST(MethodSetErrors, ASectionMustBeASection) {
  EXPECT_THAT(ErrorsIn("method_sets = 1\n"),
              ElementsAre("c:1:1: error: method_sets is an integer; write it as a section: "
                          "[method_sets]"));
}

}  // namespace
}  // namespace proxyd
