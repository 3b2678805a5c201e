// SPDX-License-Identifier: Apache-2.0
//
// Tests the warnings about rules for one version of containerd's Task service, to the letter.
#include "policy/task_twins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "daemon/config/testing.h"
#include "policy/lint.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using test::Allow;
using test::Deny;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

RuleConfig Named(std::string name, RuleConfig rule) {
  rule.position = {.file = "c", .line = 7, .column = 1};
  rule.name = std::move(name);
  return rule;
}

std::vector<std::string> TwinWarnings(std::vector<RuleConfig> rules) {
  return Strings(LintTaskTwins(test::ConfigOf(std::move(rules))));
}

TEST(TaskTwinsTest, AMethodOfV2Alone) {
  EXPECT_THAT(
      TwinWarnings({Named("look", Allow({"/containerd.task.v2.Task/State"}))}),
      ElementsAre("c:7:1: warning: rule \"look\" names State of containerd.task.v2.Task, but "
                  "no rule names it in containerd.task.v3.Task, which the shim of "
                  "containerd 2.x uses; use \"@containerd/State\", which is that method of "
                  "both"));
}

TEST(TaskTwinsTest, SeveralMethodsOfV3Alone) {
  EXPECT_THAT(
      TwinWarnings(
          {Named("look", Deny({"/containerd.task.v3.Task/State", "/containerd.task.v3.Task/K*",
                               "/containerd.task.v2.Task/Kill"}))}),
      ElementsAre(
          "c:7:1: warning: rule \"look\" names State of containerd.task.v3.Task, but no rule "
          "names it in containerd.task.v2.Task, which containerd 1.x uses; use "
          "\"@containerd/State\", which is that method of both"));
  EXPECT_THAT(
      TwinWarnings({Named("all", Allow({"/containerd.task.v3.Task/*"}))}),
      ElementsAre(
          "c:7:1: warning: rule \"all\" names Checkpoint and 16 more methods of "
          "containerd.task.v3.Task, but no rule names them in containerd.task.v2.Task, which "
          "containerd 1.x uses; use \"@containerd/Checkpoint\", which is that method of "
          "both"));
}

TEST(TaskTwinsTest, EachRuleHasItsWarning) {
  EXPECT_EQ(TwinWarnings({Named("a", Allow({"/containerd.task.v2.Task/State"})),
                          Named("b", Deny({"/containerd.task.v2.Task/State"}))})
                .size(),
            2U);
}

TEST(TaskTwinsTest, TheTwinMayBeInAnyRule) {
  EXPECT_THAT(TwinWarnings({Named("a", Allow({"/containerd.task.v2.Task/State"})),
                            Named("b", Deny({"/containerd.task.v3.Task/St*"})),
                            Named("c", Allow({"/containerd.task.v2.Task/Sta*"}))}),
              IsEmpty());
  EXPECT_THAT(TwinWarnings({Named("a", Allow({"/containerd.task.*/State"}))}), IsEmpty());
}

// A rule for every service says nothing about containerd.
TEST(TaskTwinsTest, APatternForEveryServiceNamesNothing) {
  EXPECT_THAT(TwinWarnings({Named("a", Allow({"/*/*"})), Named("b", Deny({}))}), IsEmpty());
  EXPECT_EQ(TwinWarnings({Named("a", Allow({"/*/*"})),
                          Named("b", Allow({"/containerd.task.v2.Task/State"}))})
                .size(),
            1U);
}

TEST(TaskTwinsTest, OtherServicesAndMethodsHaveNoTwin) {
  EXPECT_THAT(TwinWarnings({Named(
                  "a", Allow({"/containerd.task.v2.Tasks/State", "/containerd.task.v2.Task/Other",
                              "/containerd.task.v4.Task/State"}))}),
              IsEmpty());
}

TEST(TaskTwinsTest, SetsHaveBothVersions) {
  const LoadedConfig loaded = ParseText(
      "[[rule]]\nname = \"r\"\naction = \"deny\"\n"
      "methods = [\"@containerd-read\", \"@containerd-task\", \"@containerd/Kill\"]\n");
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(LintTaskTwins(*loaded.config), IsEmpty());
}

TEST(TaskTwinsTest, TheWarningsAreAmongThoseOfCheck) {
  const Config config = test::ConfigOf({Named("look", Deny({"/containerd.task.v2.Task/State"}))});
  EXPECT_THAT(Strings(Lint(config, test::kOverflow)),
              Contains(Strings(LintTaskTwins(config)).at(0)));
}

}  // namespace
}  // namespace proxyd
