// SPDX-License-Identifier: Apache-2.0
#include "policy/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;

RuleConfig For(IdSet users, RuleConfig rule) {
  rule.users = std::move(users);
  return rule;
}
RuleConfig Group(gid_t gid, RuleConfig rule) {
  rule.groups = Ids({gid});
  return rule;
}
RuleConfig With(std::map<std::string, std::string> metadata, RuleConfig rule) {
  rule.metadata = std::move(metadata);
  return rule;
}
RuleConfig On(std::vector<size_t> listeners, RuleConfig rule) {
  rule.listeners = std::move(listeners);
  return rule;
}

class ExplainTest : public testing::Test {
 protected:
  // Rule number n is called "n" and is on line 10 + n of c.toml.
  Explanation Ask(std::vector<RuleConfig> rules, std::string_view method) {
    for (size_t i = 0; i < rules.size(); ++i) {
      rules[i].name = std::to_string(i);
      rules[i].position = {.file = "c.toml", .line = static_cast<uint32_t>(10 + i), .column = 3};
    }
    Config config = ConfigOf(std::move(rules));
    config.backends.emplace_back().name = "back";
    const Snapshot snapshot(std::move(config), kOverflow);
    return Explain(snapshot, {.listener = 0,
                              .identity = {.uid = uid_, .gid = 100, .groups = groups_},
                              .method = *ParseMethodName(method),
                              .metadata = metadata_,
                              .workload = workload_,
                              .user = user_name_});
  }

  uid_t uid_ = 1000;
  std::vector<gid_t> groups_;
  std::vector<ttrpc::MetadataEntry> metadata_;
  const WorkloadView* workload_ = nullptr;
  std::string_view user_name_;
};

TEST_F(ExplainTest, SaysWhichRuleAllowsAndWhereItIs) {
  const Explanation found = Ask({Deny({"/s/N"}), Allow({"/s/M"})}, "/s/M");
  EXPECT_TRUE(found.admitted);
  EXPECT_TRUE(found.allowed);
  EXPECT_EQ(found.rule, 1U);
  EXPECT_EQ(found.reason,
            "rule \"1\" (c.toml:11) allows /s/M to uid 1000 through backend \"back\"");
  EXPECT_THAT(found.notes, IsEmpty());
}

TEST_F(ExplainTest, SaysWhichRuleDeniesAndWhichRuleWouldAllow) {
  const Explanation found = Ask({Deny({"/s/N"}), Allow({"/s/*"})}, "/s/N");
  EXPECT_TRUE(found.admitted);
  EXPECT_FALSE(found.allowed);
  EXPECT_EQ(found.rule, 0U);
  EXPECT_EQ(found.reason, "rule \"0\" (c.toml:10) denies /s/N to uid 1000");
  EXPECT_THAT(
      found.notes,
      ElementsAre(
          "rule \"1\" (c.toml:11) would allow it, but rule \"0\" (c.toml:10) matches first"));
}

TEST_F(ExplainTest, SaysThatNothingMatches) {
  const Explanation found = Ask({Allow({"/s/M"})}, "/s/N");
  EXPECT_TRUE(found.admitted);
  EXPECT_FALSE(found.allowed);
  EXPECT_EQ(found.rule, std::nullopt);
  EXPECT_EQ(found.reason, "no rule matches on listener \"first\": uid 1000 may not call /s/N");
  EXPECT_THAT(found.notes, ElementsAre("rule \"0\" (c.toml:10) allows other methods to uid 1000, "
                                       "but not this one"));
}

TEST_F(ExplainTest, SaysThatAPeerIsNotAdmitted) {
  const Explanation found = Ask({For(Ids({7}), Allow({"/s/M"}))}, "/s/M");
  EXPECT_FALSE(found.admitted);
  EXPECT_FALSE(found.allowed);
  EXPECT_EQ(found.reason,
            "uid 1000 is not admitted to listener \"first\": no enforced allow rule can match it "
            "there, so its connection is closed before anything is read");
  EXPECT_THAT(found.notes,
              ElementsAre("rule \"0\" (c.toml:10) allows this method, but not to uid 1000"));
}

