// SPDX-License-Identifier: Apache-2.0
//
// Tests conditions on workloads: what matches, what may be remembered, who is admitted, and which
// backends a peer may need.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/match.h"
#include "policy/policy.h"
#include "support/allocation_count.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;

RuleConfig InNamespaces(const std::vector<std::string_view>& patterns, RuleConfig rule) {
  rule.namespaces = Names(patterns);
  return rule;
}
RuleConfig WithIds(const std::vector<std::string_view>& patterns, RuleConfig rule) {
  rule.ids = Names(patterns);
  return rule;
}
RuleConfig Annotated(const std::string& key, std::string_view pattern, RuleConfig rule) {
  rule.annotations.insert_or_assign(key, Name(pattern));
  return rule;
}

constexpr WorkloadView kWeb = {.name_space = "k8s.io", .id = "1000-web"};

// Returns the rule that decides about a call of uid 1000, whose name is `user`.
std::optional<size_t> Decider(std::vector<RuleConfig> rules, const WorkloadView* workload,
                              const std::string& user = "") {
  const Config config = ConfigOf(std::move(rules));
  const Policy policy(config, kOverflow);
  Admission admission = policy.Admit(0, Peer(1000));
  admission.SetUser(user);
  return test::Check(policy, admission, Call("/s/M"), workload).rule;
}

bool Matches(const RuleConfig& rule, const WorkloadView* workload, const std::string& user = "") {
  return Decider({rule}, workload, user) == 0U;
}

TEST(WorkloadRulesTest, NamespacesAndIdsMustMatch) {
  for (const RuleConfig& rule : {Allow({"/s/M"}), Deny({"/s/M"})}) {
    EXPECT_TRUE(Matches(InNamespaces({"k8s.io"}, rule), &kWeb));
    EXPECT_TRUE(Matches(InNamespaces({"moby", "k8s.*"}, rule), &kWeb));
    EXPECT_FALSE(Matches(InNamespaces({"moby"}, rule), &kWeb));
    EXPECT_TRUE(Matches(WithIds({"{uid}-*"}, rule), &kWeb));
    EXPECT_FALSE(Matches(WithIds({"{gid}-*", "web"}, rule), &kWeb));
    EXPECT_TRUE(Matches(InNamespaces({"k8s.io"}, WithIds({"*-web"}, rule)), &kWeb));
    EXPECT_FALSE(Matches(InNamespaces({"k8s.io"}, WithIds({"*-db"}, rule)), &kWeb));
    EXPECT_FALSE(Matches(InNamespaces({"moby"}, WithIds({"*-web"}, rule)), &kWeb));
  }
}

TEST(WorkloadRulesTest, AllAnnotationsMustMatch) {
  const std::map<std::string, std::string> annotations = {{"team", "a"}, {"tier", "web"}};
  const WorkloadView workload = {.name_space = "n", .id = "i", .annotations = &annotations};
  for (const RuleConfig& rule : {Allow({"/s/M"}), Deny({"/s/M"})}) {
    EXPECT_TRUE(Matches(Annotated("team", "a", rule), &workload));
    EXPECT_TRUE(Matches(Annotated("team", "*", Annotated("tier", "w*", rule)), &workload));
    EXPECT_FALSE(Matches(Annotated("team", "a", Annotated("tier", "db", rule)), &workload));
  }
}

TEST(WorkloadRulesTest, AMissingAnnotationAllowsNothingAndIsDenied) {
  const std::map<std::string, std::string> annotations = {{"tier", "web"}};
  const WorkloadView other = {.name_space = "k8s.io", .id = "i", .annotations = &annotations};
  for (const WorkloadView* workload : {&other, &kWeb}) {
    EXPECT_FALSE(Matches(Annotated("team", "*", Allow({"/s/M"})), workload));
    EXPECT_TRUE(Matches(Annotated("team", "a", Deny({"/s/M"})), workload));
    EXPECT_FALSE(Matches(InNamespaces({"moby"}, Annotated("team", "a", Deny({"/s/M"}))), workload))
        << "another condition fails";
  }
}

