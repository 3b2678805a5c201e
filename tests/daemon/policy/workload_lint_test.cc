// SPDX-License-Identifier: Apache-2.0
//
// Tests the warnings of --check about workloads, to the letter, and what the other warnings make of
// rules about workloads.
#include "policy/workload_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/config/testing.h"
#include "policy/lint.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A listener with a socket for each workload and a backend, on lines 1 to 7. Rules begin on line 8.
constexpr char kFronts[] =
    "[[listener]]\nname = \"fronts\"\ndiscover = \"containerd\"\n"
    "address = \"unix:///run/x/{namespace}/{id}.sock\"\n"
    "[[backend]]\nname = \"found\"\naddress = \"discovered\"\n";
constexpr char kForAll[] =
    "[[listener]]\nname = \"all\"\ndiscover = \"containerd\"\n"
    "address = \"unix:///run/all.sock\"\n"
    "[[backend]]\nname = \"found\"\naddress = \"discovered\"\n";

std::vector<std::string> Warnings(const std::string& text) {
  const LoadedConfig loaded = ParseText(text);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  if (!loaded.config) return {"not loaded"};
  return Strings(Lint(*loaded.config, {.uid = 65534, .gid = 65534}));
}

// Six lines.
std::string Allow(const std::string& name, const std::string& methods,
                  const std::string& users = "[1000]") {
  return "[[rule]]\nname = \"" + name + "\"\nusers = " + users + "\nmethods = [\"" + methods +
         "\"]\naction = \"allow\"\nbackend = \"found\"\n";
}
std::string Deny(const std::string& rest) {
  return "[[rule]]\nname = \"deny\"\naction = \"deny\"\n" + rest;
}

TEST(WorkloadLintTest, AUserBeforeAnOpenEnd) {
  EXPECT_THAT(Warnings(kFronts + Allow("r", "/s/M") + "ids = [\"a\", \"{user}-*\", \"{user}*\"]\n"),
              ElementsAre("c:8:1: warning: rule \"r\" has the pattern \"{user}-*\", which for a "
                          "user \"dev\" may also match the workloads of a user \"dev-ci\"; use "
                          "{uid}, or end the pattern with {user}"));
  EXPECT_THAT(Warnings(kFronts + Allow("r", "/s/M") + "annotations = { a = \"{user}.x\" }\n"),
              testing::SizeIs(1));
  EXPECT_THAT(Warnings(kFronts + Allow("r", "/s/M") + "ids = [\"{uid}-*\", \"x-{user}\"]\n"),
              IsEmpty());
}

TEST(WorkloadLintTest, ANumberBesideAStar) {
  EXPECT_THAT(Warnings(kFronts + Allow("r", "/s/M") + "ids = [\"{uid}-*\", \"{uid}*\"]\n"),
              ElementsAre("c:8:1: warning: rule \"r\" has the pattern \"{uid}*\", which for id "
                          "100 may also match the workloads of id 1000 or 2100; put another "
                          "character between the number and the star"));
  EXPECT_THAT(Warnings(kFronts + Allow("r", "/s/M") + "namespaces = [\"*{gid}\"]\n"),
              testing::SizeIs(1));
}

TEST(WorkloadLintTest, AServiceThatNamesNoWorkload) {
  const std::string warning =
      "c:8:1: warning: rule \"r\" allows no method of a Task or Sandbox service, but a socket for "
      "all workloads serves only these; use a listener with a socket for each workload";
  EXPECT_THAT(Warnings(kForAll + Allow("r", "/grpc.AgentService/*")), ElementsAre(warning));
  EXPECT_THAT(Warnings(kForAll + Allow("r", "/grpc.AgentService/*") + "listeners = [\"all\"]\n"),
              ElementsAre(warning));
  EXPECT_THAT(Warnings(kFronts + Allow("r", "/grpc.AgentService/*")), IsEmpty());
  for (const char* methods : {"/containerd.runtime.sandbox.v1.Sandbox/PingSandbox",
                              "/containerd.task.*/*", "/*/SandboxStatus"}) {
    EXPECT_THAT(Warnings(kForAll + Allow("r", methods)), IsEmpty()) << methods;
  }
}

TEST(WorkloadLintTest, ARuleAboutWorkloadsLeavesTheOthersToLaterRules) {
  EXPECT_THAT(
      Warnings(kFronts + Allow("first", "/s/*") + "ids = [\"a\"]\n" + Allow("second", "/s/M")),
      IsEmpty());
  EXPECT_THAT(
      Warnings(kFronts + Allow("first", "/s/*") + Allow("second", "/s/M") + "ids = [\"a\"]\n"),
      ElementsAre("c:14:1: warning: rule \"second\" can never match, because rule "
                  "\"first\" at c:8:1 matches before it; reorder the rules, or remove this "
                  "one"));
}

TEST(WorkloadLintTest, ADenyRuleThatAClientCanEvade) {
  const std::string deny = Deny("groups = [7]\nids = [\"a\"]\n");
  EXPECT_THAT(Warnings(kFronts + deny + Allow("allow", "/s/M") + "ids = [\"b\"]\n"), IsEmpty());
  EXPECT_THAT(Warnings(kFronts + deny + Allow("allow", "/s/M") + "ids = [\"*\"]\n"),
              testing::SizeIs(1));
}

TEST(WorkloadLintTest, ARuleThatSendsTheCallsOfOthersElsewhere) {
  const std::string other =
      "[[listener]]\nname = \"others\"\ndiscover = \"containerd\"\n"
      "address = \"unix:///run/y/{namespace}/{id}.sock\"\n"
      "[[backend]]\nname = \"agent\"\naddress = \"unix:///run/agent\"\n";
  const std::string narrow =
      "[[rule]]\nname = \"narrow\"\nlisteners = [\"others\"]\nusers = [1000]\n"
      "methods = [\"/s/M\"]\naction = \"allow\"\nbackend = \"agent\"\nmetadata = { k = \"v\" }\n";
  EXPECT_THAT(Warnings(kFronts + other + Allow("wide", "/s/M") + "ids = [\"a\"]\n" + narrow),
              IsEmpty());
  // The metadata keeps it from being a rule that can never match.
  EXPECT_THAT(Warnings(kFronts + other + Allow("wide", "/s/M") + "ids = [\"a\"]\n" + narrow +
                       "ids = [\"a\"]\n"),
              testing::SizeIs(1));
}

// The mode of the socket lets everyone in, and the placeholder keeps them apart.
TEST(WorkloadLintTest, ASocketForEveryoneWithOwnWorkloadsIsNoOpenDoor) {
  const std::string open =
      "[[listener]]\nname = \"fronts\"\ndiscover = \"containerd\"\n"
      "mode = \"0666\"\naddress = \"unix:///run/x/{namespace}/{id}.sock\"\n"
      "[[backend]]\nname = \"found\"\naddress = \"discovered\"\n";
  const std::string rule = Allow("r", "/s/M", "[\"*\"]");
  EXPECT_THAT(Warnings(open + rule + "ids = [\"{uid}-*\"]\n"), IsEmpty());
  EXPECT_THAT(Warnings(open + rule + "ids = [\"public-*\"]\n"),
              ElementsAre("c:1:1: warning: every local user can connect to listener \"fronts\", "
                          "and rule \"r\" allows calls of every user; name users in the rule, or "
                          "set a stricter mode"));
}

}  // namespace
}  // namespace proxyd
