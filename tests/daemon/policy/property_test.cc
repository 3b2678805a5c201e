// SPDX-License-Identifier: Apache-2.0
//
// Compares the index with a check of one rule after another, on random policies. They are made from
// few words, so that rules overlap often.
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/policy.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests

constexpr uint32_t kSeed = 20240229;

constexpr uint32_t kIds[] = {0, 1, 2, 3, kOverflow.uid, kOverflow.gid};
constexpr std::string_view kServices[] = {"a.A", "a.B", "b.A", "c"};
constexpr std::string_view kMethods[] = {"Get", "Set", "GetAll"};
constexpr std::string_view kServicePatterns[] = {"a.A", "a.B", "b.A", "c",   "*",
                                                 "**",  "a.*", "*.A", "b*A", "d"};
constexpr std::string_view kMethodPatterns[] = {"Get", "Set", "GetAll", "*", "Get*", "*t", "**"};
constexpr std::string_view kKeys[] = {"k", "l"};
constexpr std::string_view kValues[] = {"1", "2"};

const RuleWords kWords = {.ids = kIds,
                          .services = kServicePatterns,
                          .methods = kMethodPatterns,
                          .keys = kKeys,
                          .values = kValues};
// Both kinds of rules are needed, since rules for every listener have an index of their own.
constexpr RuleOdds kOdds = {.allow = 50,
                            .every_listener = 40,
                            .listeners = 2,
                            .users = 60,
                            .groups = 30,
                            .any_id = 20,
                            .another_method = 50,
                            .metadata = 25,
                            .enforce = 75};

// The functions below implement the contract without the code under test.
bool NaiveMatch(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return NaiveMatch(pattern.substr(1), text) ||
           (!text.empty() && NaiveMatch(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] && NaiveMatch(pattern.substr(1), text.substr(1));
}

bool NaiveHas(const IdSet& set, uint32_t id, bool may_use_wildcards) {
  bool has = false;
  for (uint32_t exact : set.exact) has |= exact == id;
  if (!may_use_wildcards) return has;
  for (const IdRange& range : set.ranges) has |= range.first <= id && id <= range.last;
  return has || set.any;
}

bool NaiveFits(const RuleConfig& rule, const Identity& identity) {
  const bool deny = rule.action == RuleConfig::Action::kDeny;
  bool user = true;
  if (rule.users) user = NaiveHas(*rule.users, identity.uid, deny || identity.uid != kOverflow.uid);
  bool group = true;
  if (rule.groups) {
    std::vector<gid_t> gids(identity.groups.begin(), identity.groups.end());
    gids.push_back(identity.gid);
    group = std::any_of(gids.begin(), gids.end(), [&](gid_t gid) {
      return NaiveHas(*rule.groups, gid, deny || gid != kOverflow.gid);
    });
  }
  return user && group;
}

bool NaiveMatches(const RuleConfig& rule, const ttrpc::RequestView& request) {
  bool method = rule.methods.empty();
  for (const MethodPattern& pattern : rule.methods) {
    method |=
        NaiveMatch(pattern.service, request.service) && NaiveMatch(pattern.method, request.method);
  }
  if (!method) return false;
  for (const auto& [key, value] : rule.metadata) {
    bool holds = false;
    for (const auto& entry : request.metadata) holds |= entry.key == key && entry.value == value;
    if (!holds) return false;
  }
  return true;
}

Verdict NaiveCheck(const Config& config, size_t listener, const Identity& identity,
                   const ttrpc::RequestView& request) {
  Verdict verdict;
  for (size_t i = 0; i < config.rules.size(); ++i) {
    const RuleConfig& rule = config.rules[i];
    const bool here = rule.every_listener ||
                      std::count(rule.listeners.begin(), rule.listeners.end(), listener) > 0;
    if (!here || !NaiveFits(rule, identity) || !NaiveMatches(rule, request)) continue;
    if (rule.enforce) {
      verdict.allowed = rule.action == RuleConfig::Action::kAllow;
      verdict.rule = i;
      return verdict;
    }
    verdict.shadows.push_back(i);
  }
  return verdict;
}

// Returns every request that can be made from the words above, with each key at most once.
std::vector<ttrpc::RequestView> AllRequests() {
  std::vector<std::vector<ttrpc::MetadataEntry>> metadata = {{}};
  for (std::string_view key : kKeys) {
    const size_t without = metadata.size();
    for (size_t i = 0; i < without; ++i) {
      for (std::string_view value : kValues) {
        metadata.push_back(metadata[i]);
        metadata.back().push_back({key, value});
      }
    }
  }
  std::vector<ttrpc::RequestView> requests;
  for (std::string_view service : kServices) {
    for (std::string_view method : kMethods) {
      for (const auto& entries : metadata) {
        requests.emplace_back();
        requests.back().service = service;
        requests.back().method = method;
        requests.back().metadata = entries;
      }
    }
  }
  return requests;
}

TEST(PolicyPropertyTest, IndexSaysWhatTheRulesSayOneAfterTheOther) {
  Random random(kSeed);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that a failure can be repeated
  const std::vector<ttrpc::RequestView> requests = AllRequests();
  size_t allowed = 0;
  size_t denied = 0;
  size_t shadows = 0;
  size_t closed = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<RuleConfig> rules;
    const uint32_t count = Chance(random, 5) ? 60 + Below(random, 20) : Below(random, 12);
    for (uint32_t i = 0; i < count; ++i) rules.push_back(RandomRule(random, kWords, kOdds));
    const Config config = ConfigOf(std::move(rules));
    const Policy policy(config, kOverflow);
    const size_t listener = Below(random, 2);
    const std::vector<gid_t> groups(Below(random, 3), Pick(random, kIds));
    const Identity identity = Peer(Pick(random, kIds), Pick(random, kIds), groups);
    const Admission admission = policy.Admit(listener, identity);
    closed += admission.admitted() ? 0 : 1;
    for (const ttrpc::RequestView& request : requests) {
      const Verdict verdict = test::Check(policy, admission, request);
      const Verdict expected = NaiveCheck(config, listener, identity, request);
      ASSERT_EQ(verdict.allowed, expected.allowed) << round;
      ASSERT_EQ(verdict.rule, expected.rule) << round;
      ASSERT_EQ(verdict.shadows, expected.shadows) << round;
      // A connection may be closed only if none of its calls could be allowed.
      ASSERT_TRUE(admission.admitted() || !expected.allowed) << round;
      ++(verdict.allowed ? allowed : denied);
      shadows += verdict.shadows.size();
    }
  }
  // Random policies with only one outcome would test nothing.
  EXPECT_GT(allowed, 20000U);
  EXPECT_GT(denied, 20000U);
  EXPECT_GT(shadows, 20000U);
  EXPECT_GT(closed, 300U);
  EXPECT_LT(closed, 2700U);
}