TEST(WorkloadRulesTest, AnUnknownUserAllowsNothingAndIsDenied) {
  EXPECT_TRUE(Matches(WithIds({"*-{user}"}, Allow({"/s/M"})), &kWeb, "web"));
  EXPECT_FALSE(Matches(WithIds({"*-{user}"}, Deny({"/s/M"})), &kWeb, "db"));
  EXPECT_FALSE(Matches(WithIds({"*{user}"}, Allow({"/s/M"})), &kWeb));
  EXPECT_TRUE(Matches(WithIds({"*{user}"}, Deny({"/s/M"})), &kWeb));
  EXPECT_TRUE(Matches(WithIds({"{user}", "1000-web"}, Allow({"/s/M"})), &kWeb))
      << "another pattern matches";
}

TEST(WorkloadRulesTest, ACallAboutNoWorkloadIsAllowedNothingAndDenied) {
  EXPECT_FALSE(Matches(WithIds({"*"}, Allow({"/s/M"})), nullptr));
  EXPECT_TRUE(Matches(WithIds({"x"}, Deny({"/s/M"})), nullptr));
  EXPECT_TRUE(Matches(Allow({"/s/M"}), nullptr));
}

TEST(WorkloadRulesTest, TheFirstRuleThatMatchesDecides) {
  const std::vector<RuleConfig> rules = {WithIds({"*-db"}, Deny({"/s/*"})),
                                         InNamespaces({"moby"}, Allow({"/s/M"})),
                                         InNamespaces({"k8s.io"}, Allow({"/s/M"})), Deny({})};
  EXPECT_EQ(Decider(rules, &kWeb), 2U);
  const WorkloadView database = {.name_space = "k8s.io", .id = "1-db"};
  EXPECT_EQ(Decider(rules, &database), 0U);
  const WorkloadView elsewhere = {.name_space = "x", .id = "y"};
  EXPECT_EQ(Decider(rules, &elsewhere), 3U);
}

TEST(WorkloadRulesTest, AVerdictThatDependsOnTheWorkloadIsNotRemembered) {
  const Config config = ConfigOf({WithIds({"*-db"}, Deny({"/s/M"})), Allow({"/s/*"})});
  const Policy policy(config, kOverflow);
  Admission admission = policy.Admit(0, Peer(1000));
  const GuardedValues values;
  EXPECT_TRUE(policy.Decide(&admission, Call("/s/M"), values, &kWeb).allowed);
  EXPECT_FALSE(admission.Recall(Call("/s/M")));
  const WorkloadView database = {.name_space = "k8s.io", .id = "1-db"};
  EXPECT_FALSE(policy.Decide(&admission, Call("/s/M"), values, &database).allowed);
  EXPECT_TRUE(policy.Decide(&admission, Call("/s/N"), values, &kWeb).allowed);
  EXPECT_TRUE(admission.Recall(Call("/s/N"))) << "no rule for it looks at the workload";
}

TEST(WorkloadRulesTest, CheckingAllocatesNothing) {
  const std::map<std::string, std::string> annotations = {{"team", "a-long-name-of-a-team-1000"}};
  const WorkloadView workload = {
      .name_space = "k8s.io", .id = "1000-a-long-name", .annotations = &annotations};
  const Config config = ConfigOf({InNamespaces(
      {"k8s.*"}, WithIds({"{uid}-a-long-*"}, Annotated("team", "a-*-{uid}", Allow({"/s/M"}))))});
  const Policy policy(config, kOverflow);
  const Admission admission = policy.Admit(0, Peer(1000));
  const ttrpc::RequestView request = Call("/s/M");
  const GuardedValues values;
  const size_t before = AllocationCount();
  const bool allowed = policy.Check(admission, request, values, &workload).allowed;
  EXPECT_EQ(AllocationCount(), before);
  EXPECT_TRUE(allowed);
}

TEST(WorkloadAdmissionTest, ADenyRuleAboutWorkloadsKeepsNobodyOut) {
  const auto admitted = [](std::vector<RuleConfig> rules) {
    const Config config = ConfigOf(std::move(rules));
    return Policy(config, kOverflow).Admit(0, Peer(1000)).admitted();
  };
  EXPECT_FALSE(admitted({Deny({}), WithIds({"a"}, Allow({"/s/M"}))}));
  EXPECT_TRUE(admitted({WithIds({"*"}, Deny({})), Allow({"/s/M"})}));
  EXPECT_TRUE(admitted({WithIds({"a"}, Deny({})), WithIds({"a"}, Allow({"/s/M"}))}));
  EXPECT_TRUE(admitted({Annotated("a", "b", Deny({"/s/M"})), Allow({"/s/M"})}));
  // The same rules still deny calls.
  EXPECT_EQ(Decider({WithIds({"*"}, Deny({})), Allow({"/s/M"})}, &kWeb), 0U);
}

