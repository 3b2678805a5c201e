// SPDX-License-Identifier: Apache-2.0
//
// Tests the size of the index of a large policy, and that rules for every listener and rules for
// one are checked in the order of the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/policy.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests
using testing::ElementsAre;

RuleConfig Everywhere(RuleConfig rule) {
  rule.every_listener = true;
  rule.listeners.clear();
  return rule;
}

Config Large(size_t listeners, size_t rules, bool everywhere) {
  Config config = ConfigOf({});
  config.listeners.resize(1, config.listeners.front());
  config.listeners.resize(listeners, config.listeners.front());
  for (size_t i = 0; i < rules; ++i) {
    RuleConfig rule = Allow({"/s.S" + std::to_string(i) + "/M"});
    rule.listeners = {i % listeners};
    config.rules.push_back(everywhere ? Everywhere(std::move(rule)) : std::move(rule));
  }
  return config;
}

// Each rule has three entries: itself, its pattern and its service.
TEST(PolicyIndexTest, HoldsAsMuchAsTheRulesSayWhateverTheListeners) {
  for (const size_t listeners : {1, 300}) {
    for (const bool everywhere : {true, false}) {
      const Config config = Large(listeners, 1000, everywhere);
      const Policy policy(config, kOverflow);
      EXPECT_LE(policy.entries(), 3000U) << listeners << everywhere;
    }
  }
}

TEST(PolicyIndexTest, RulesForEveryListenerAndForOneAreInTheOrderOfTheFile) {
  RuleConfig second = Allow({"/s/M"});
  second.listeners = {1};
  const Config config =
      ConfigOf({Shadow(Everywhere(Deny({"/s/*"}))), Shadow(second), Shadow(Everywhere(Deny({}))),
                Shadow(Allow({"/*/M"})), Everywhere(Allow({"/s/M"})), Deny({"/s/M"})});
  const Policy policy(config, kOverflow);
  const auto check = [&](size_t listener) {
    const Admission admission = policy.Admit(listener, Peer(1));
    EXPECT_TRUE(admission.admitted());
    const ttrpc::RequestView request = Call("/s/M");
    Verdict verdict = test::Check(policy, admission, request);
    EXPECT_EQ(verdict.rule, 4U);
    EXPECT_EQ(verdict.labels.service, "s");
    EXPECT_EQ(verdict.labels.method, "M");
    return verdict.shadows;
  };
  EXPECT_THAT(check(0), ElementsAre(0, 2, 3));
  EXPECT_THAT(check(1), ElementsAre(0, 1, 2));
}

// The labels come from the index that spells out more of the method.
TEST(PolicyIndexTest, LabelsAreOfBoth) {
  const Config config = ConfigOf({Everywhere(Allow({"/a/*", "/b/M", "/c/M"})), Allow({"/a/M"}),
                                  Allow({"/b/*"}), Allow({"/d/N"})});
  const Policy policy(config, kOverflow);
  const Admission admission = policy.Admit(0, Peer(1));
  const auto labels = [&](std::string_view method) {
    const ttrpc::RequestView request = Call(method);
    const MethodLabels found = policy.LabelsOf(admission, request);
    return std::string(found.service) + " " + std::string(found.method);
  };
  EXPECT_EQ(labels("/a/M"), "a M");
  EXPECT_EQ(labels("/a/N"), "a other");
  EXPECT_EQ(labels("/b/M"), "b M");
  EXPECT_EQ(labels("/b/N"), "b other");
  EXPECT_EQ(labels("/c/N"), "c other");
  EXPECT_EQ(labels("/d/M"), "d other");
  EXPECT_EQ(labels("/e/M"), "other other");
}

TEST(PolicyIndexTest, GuardsTheKeysOfBothInTheirOrder) {
  RuleConfig everywhere = Everywhere(Allow({"/s/M"}));
  everywhere.metadata = {{"b", "1"}, {"d", "1"}};
  RuleConfig own = Allow({"/s/M"});
  own.metadata = {{"a", "1"}, {"b", "2"}, {"c", "1"}};
  const Config config = ConfigOf({everywhere, own});
  const Policy policy(config, kOverflow);
  const auto refused = [&](size_t listener, std::vector<ttrpc::MetadataEntry> metadata) {
    GuardedValues values;
    return policy.CheckGuardedMetadata(policy.Admit(listener, Peer(1)), metadata, &values)
        .message();
  };
  EXPECT_EQ(refused(0, {{"D", "1"}, {"C", "1"}, {"B", "1"}}),
            "metadata b must appear once and in lower case");
  EXPECT_EQ(refused(0, {{"D", "1"}, {"C", "1"}}), "metadata c must appear once and in lower case");
  EXPECT_EQ(refused(1, {{"D", "1"}, {"C", "1"}}), "metadata d must appear once and in lower case");
  EXPECT_EQ(refused(1, {{"A", "1"}, {"C", "1"}}), "");
}

}  // namespace
}  // namespace proxyd
