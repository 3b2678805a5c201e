// SPDX-License-Identifier: Apache-2.0
//
// Every error of a rule, to the letter and in order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAreArray;

// Two listeners and a backend, in front of the rule: its first line is line 8.
constexpr const char* kAround = R"(listener = [ { name = "a", address = "unix:///a" },
             { name = "b", address = "unix:///b" } ]

[[backend]]
name = "shim"
address = "unix:///shim"

)";
// What an allow rule needs, on one line for each key: 8 to 14.
constexpr const char* kAllow = R"([[rule]]
name = "r"
users = ["root"]
methods = ["/s/M"]
action = "allow"
backend = "shim"
)";
constexpr const char* kDeny = "[[rule]]\nname = \"r\"\naction = \"deny\"\n";

struct RuleCase {
  const char* name;
  std::string text;
  std::vector<std::string> errors;
};

void PrintTo(const RuleCase& test, std::ostream* out) { *out << test.name; }

std::string CaseName(const testing::TestParamInfo<RuleCase>& info) { return info.param.name; }

class RuleErrors : public testing::TestWithParam<RuleCase> {};

TEST_P(RuleErrors, AreReportedToTheLetter) {
  const LoadedConfig loaded = ParseText(kAround + GetParam().text);
  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(Strings(loaded.errors), ElementsAreArray(GetParam().errors));
}

TEST(RuleErrors, WhatTheCasesBuildOnHasNone) {
  EXPECT_TRUE(ParseText(std::string(kAround) + kAllow).config.has_value());
  EXPECT_TRUE(ParseText(std::string(kAround) + kDeny).config.has_value());
}

const RuleCase kMeaningCases[] = {
    {"Empty",
     "[[rule]]\n",
     {"c:8:1: [[rule]] has no name, expected a name of its own",
      "c:8:1: [[rule]] has no action, expected \"allow\" or \"deny\""}},
    {"AllowSaysNothing",
     "[[rule]]\nname = \"r\"\naction = \"allow\"\n",
     {"c:8:1: [[rule]] allows nobody in particular, expected users or groups",
      "c:8:1: [[rule]] allows nothing in particular, expected methods",
      "c:8:1: [[rule]] allows without a backend, expected backend"}},
    {"DenyWithWhatOnlyAllowHas",
     std::string(kDeny) + "backend = \"shim\"\nstreams = false\ncall_max = \"1s\"\n",
     {"c:11:1: [[rule]] denies with backend, expected it only with action = \"allow\"",
      "c:12:1: [[rule]] denies with streams, expected it only with action = \"allow\"",
      "c:13:1: [[rule]] denies with call_max, expected it only with action = \"allow\""}},
    {"Action",
     "[[rule]]\nname = \"r\"\naction = \"permit\"\n",
     {"c:10:10: action is \"permit\", expected \"allow\" or \"deny\""}},
    {"Duplicate",
     std::string(kDeny) + kDeny,
     {"c:12:8: name is \"r\", which stands at c:9:8 already, expected a name of its own"}},
    {"OtherKinds",
     std::string(kAllow) + "streams = \"yes\"\nenforce = 0\naudit = true\ncall_max = 5\n",
     {"c:14:11: streams is \"yes\", expected true or false",
      "c:15:11: enforce is 0, expected true or false",
      "c:16:9: audit is a boolean, expected \"none\", \"denied\" or \"all\"",
      "c:17:12: call_max is 5, expected a duration as \"250ms\", \"2s\" or \"5m\""}},
    {"LaterAndUnknownKeys",
     std::string(kAllow) + "namespaces = [\"k8s.io\"]\nids = [\"*\"]\nuser = \"root\"\n",
     {"c:14:1: [[rule]]: namespaces is not supported yet",
      "c:15:1: [[rule]]: ids is not supported yet",
      "c:16:1: [[rule]] has an unknown key \"user\", expected name, listeners, users, groups, "
      "methods, metadata, action, backend, streams, call_max, enforce or audit"}},
    {"BackendIsNoString",
     "[[rule]]\nname = \"r\"\nusers = [0]\nmethods = [\"/s/M\"]\naction = \"allow\"\n"
     "backend = [\"shim\"]\n",
     {"c:13:11: backend is an array, expected the name of a [[backend]]"}},
};
INSTANTIATE_TEST_SUITE_P(Meaning, RuleErrors, testing::ValuesIn(kMeaningCases), CaseName);

