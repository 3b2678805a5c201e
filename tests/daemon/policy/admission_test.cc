// SPDX-License-Identifier: Apache-2.0
//
// Compares Admit() with its definition, for each rule and each pair, on random policies. Tests also
// that the groups which a GroupFilter keeps lead to the same decision as all groups.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/group_filter.h"
#include "policy/match.h"
#include "policy/policy.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests

constexpr uint32_t kIds[] = {0, 1, 2, 3, 4, 7, 8, 9, kOverflow.gid, UINT32_MAX - 1};
constexpr std::string_view kServices[] = {"a.A", "a.B", "*", "a.*", "*.A", "a*A", "**", "a.A*"};
constexpr std::string_view kMethods[] = {"Get", "GetAll", "*", "Get*", "*t", "**", "G*t"};
constexpr std::string_view kKeys[] = {"k", "l"};
constexpr std::string_view kValues[] = {"1", "2"};

const RuleWords kWords = {
    .ids = kIds, .services = kServices, .methods = kMethods, .keys = kKeys, .values = kValues};
constexpr RuleOdds kOdds = {.allow = 40,
                            .every_listener = 50,
                            .listeners = 1,
                            .users = 20,
                            .groups = 60,
                            .any_id = 15,
                            .another_method = 60,
                            .metadata = 30,
                            .enforce = 85};

// Whether `deny` matches every request that `allow` matches by `pattern`, one of its methods.
bool DenyCovers(const RuleConfig& deny, const RuleConfig& allow, const MethodPattern& pattern) {
  // std::includes() relies on the order of maps.
  if (!std::includes(allow.metadata.begin(), allow.metadata.end(), deny.metadata.begin(),
                     deny.metadata.end())) {
    return false;
  }
  if (deny.methods.empty()) return true;
  return std::any_of(deny.methods.begin(), deny.methods.end(),
                     [&](const MethodPattern& cover) { return PatternCovers(cover, pattern); });
}

// Implements the definition in policy.h word by word.
bool Admitted(const std::vector<const RuleConfig*>& rules, const Identity& identity) {
  std::vector<const RuleConfig*> denies;
  for (const RuleConfig* rule : rules) {
    if (!rule->enforce || !FitsIdentity(*rule, identity, kOverflow)) continue;
    if (rule->action == RuleConfig::Action::kDeny) {
      denies.push_back(rule);
      continue;
    }
    for (const MethodPattern& pattern : rule->methods) {
      if (std::none_of(denies.begin(), denies.end(),
                       [&](const RuleConfig* deny) { return DenyCovers(*deny, *rule, pattern); })) {
        return true;
      }
    }
  }
  return false;
}

std::vector<RuleConfig> RandomRules(Random& random) {
  std::vector<RuleConfig> rules;
  const uint32_t count = Below(random, 14);
  for (uint32_t i = 0; i < count; ++i) rules.push_back(RandomRule(random, kWords, kOdds));
  return rules;
}

std::vector<gid_t> RandomGroups(Random& random) {
  std::vector<gid_t> groups;
  while (Chance(random, 80)) groups.push_back(Below(random, 12));
  if (Chance(random, 30)) groups.push_back(Pick(random, kIds));
  return groups;
}

TEST(PolicyAdmissionTest, IsWhatItsDefinitionSaysWithAllGroupsAndWithThoseThatCount) {
  Random random(11);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that a failure can be repeated
  size_t admitted = 0;
  constexpr int kRounds = 10000;
  for (int round = 0; round < kRounds; ++round) {
    const Config config = ConfigOf(RandomRules(random));
    const Policy policy(config, kOverflow);
    const std::vector<gid_t> groups = RandomGroups(random);
    const Identity identity = Peer(Pick(random, kIds), Pick(random, kIds), groups);
    const std::vector<gid_t> kept = policy.group_filter()->Reduce(groups);
    const Identity reduced = Peer(identity.uid, identity.gid, kept);
    for (const size_t listener : {size_t{0}, size_t{1}, policy.no_listener()}) {
      std::vector<const RuleConfig*> rules;
      for (const RuleConfig& rule : config.rules) {
        if (listener == 0 || rule.every_listener) rules.push_back(&rule);
      }
      const bool expected = Admitted(rules, identity);
      ASSERT_EQ(policy.Admit(listener, identity).admitted(), expected) << round << " " << listener;
      ASSERT_EQ(policy.Admit(listener, reduced).admitted(), expected) << round << " " << listener;
      admitted += expected ? 1 : 0;
    }
    for (const RuleConfig& rule : config.rules) {
      ASSERT_EQ(FitsIdentity(rule, reduced, kOverflow), FitsIdentity(rule, identity, kOverflow))
          << round;
    }
  }
  // Random policies with only one outcome would test nothing.
  EXPECT_GT(admitted, 3U * kRounds / 10);
  EXPECT_LT(admitted, 3U * kRounds * 9 / 10);
}

// Whether `deny` before `allow` keeps every user of `allow` from being admitted.
bool DeniesAll(const RuleConfig& deny, const RuleConfig& allow) {
  const Config config = ConfigOf({deny, allow});
  return !Policy(config, kOverflow).Admit(0, Peer(1000)).admitted();
}