bool operator==(const MethodLabels& a, const MethodLabels& b) {
  return a.service == b.service && a.method == b.method;
}

Verdict Decide(const Policy& policy, Admission* admission, const ttrpc::RequestView& request) {
  GuardedValues values;
  static_cast<void>(policy.CheckGuardedMetadata(*admission, request.metadata, &values));
  return policy.Decide(admission, request, values, nullptr);
}

TEST(PolicyPropertyTest, AnAdmissionThatRemembersDecidesAsOneThatDoesNot) {
  Random random(kSeed);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that a failure can be repeated
  const std::vector<ttrpc::RequestView> requests = AllRequests();
  const size_t for_each_method = requests.size() / (std::size(kServices) * std::size(kMethods));
  size_t remembered = 0;
  size_t repeated = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<RuleConfig> rules;
    for (uint32_t n = Below(random, 12); n > 0; --n)
      rules.push_back(RandomRule(random, kWords, kOdds));
    const Config config = ConfigOf(std::move(rules));
    const Policy policy(config, kOverflow);
    const size_t listener = Below(random, 2);
    const Identity identity = Peer(Pick(random, kIds), Pick(random, kIds));
    Admission admission = policy.Admit(listener, identity);
    size_t chosen = 0;
    for (int sent = 0; sent < 50; ++sent) {
      // Half of the requests repeat the method with other metadata, as a neighbour in
      // AllRequests().
      chosen = Chance(random, 50) ? chosen / for_each_method * for_each_method +
                                        Below(random, static_cast<uint32_t>(for_each_method))
                                  : Below(random, static_cast<uint32_t>(requests.size()));
      const ttrpc::RequestView& request = requests[chosen];
      const bool from_memory = admission.Recall(request) != nullptr;
      const Verdict verdict = Decide(policy, &admission, request);
      const Verdict expected = test::Check(policy, policy.Admit(listener, identity), request);
      ASSERT_EQ(verdict.allowed, expected.allowed) << round;
      ASSERT_EQ(verdict.rule, expected.rule) << round;
      ASSERT_EQ(verdict.shadows, expected.shadows) << round;
      ASSERT_EQ(verdict.by_names_alone, expected.by_names_alone) << round;
      ASSERT_TRUE(verdict.labels == expected.labels) << round;
      // A verdict is remembered if and only if it is repeatable.
      ASSERT_TRUE(!from_memory || expected.repeatable()) << round;
      if (expected.repeatable()) {
        ASSERT_TRUE(admission.Recall(request)) << round;
      }
      repeated += from_memory ? 1 : 0;
      remembered += expected.repeatable() ? 1 : 0;
    }
  }
  EXPECT_GT(repeated, 5000U);
  EXPECT_GT(remembered, repeated + 2000U);
}

}  // namespace
}  // namespace proxyd