const RuleCase kReferenceCases[] = {
    {"Dangling",
     "[[rule]]\nname = \"r\"\nlisteners = [\"a\", \"shims\"]\nusers = [0]\nmethods = [\"/s/M\"]\n"
     "action = \"allow\"\nbackend = \"b\"\n",
     {"c:10:19: listener \"shims\" does not exist, expected the name of a [[listener]]",
      "c:14:11: backend \"b\" does not exist, expected the name of a [[backend]]"}},
    {"Listeners",
     std::string(kDeny) + "listeners = []\n",
     {"c:11:13: listeners is empty, expected an array of names of [[listener]] tables"}},
    {"ListenersInside",
     std::string(kDeny) + "listeners = [\"a\", \"a\", 1]\n",
     {"c:11:19: listeners has \"a\" in it twice, expected each once",
      "c:11:24: listeners has an integer in it, expected an array of names of [[listener]] "
      "tables"}},
};
INSTANTIATE_TEST_SUITE_P(References, RuleErrors, testing::ValuesIn(kReferenceCases), CaseName);

const RuleCase kIdCases[] = {
    {"Empty",
     std::string(kDeny) + "users = []\ngroups = \"*\"\n",
     {"c:11:9: users is empty, expected an array of names, numbers, ranges as \"2000-2999\" or "
      "\"*\"",
      "c:12:10: groups is \"*\", expected an array of names, numbers, ranges as \"2000-2999\" or "
      "\"*\""}},
    {"Names",
     std::string(kDeny) + "users = [\"rot\", \"\", \"broken\"]\ngroups = [\"prometheus\"]\n",
     {"c:11:10: user \"rot\" does not exist, expected names, numbers, ranges as \"2000-2999\" or "
      "\"*\"",
      "c:11:17: user \"\" does not exist, expected names, numbers, ranges as \"2000-2999\" or "
      "\"*\"",
      "c:11:21: user \"broken\" does not exist, expected names, numbers, ranges as \"2000-2999\" "
      "or "
      "\"*\"",
      "c:12:11: group \"prometheus\" does not exist, expected names, numbers, ranges as "
      "\"2000-2999\" or \"*\""}},
    {"Numbers",
     std::string(kDeny) + "users = [-1, 4294967295, 4294967296, \"99999999999999999999\"]\n",
     {"c:11:10: user -1 is out of range, expected a number from 0 to 4294967294",
      "c:11:14: user 4294967295 is out of range, expected a number from 0 to 4294967294",
      "c:11:26: user 4294967296 is out of range, expected a number from 0 to 4294967294",
      "c:11:38: user \"99999999999999999999\" is out of range, expected a number from 0 to "
      "4294967294"}},
    {"Ranges",
     std::string(kDeny) +
         "groups = [\"3-2\", \"0-4294967295\", \"5-\", \"-5\", \"1-2-3\", \"-\"]\n",
     {"c:11:11: range \"3-2\" ends before it begins, expected the lower number first",
      "c:11:18: range \"0-4294967295\" is out of range, expected numbers from 0 to 4294967294",
      "c:11:34: range \"5-\" is incomplete, expected FIRST-LAST as \"2000-2999\"",
      "c:11:40: range \"-5\" is incomplete, expected FIRST-LAST as \"2000-2999\"",
      "c:11:46: range \"1-2-3\" is incomplete, expected FIRST-LAST as \"2000-2999\"",
      "c:11:55: range \"-\" is incomplete, expected FIRST-LAST as \"2000-2999\""}},
    {"KindsAndDuplicates",
     std::string(kDeny) + "users = [0, 0, \"root\", \"root\", 1.0]\n",
     {"c:11:13: users has 0 in it twice, expected each once",
      "c:11:24: users has \"root\" in it twice, expected each once",
      "c:11:32: a float in users, expected names, numbers, ranges as \"2000-2999\" or \"*\""}},
};
INSTANTIATE_TEST_SUITE_P(Ids, RuleErrors, testing::ValuesIn(kIdCases), CaseName);