TEST(DenyCoverTest, PatternWithinPattern) {
  const auto covers = [](std::string_view deny, std::string_view allow) {
    return DeniesAll(Deny({deny}), Allow({allow}));
  };
  EXPECT_TRUE(covers("/*/*", "/*/*"));
  EXPECT_TRUE(covers("/*/*", "/a.B/C"));
  EXPECT_TRUE(covers("/a.*/*", "/a.b*c/D*"));
  EXPECT_TRUE(covers("/a/B", "/a/B"));
  EXPECT_FALSE(covers("/a.*/*", "/*/*"));
  EXPECT_FALSE(covers("/a/B", "/a/*"));
  EXPECT_FALSE(covers("/a/B*", "/a/*B"));
  EXPECT_TRUE(DeniesAll(Deny({}), Allow({"/*/*"})));
}

TEST(DenyCoverTest, MetadataOfDenyMustBeAskedForByAllow) {
  RuleConfig deny = Deny({});
  deny.metadata = {{"ns", "a"}};
  RuleConfig allow = Allow({"/s/M"});
  EXPECT_FALSE(DeniesAll(deny, allow));
  allow.metadata = {{"ns", "b"}};
  EXPECT_FALSE(DeniesAll(deny, allow));
  allow.metadata = {{"ns", "a"}, {"x", "1"}};
  EXPECT_TRUE(DeniesAll(deny, allow));
}

TEST(GroupFilterTest, GroupsThatServeAnotherPolicyDecideTheSameThere) {
  Random random(12);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that a failure can be repeated
  size_t served = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<RuleConfig> before = RandomRules(random);
    std::vector<RuleConfig> after = before;
    if (!after.empty())
      after.erase(after.begin() + Below(random, static_cast<uint32_t>(after.size())));
    if (Chance(random, 50)) std::swap(before, after);
    if (Chance(random, 20)) after = RandomRules(random);
    const GroupFilter old_filter(before, kOverflow.gid);
    const GroupFilter new_filter(after, kOverflow.gid);
    if (!old_filter.Serves(new_filter)) continue;
    ++served;
    const std::vector<gid_t> groups = RandomGroups(random);
    const std::vector<gid_t> kept = old_filter.Reduce(groups);
    const std::vector<gid_t> twice = new_filter.Reduce(kept);
    for (const RuleConfig& rule : after) {
      const bool expected = FitsIdentity(rule, Peer(5, 5, groups), kOverflow);
      ASSERT_EQ(FitsIdentity(rule, Peer(5, 5, kept), kOverflow), expected) << round;
      ASSERT_EQ(FitsIdentity(rule, Peer(5, 5, twice), kOverflow), expected) << round;
    }
  }
  EXPECT_GT(served, 5000U);
  EXPECT_LT(served, 19000U);
}

RuleConfig ForGroups(IdSet groups) {
  RuleConfig rule = Allow({"/s/M"});
  rule.users.reset();
  rule.groups = std::move(groups);
  return rule;
}

TEST(GroupFilterTest, KeepsOnlyWhatCanMakeADifference) {
  std::vector<gid_t> all;
  for (gid_t group = 0; group < 65536; ++group) all.push_back(group);
  const auto kept = [&all](std::vector<RuleConfig> rules) {
    return GroupFilter(rules, kOverflow.gid).Reduce(all);
  };
  EXPECT_EQ(kept({Allow({"/s/M"})}), std::vector<gid_t>());
  EXPECT_EQ(kept({ForGroups(Ids({7, 9, 70000}))}), (std::vector<gid_t>{7, 9, kOverflow.gid}));
  EXPECT_EQ(kept({ForGroups(Range(100, 5000))}), (std::vector<gid_t>{100, kOverflow.gid}));
  EXPECT_EQ(kept({ForGroups(Range(100, 5000)), ForGroups(Range(5000, 6000))}),
            (std::vector<gid_t>{100, 5000, 5001, kOverflow.gid}));
  EXPECT_EQ(kept({ForGroups(Any()), ForGroups(Ids({3}))}),
            (std::vector<gid_t>{0, 3, kOverflow.gid}));
  // A user namespace may turn their order around.
  std::reverse(all.begin(), all.end());
  EXPECT_EQ(kept({ForGroups(Ids({9, 7, 70000}))}), (std::vector<gid_t>{7, 9, kOverflow.gid}));
}

TEST(GroupFilterTest, AsksAgainOnlyForWhatItDidNotTellApart) {
  const auto filter = [](std::vector<RuleConfig> rules) {
    return GroupFilter(rules, kOverflow.gid);
  };
  const GroupFilter ids = filter({ForGroups(Ids({7, 8})), ForGroups(Range(10, 20))});
  EXPECT_TRUE(ids.Serves(ids));
  EXPECT_TRUE(ids.Serves(filter({})));
  EXPECT_TRUE(ids.Serves(filter({ForGroups(Ids({8}))})));
  EXPECT_TRUE(ids.Serves(filter({ForGroups(Range(7, 8))})));
  EXPECT_FALSE(ids.Serves(filter({ForGroups(Ids({9}))})));
  EXPECT_FALSE(ids.Serves(filter({ForGroups(Range(10, 19))})));
  EXPECT_FALSE(ids.Serves(filter({ForGroups(Range(8, 20))})));
  EXPECT_FALSE(ids.Serves(filter({ForGroups(Any())})));
  EXPECT_FALSE(filter({}).Serves(ids));
  EXPECT_TRUE(filter({}).Serves(filter({Allow({"/s/M"})})));
}

}  // namespace
}  // namespace proxyd
