// SPDX-License-Identifier: Apache-2.0
//
// Tests every error of a rule, to the letter and in order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAreArray;

// Two listeners and a backend, before the rule, which begins on line 8.
constexpr const char* kAround = R"(listener = [ { name = "a", address = "unix:///a" },
             { name = "b", address = "unix:///b" } ]

[[backend]]
name = "shim"
address = "unix:///shim"

)";
// The required keys of an allow rule, on lines 8 to 13.
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

TEST(RuleErrors, TheRulesOfTheCasesHaveNone) {
  EXPECT_TRUE(ParseText(std::string(kAround) + kAllow).config.has_value());
  EXPECT_TRUE(ParseText(std::string(kAround) + kDeny).config.has_value());
}

const RuleCase kMeaningCases[] = {
    {"Empty",
     "[[rule]]\n",
     {"c:8:1: error: [[rule]] has no name; give it one that no other rule has",
      "c:8:1: error: [[rule]] has no action; use \"allow\" or \"deny\""}},
    {"AllowSaysNothing",
     "[[rule]]\nname = \"r\"\naction = \"allow\"\n",
     {"c:8:1: error: [[rule]] with action = \"allow\" has neither users nor groups; add one of "
      "them",
      "c:8:1: error: [[rule]] with action = \"allow\" has no methods; add methods",
      "c:8:1: error: [[rule]] with action = \"allow\" has no backend; add one"}},
    {"DenyWithWhatOnlyAllowHas",
     std::string(kDeny) + "backend = \"shim\"\nstreams = false\ncall_max = \"1s\"\n",
     {"c:11:1: error: backend is set in a [[rule]] with action = \"deny\"; remove it",
      "c:12:1: error: streams is set in a [[rule]] with action = \"deny\"; remove it",
      "c:13:1: error: call_max is set in a [[rule]] with action = \"deny\"; remove it"}},
    {"Action",
     "[[rule]]\nname = \"r\"\naction = \"permit\"\n",
     {"c:10:10: error: action is \"permit\"; use \"allow\" or \"deny\""}},
    {"Duplicate",
     std::string(kDeny) + kDeny,
     {"c:12:8: error: name \"r\" is already used at c:9:8; use a name that no other rule has"}},
    {"OtherKinds",
     std::string(kAllow) + "streams = \"yes\"\nenforce = 0\naudit = true\ncall_max = 5\n",
     {"c:14:11: error: streams is \"yes\"; use true or false",
      "c:15:11: error: enforce is 0; use true or false",
      "c:16:9: error: audit is a boolean; use \"none\", \"denied\" or \"all\"",
      "c:17:12: error: call_max is 5; use a duration such as \"250ms\", \"2s\" or \"5m\""}},
    {"UnknownKeys",
     std::string(kAllow) + "user = \"root\"\nnamespace = \"k8s.io\"\n",
     {"c:14:1: error: unknown key \"user\" in [[rule]]; did you mean \"users\"?",
      "c:15:1: error: unknown key \"namespace\" in [[rule]]; did you mean \"namespaces\"?"}},
    {"BackendIsNoString",
     "[[rule]]\nname = \"r\"\nusers = [0]\nmethods = [\"/s/M\"]\naction = \"allow\"\n"
     "backend = [\"shim\"]\n",
     {"c:13:11: error: backend is an array; use the name of a backend"}},
};
INSTANTIATE_TEST_SUITE_P(Meaning, RuleErrors, testing::ValuesIn(kMeaningCases), CaseName);

const RuleCase kReferenceCases[] = {
    {"Dangling",
     "[[rule]]\nname = \"r\"\nlisteners = [\"a\", \"shims\"]\nusers = [0]\nmethods = [\"/s/M\"]\n"
     "action = \"allow\"\nbackend = \"b\"\n",
     {"c:10:19: error: listener \"shims\" does not exist; use \"a\" or \"b\"",
      "c:14:11: error: backend \"b\" does not exist; use \"shim\""}},
    {"Listeners",
     std::string(kDeny) + "listeners = []\n",
     {"c:11:13: error: listeners is an empty array; use an array with the names of one or more "
      "listeners"}},
    {"ListenersInside",
     std::string(kDeny) + "listeners = [\"a\", \"a\", 1]\n",
     {"c:11:19: error: listeners contains \"a\" twice; remove one of the two",
      "c:11:24: error: listeners contains an integer; use only strings"}},
};
INSTANTIATE_TEST_SUITE_P(References, RuleErrors, testing::ValuesIn(kReferenceCases), CaseName);