TEST_F(ExplainTest, NobodyIsAdmittedWithoutAUser) {
  uid_ = static_cast<uid_t>(-1);
  const Explanation found = Ask({Allow({"/s/M"})}, "/s/M");
  EXPECT_FALSE(found.admitted);
  EXPECT_EQ(found.reason,
            "the uid or gid is -1, which is not an identity: the connection is closed before "
            "anything is read");
  EXPECT_THAT(found.notes, IsEmpty());
}

TEST_F(ExplainTest, RulesThatAreNotEnforcedAreListedSeparately) {
  const Explanation found =
      Ask({Shadow(Deny({"/s/M"})), Shadow(Allow({"/s/*"})), Allow({"/s/M"})}, "/s/M");
  EXPECT_TRUE(found.allowed);
  EXPECT_EQ(found.rule, 2U);
  EXPECT_THAT(found.shadows, ElementsAre(0, 1));
}

TEST_F(ExplainTest, ARuleMayLackGroupsOrUsersOrBoth) {
  groups_ = {5};
  const auto mine = For(Ids({1000}), Allow({"/s/M"}));
  const auto others = For(Ids({7}), Allow({"/s/M"}));
  auto groups_alone = Group(8, Allow({"/s/M"}));
  groups_alone.users.reset();
  const Explanation found = Ask({Allow({"/s/O"}), Group(8, mine), Group(5, others),
                                 Group(8, others), std::move(groups_alone)},
                                "/s/M");
  EXPECT_THAT(
      found.notes,
      ElementsAre(
          "rule \"0\" (c.toml:10) allows other methods to uid 1000, but not this one",
          "rule \"1\" (c.toml:11) allows this method, but not to any group of uid 1000",
          "rule \"2\" (c.toml:12) allows this method, but not to uid 1000",
          "rule \"3\" (c.toml:13) allows this method, but not to uid 1000 or any of its groups",
          "rule \"4\" (c.toml:14) allows this method, but not to any group of uid 1000"));
}

TEST_F(ExplainTest, ARuleMayLackMetadata) {
  const std::map<std::string, std::string> wanted = {{"k", "a \"b\""}, {"l", "2"}};
  metadata_ = {{.key = "l", .value = "2"}, {.key = "m", .value = "3"}};
  const Explanation found = Ask({With(wanted, Allow({"/s/M"}))}, "/s/M");
  EXPECT_FALSE(found.allowed);
  EXPECT_THAT(found.notes, ElementsAre("rule \"0\" (c.toml:10) allows this method to uid 1000, "
                                       "but only with metadata k = \"a \\\"b\\\"\""));
  metadata_ = {{.key = "k", .value = "a \"b\""}, {.key = "l", .value = "2"}};
  EXPECT_TRUE(Ask({With(wanted, Allow({"/s/M"}))}, "/s/M").allowed);
}

TEST_F(ExplainTest, MetadataThatARuleAsksForMayNotRepeat) {
  metadata_ = {{.key = "k", .value = "1"}, {.key = "k", .value = "2"}};
  const Explanation found = Ask({With({{"k", "1"}}, Allow({"/s/M"}))}, "/s/M");
  EXPECT_TRUE(found.admitted);
  EXPECT_FALSE(found.allowed);
  EXPECT_EQ(found.reason, "the request is refused: metadata k must appear once and in lower case");
  EXPECT_THAT(found.notes, IsEmpty());
}

TEST_F(ExplainTest, ARuleMayBeOfAnotherListener) {
  EXPECT_THAT(Ask({On({1}, Allow({"/s/M"}))}, "/s/M").notes,
              ElementsAre("rule \"0\" (c.toml:10) allows this method to uid 1000, but only on "
                          "listener \"second\""));
}