std::string NoPattern(int column, const std::string& quoted) {
  return "c:11:" + std::to_string(column) + ": method " + quoted +
         " is no pattern, expected /SERVICE/METHOD, of letters, digits, _ and *, in SERVICE also "
         "dots, at most 256 each";
}

const RuleCase kMethodCases[] = {
    {"Kinds",
     std::string(kDeny) + "methods = \"/s/M\"\n",
     {"c:11:11: methods is \"/s/M\", expected an array of patterns as "
      "\"/package.Service/Method\""}},
    {"Grammar",
     std::string(kDeny) + "methods = [\"\", \"/\", \"s/M\", \"/s\", \"//M\", \"/s/\"]\n",
     {NoPattern(12, "\"\""), NoPattern(16, "\"/\""), NoPattern(21, "\"s/M\""),
      NoPattern(28, "\"/s\""), NoPattern(34, "\"//M\""), NoPattern(41, "\"/s/\"")}},
    {"Characters",
     std::string(kDeny) + "methods = [\"/s/M.N\", \"/s/M/N\", \"/s-t/M\", \"/s/M?\", \"/s/é\"]\n",
     {NoPattern(12, "\"/s/M.N\""), NoPattern(22, "\"/s/M/N\""), NoPattern(32, "\"/s-t/M\""),
      NoPattern(42, "\"/s/M?\""), NoPattern(51, "\"/s/é\"")}},
    {"Length",
     std::string(kDeny) + "methods = [\"/" + std::string(257, 's') + "/M\"]\n",
     {NoPattern(12, "\"/" + std::string(127, 's') + "…\"")}},
    {"Duplicate",
     std::string(kDeny) + "methods = [\"/s/M\", \"/s/*\", \"/s/M\"]\n",
     {"c:11:28: methods has \"/s/M\" in it twice, expected each once"}},
};
INSTANTIATE_TEST_SUITE_P(Methods, RuleErrors, testing::ValuesIn(kMethodCases), CaseName);

const RuleCase kMetadataCases[] = {
    {"Kinds",
     std::string(kDeny) + "metadata = [\"a\"]\n",
     {"c:11:12: metadata is an array, expected a table of keys and exact values"}},
    {"Empty",
     std::string(kDeny) + "metadata = {}\n",
     {"c:11:12: metadata is a table, expected a table of keys and exact values"}},
    {"Keys",
     std::string(kDeny) +
         "metadata = { \"Namespace\" = \"a\", \"\" = \"b\", \"a b\" = \"c\", \"é\" = \"d\" }\n",
     {"c:11:14: metadata key \"Namespace\" never matches, expected visible ASCII in lower case",
      "c:11:33: metadata key \"\" never matches, expected visible ASCII in lower case",
      "c:11:43: metadata key \"a b\" never matches, expected visible ASCII in lower case",
      "c:11:56: metadata key \"é\" never matches, expected visible ASCII in lower case"}},
    {"OurOwn",
     std::string(kDeny) + "metadata = { ttrpc-proxy-uid = \"0\" }\n",
     {"c:11:14: metadata key \"ttrpc-proxy-uid\" never matches, expected none with ttrpc-proxy-: "
      "they are dropped from every request"}},
    {"Values",
     std::string(kDeny) + "metadata = { a = 1, b.c = \"x\" }\n",
     {"c:11:18: metadata \"a\" is an integer, expected a string",
      "c:11:21: metadata \"b\" is a table, expected a string"}},
};
INSTANTIATE_TEST_SUITE_P(Metadata, RuleErrors, testing::ValuesIn(kMetadataCases), CaseName);

}  // namespace
}  // namespace proxyd