const RuleCase kIdCases[] = {
    {"Empty",
     std::string(kDeny) + "users = []\ngroups = \"*\"\n",
     {"c:11:9: error: users is an empty array; use an array of names, numbers, ranges such as "
      "\"2000-2999\", or \"*\"",
      "c:12:10: error: groups is \"*\"; use an array of names, numbers, ranges such as "
      "\"2000-2999\", or \"*\""}},
    {"Names",
     std::string(kDeny) + "users = [\"rot\", \"\", \"broken\"]\ngroups = [\"prometheus\"]\n",
     {"c:11:10: error: user \"rot\" does not exist; did you mean \"root\"?",
      "c:11:17: error: user \"\" does not exist; use an existing user name, a number, a range such "
      "as \"2000-2999\", or \"*\"",
      "c:11:21: error: user \"broken\" has the invalid id 4294967295; use another user",
      "c:12:11: error: group \"prometheus\" does not exist; use an existing group name, a number, "
      "a range such as \"2000-2999\", or \"*\""}},
    {"Numbers",
     std::string(kDeny) + "users = [-1, 4294967295, 4294967296, \"99999999999999999999\"]\n",
     {"c:11:10: error: user -1 is out of range; use a number from 0 to 4294967294",
      "c:11:14: error: user 4294967295 is out of range; use a number from 0 to 4294967294",
      "c:11:26: error: user 4294967296 is out of range; use a number from 0 to 4294967294",
      "c:11:38: error: user \"99999999999999999999\" is out of range; use a number from 0 to "
      "4294967294"}},
    {"Ranges",
     std::string(kDeny) +
         "groups = [\"3-2\", \"0-4294967295\", \"5-\", \"-5\", \"1-2-3\", \"-\"]\n",
     {"c:11:11: error: range \"3-2\" ends before it begins; put the lower number first",
      "c:11:18: error: range \"0-4294967295\" is out of range; use numbers from 0 to 4294967294",
      "c:11:34: error: range \"5-\" is incomplete; use FIRST-LAST, such as \"2000-2999\"",
      "c:11:40: error: range \"-5\" is incomplete; use FIRST-LAST, such as \"2000-2999\"",
      "c:11:46: error: range \"1-2-3\" is incomplete; use FIRST-LAST, such as \"2000-2999\"",
      "c:11:55: error: range \"-\" is incomplete; use FIRST-LAST, such as \"2000-2999\""}},
    {"KindsAndDuplicates",
     std::string(kDeny) + "users = [0, 0, \"root\", \"root\", 1.0]\n",
     {"c:11:13: error: users contains 0 twice; remove one of the two",
      "c:11:24: error: users contains \"root\" twice; remove one of the two",
      "c:11:32: error: users contains a float; use a name, a number, a range such as "
      "\"2000-2999\", or \"*\""}},
};
INSTANTIATE_TEST_SUITE_P(Ids, RuleErrors, testing::ValuesIn(kIdCases), CaseName);

std::string NoPattern(int column, const std::string& quoted) {
  return "c:11:" + std::to_string(column) + ": error: method " + quoted +
         " is not a valid pattern; use /SERVICE/METHOD with letters, digits, _ and *, and dots in "
         "SERVICE, at most 256 each";
}

const RuleCase kMethodCases[] = {
    {"Kinds",
     std::string(kDeny) + "methods = \"/s/M\"\n",
     {"c:11:11: error: methods is \"/s/M\"; use an array of patterns such as "
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
     {"c:11:28: error: methods contains \"/s/M\" twice; remove one of the two"}},
};
INSTANTIATE_TEST_SUITE_P(Methods, RuleErrors, testing::ValuesIn(kMethodCases), CaseName);

const RuleCase kMetadataCases[] = {
    {"Kinds",
     std::string(kDeny) + "metadata = [\"a\"]\n",
     {"c:11:12: error: metadata is an array; use a table of keys and exact values"}},
    {"Empty",
     std::string(kDeny) + "metadata = {}\n",
     {"c:11:12: error: metadata is an empty table; use a table of keys and exact values"}},
    {"Keys",
     std::string(kDeny) +
         "metadata = { \"Namespace\" = \"a\", \"\" = \"b\", \"a b\" = \"c\", \"é\" = \"d\" }\n",
     {"c:11:14: error: metadata key \"Namespace\" can never match; use visible ASCII in lower case",
      "c:11:33: error: metadata key \"\" can never match; use visible ASCII in lower case",
      "c:11:43: error: metadata key \"a b\" can never match; use visible ASCII in lower case",
      "c:11:56: error: metadata key \"é\" can never match; use visible ASCII in lower case"}},
    {"OurOwn",
     std::string(kDeny) + "metadata = { ttrpc-proxy-uid = \"0\" }\n",
     {"c:11:14: error: metadata key \"ttrpc-proxy-uid\" can never match, since ttrpc-proxy- keys "
      "are dropped from every request; remove it"}},
    {"Values",
     std::string(kDeny) + "metadata = { a = 1, b.c = \"x\" }\n",
     {"c:11:18: error: metadata \"a\" is an integer; use a string",
      "c:11:21: error: metadata \"b\" is a table; use a string"}},
};
INSTANTIATE_TEST_SUITE_P(Metadata, RuleErrors, testing::ValuesIn(kMetadataCases), CaseName);

}  // namespace
}  // namespace proxyd