TEST_F(ExplainTest, ARuleThatFailsInTwoRespectsIsNotListed) {
  const Explanation found = Ask({For(Ids({7}), Allow({"/s/O"})), Shadow(Allow({"/s/O"})),
                                 On({1}, For(Ids({7}), Allow({"/s/M"})))},
                                "/s/M");
  EXPECT_THAT(found.notes, IsEmpty());
}

TEST_F(ExplainTest, ARuleMayBeAboutOtherWorkloads) {
  RuleConfig rule = Allow({"/s/M"});
  rule.namespaces = Names({"moby"});
  rule.ids = Names({"a-*", "{user}"});
  rule.annotations.emplace("team", Name("x"));
  EXPECT_THAT(Ask({rule}, "/s/M").notes,
              ElementsAre("rule \"0\" (c.toml:10) allows this method to uid 1000, but only for a "
                          "workload with a namespace like \"moby\" and an id like \"a-*\" or "
                          "\"{user}\" and an annotation team like \"x\""));
  const std::map<std::string, std::string> annotations = {{"team", "x"}};
  const WorkloadView workload = {.name_space = "moby", .id = "dev", .annotations = &annotations};
  workload_ = &workload;
  EXPECT_THAT(Ask({rule}, "/s/M").notes,
              ElementsAre("rule \"0\" (c.toml:10) allows this method to uid 1000, but only for a "
                          "workload with an id like \"a-*\" or \"{user}\""));
  user_name_ = "dev";
  EXPECT_TRUE(Ask({rule}, "/s/M").allowed);
}

TEST_F(ExplainTest, SaysWhyARuleAboutOtherWorkloadsDenies) {
  RuleConfig deny = Deny({"/s/M"});
  deny.annotations.emplace("team", Name("x"));
  EXPECT_EQ(
      Ask({deny, Allow({"/s/M"})}, "/s/M").reason,
      "rule \"0\" (c.toml:10) denies /s/M to uid 1000, since a deny rule about workloads also "
      "matches a call about none");
  std::map<std::string, std::string> annotations;
  const WorkloadView workload = {.name_space = "n", .id = "i", .annotations = &annotations};
  workload_ = &workload;
  EXPECT_EQ(Ask({deny, Allow({"/s/M"})}, "/s/M").reason,
            "rule \"0\" (c.toml:10) denies /s/M to uid 1000, since its conditions on the workload "
            "cannot be answered");
  annotations = {{"team", "x"}};
  EXPECT_EQ(Ask({deny, Allow({"/s/M"})}, "/s/M").reason,
            "rule \"0\" (c.toml:10) denies /s/M to uid 1000");
  annotations = {{"team", "y"}};
  EXPECT_TRUE(Ask({deny, Allow({"/s/M"})}, "/s/M").allowed);
}

TEST_F(ExplainTest, TheOverflowUidMustBeListed) {
  uid_ = kOverflow.uid;
  const Explanation found = Ask({Allow({"/s/M"}), For(Ids({7}), Allow({"/s/M"}))}, "/s/M");
  EXPECT_FALSE(found.admitted);
  EXPECT_THAT(found.notes,
              ElementsAre("rule \"0\" (c.toml:10) allows this method, but not to uid 65534; the "
                          "overflow uid 65534 matches only if users lists it",
                          "rule \"1\" (c.toml:11) allows this method, but not to uid 65534"));
}

TEST_F(ExplainTest, NamesOfRulesAreQuoted) {
  Config config = ConfigOf({Allow({"/s/M"})});
  config.rules[0].name = "a\n\"b\x1b[31m";
  config.rules[0].position.file = "c\n.toml";
  const Snapshot snapshot(std::move(config), kOverflow);
  EXPECT_EQ(Explain(snapshot, {.listener = 0,
                               .identity = Peer(1),
                               .method = {.service = "s", .method = "M"},
                               .metadata = {}})
                .reason,
            "rule \"a\\n\\\"b\\u001b[31m\" (c\\n.toml:0) allows /s/M to uid 1");
}

}  // namespace
}  // namespace proxyd