TEST(WorkloadAdmissionTest, TheNameOfTheUserIsNeededOnlyByRulesThatFit) {
  RuleConfig for_others = WithIds({"{user}"}, Allow({"/s/M"}));
  for_others.users = Ids({5});
  const auto needs_user = [](std::vector<RuleConfig> rules, size_t listener = 0) {
    const Config config = ConfigOf(std::move(rules));
    const Policy policy(config, kOverflow);
    return policy.NeedsUser(policy.Admit(listener, Peer(1000)));
  };
  EXPECT_FALSE(needs_user({}));
  EXPECT_FALSE(needs_user({WithIds({"{uid}"}, Allow({"/s/M"}))}));
  EXPECT_FALSE(needs_user({for_others, Allow({"/s/M"})}));
  EXPECT_FALSE(needs_user({WithIds({"{user}"}, Allow({"/s/M"}))}, 1)) << "another listener";
  EXPECT_TRUE(needs_user({WithIds({"{user}"}, Allow({"/s/M"}))}));
  EXPECT_TRUE(needs_user({for_others, InNamespaces({"{user}"}, Deny({}))}));
  EXPECT_TRUE(needs_user({Allow({"/s/M"}), Shadow(Annotated("a", "{user}", Deny({})))}));
}

TEST(WorkloadAdmissionTest, ListsTheBackendsThatAPeerMayReach) {
  const auto to = [](size_t backend, RuleConfig rule) {
    rule.backend = backend;
    return rule;
  };
  RuleConfig for_others = to(4, Allow({"/s/M"}));
  for_others.users = Ids({5});
  const Config config =
      ConfigOf({to(2, Allow({"/s/M"})), for_others, to(3, Shadow(Allow({"/s/M"}))),
                WithIds({"x"}, Deny({"/t/*"})), to(1, WithIds({"a"}, Allow({"/t/M"}))),
                to(2, Allow({"/u/M"})), Deny({"/v/*"}), to(5, Allow({"/v/M"}))});
  const Policy policy(config, kOverflow);
  const auto backends = [&policy](size_t listener) {
    std::vector<size_t> found;
    policy.ForEachBackend(policy.Admit(listener, Peer(1000)),
                          [&found](size_t backend) { found.push_back(backend); });
    return found;
  };
  EXPECT_THAT(backends(0), ElementsAre(2, 1));
  EXPECT_THAT(backends(1), IsEmpty());
}

TEST(WorkloadMatchTest, ComparesTheConditionsOfTwoRules) {
  const RuleConfig none = Allow({"/s/M"});
  const RuleConfig a = WithIds({"a"}, none);
  const RuleConfig a_or_b = WithIds({"a", "b"}, none);
  const RuleConfig b = WithIds({"b"}, none);
  const RuleConfig any = WithIds({"*"}, none);
  EXPECT_TRUE(WorkloadsCover(none, a));
  EXPECT_FALSE(WorkloadsCover(a, none));
  EXPECT_TRUE(WorkloadsCover(a_or_b, a));
  EXPECT_FALSE(WorkloadsCover(a, a_or_b));
  EXPECT_TRUE(WorkloadsCover(none, Annotated("k", "v", none)));
  EXPECT_TRUE(WorkloadsCover(Annotated("k", "v", none), Annotated("k", "v", a)));
  EXPECT_FALSE(WorkloadsCover(Annotated("k", "v", none), Annotated("k", "w", none)));
  EXPECT_TRUE(WorkloadsMeet(none, a));
  EXPECT_TRUE(WorkloadsMeet(a_or_b, b));
  EXPECT_FALSE(WorkloadsMeet(a, b));
  EXPECT_TRUE(WorkloadsMeet(any, b));
  EXPECT_TRUE(WorkloadsMeet(WithIds({"{user}"}, none), b));
  EXPECT_FALSE(WorkloadsMeet(Annotated("k", "v", none), Annotated("k", "w", none)));
  EXPECT_TRUE(WorkloadsMeet(Annotated("k", "v", none), Annotated("l", "w", none)));
}

}  // namespace
}  // namespace proxyd
