// SPDX-License-Identifier: Apache-2.0
//
// Compares BlockerIndex with a comparison of all pairs, on random configurations. Tests also how
// many pairs it compares in a large configuration.
#include "policy/blockers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/lint.h"
#include "support/policy_builder.h"
#include "text/escape.h"

namespace proxyd {

using text::Quote;

namespace {

using test::Below;
using test::Random;

constexpr uint32_t kOverflowId = 5;
constexpr OverflowIds kOverflow = {.uid = kOverflowId, .gid = kOverflowId};
constexpr size_t kListeners = 3;

constexpr uint32_t kIds[] = {0, 1, 2, 3, 4, kOverflowId, 6, 4294967294U};
constexpr std::string_view kServices[] = {"a.A", "a.B", "b.A",  "*",    "**", "a.*",
                                          "*.A", "a*A", "a.**", "*a.*", "b*", "a*b*A"};
constexpr std::string_view kMethods[] = {"Get", "Set", "GetAll", "*", "Get*", "*t", "**", "G*t"};

constexpr std::string_view kKeys[] = {"k"};
constexpr std::string_view kValues[] = {"v"};

const test::RuleWords kWords = {
    .ids = kIds, .services = kServices, .methods = kMethods, .keys = kKeys, .values = kValues};
constexpr test::RuleOdds kOdds = {.allow = 50,
                                  .every_listener = 40,
                                  .listeners = kListeners,
                                  .users = 75,
                                  .groups = 30,
                                  .any_id = 20,
                                  .another_method = 40,
                                  .metadata = 15,
                                  .enforce = 85};

RuleConfig RandomRule(Random& random, size_t index) {
  RuleConfig rule = test::RandomRule(random, kWords, kOdds);
  rule.name = "r" + std::to_string(index);
  rule.position = {.file = "c", .line = static_cast<uint32_t>(index + 1), .column = 1};
  return rule;
}

Config ConfigOf(std::vector<RuleConfig> rules, size_t listeners) {
  Config config = test::ConfigOf(std::move(rules), listeners);
  BackendConfig backend;
  backend.name = "b";
  config.backends.push_back(std::move(backend));
  return config;
}

bool IdsCover(const std::optional<IdSet>& wide, RuleConfig::Action wide_action,
              const std::optional<IdSet>& narrow, RuleConfig::Action narrow_action) {
  return RangesCover(EffectiveIds(wide, wide_action, kOverflowId),
                     EffectiveIds(narrow, narrow_action, kOverflowId));
}

// Compares the rule with each earlier rule.
std::optional<size_t> Naive(const Config& config, size_t index, size_t listener,
                            const MethodPattern& method) {
  const RuleConfig& rule = config.rules[index];
  for (size_t i = 0; i < index; ++i) {
    const RuleConfig& earlier = config.rules[i];
    if (!earlier.enforce || !earlier.metadata.empty() || !earlier.IsFor(listener)) continue;
    const bool who = IdsCover(earlier.users, earlier.action, rule.users, rule.action) &&
                     IdsCover(earlier.groups, earlier.action, rule.groups, rule.action);
    const bool what =
        earlier.methods.empty() ||
        std::any_of(earlier.methods.begin(), earlier.methods.end(),
                    [&method](const MethodPattern& wide) { return PatternCovers(wide, method); });
    if (who && what) return i;
  }
  return std::nullopt;
}

std::vector<MethodPattern> MethodsOf(const RuleConfig& rule) {
  return rule.methods.empty() ? std::vector<MethodPattern>{{"*", "*"}} : rule.methods;
}

// Returns the warnings that must result, in the order of the rules.
std::vector<std::string> NaiveWarnings(const Config& config) {
  std::vector<std::string> warnings;
  for (size_t i = 0; i < config.rules.size(); ++i) {
    const RuleConfig& rule = config.rules[i];
    std::optional<size_t> first;
    bool reached = false;
    for (size_t listener = 0; listener < config.listeners.size(); ++listener) {
      if (!rule.IsFor(listener)) continue;
      for (const MethodPattern& method : MethodsOf(rule)) {
        const auto blocker = Naive(config, i, listener, method);
        reached |= !blocker;
        if (!first) first = blocker;
      }
    }
    if (reached || !first) continue;
    const RuleConfig& blocker = config.rules[*first];
    warnings.push_back(rule.position.ToString() + ": warning: rule " + Quote(rule.name) +
                       " can never match, because rule " + Quote(blocker.name) + " at " +
                       blocker.position.ToString() +
                       " matches before it; reorder the rules, or remove this one");
  }
  return warnings;
}

TEST(BlockerIndexTest, FindsWhatComparingEachPairFinds) {
  Random random(20261129);  // NOLINT(cert-msc51-cpp,cert-msc32-c): a failure can be repeated
  size_t blocked = 0;
  size_t free = 0;
  size_t warned = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<RuleConfig> rules;
    const uint32_t count = 2 + Below(random, 10);
    for (uint32_t i = 0; i < count; ++i) rules.push_back(RandomRule(random, i));
    const Config config = ConfigOf(std::move(rules), kListeners);
    BlockerIndex index(config, kOverflow);
    for (size_t i = 0; i < config.rules.size(); ++i) {
      for (size_t listener = 0; listener < kListeners; ++listener) {
        if (!config.rules[i].IsFor(listener)) continue;
        for (const MethodPattern& method : MethodsOf(config.rules[i])) {
          const auto expected = Naive(config, i, listener, method);
          ASSERT_EQ(index.Find(i, listener, method), expected) << round << ", rule " << i;
          ++(expected ? blocked : free);
        }
      }
    }
    std::vector<std::string> reach;
    for (const ConfigError& warning : Lint(config, kOverflow)) {
      if (warning.message.find("can never match") != std::string::npos)
        reach.push_back(warning.ToString());
    }
    ASSERT_EQ(reach, NaiveWarnings(config)) << round;
    warned += reach.size();
  }
  // Random configurations with only one outcome would test nothing.
  EXPECT_GT(blocked, 2000U);
  EXPECT_GT(free, 20000U);
  EXPECT_GT(warned, 1000U);
}

// Realistic configurations have many rules that differ in only one or two respects.
constexpr size_t kRules = 5000;

template <typename Change>
size_t ComparedOf(size_t listeners, const Change& change) {
  std::vector<RuleConfig> rules(kRules);
  for (size_t i = 0; i < kRules; ++i) {
    RuleConfig& rule = rules[i];
    rule.every_listener = true;
    rule.users = IdSet{.exact = {1000}, .ranges = {}};
    rule.methods = {{"s.S", "*"}};
    change(i, &rule);
  }
  const Config config = ConfigOf(std::move(rules), listeners);
  BlockerIndex index(config, kOverflow);
  for (size_t i = 0; i < kRules; ++i) {
    const RuleConfig& rule = config.rules[i];
    const size_t listener = rule.every_listener ? 0 : rule.listeners.front();
    EXPECT_FALSE(index.Find(i, listener, rule.methods.front()).has_value()) << i;
  }
  return index.compared();
}

TEST(BlockerIndexTest, ComparesFewPairsOfALargeConfiguration) {
  const auto number = [](size_t i) { return std::to_string(i); };
  const auto user = [](size_t i, RuleConfig* rule) {
    rule->users->exact = {static_cast<uint32_t>(1000 + i)};
  };
  EXPECT_LE(ComparedOf(1, user), kRules);
  EXPECT_LE(ComparedOf(1,
                       [](size_t i, RuleConfig* rule) {
                         const auto first = static_cast<uint32_t>(100'000 + 1000 * i);
                         rule->users = IdSet{.exact = {}, .ranges = {{first, first + 999}}};
                       }),
            4 * kRules);
  EXPECT_LE(ComparedOf(1,
                       [](size_t i, RuleConfig* rule) {
                         rule->users = IdSet{.any = true, .exact = {}, .ranges = {}};
                         rule->groups = IdSet{.exact = {static_cast<uint32_t>(i)}, .ranges = {}};
                       }),
            kRules);
  EXPECT_LE(ComparedOf(kRules,
                       [](size_t i, RuleConfig* rule) {
                         rule->every_listener = false;
                         rule->listeners = {i};
                       }),
            kRules);
  for (const char* form : {"s%.S/*", "s.S/m%", "s%.*/*", "*.s%/*", "*/m%", "s.S/m%*"}) {
    const auto method = [&](size_t i, RuleConfig* rule) {
      std::string text(form);
      // The numbers have equal length, so that none is a prefix of another.
      text.replace(text.find('%'), 1, number(10'000 + i));
      const size_t slash = text.find('/');
      rule->methods = {{text.substr(0, slash), text.substr(slash + 1)}};
    };
    EXPECT_LE(ComparedOf(1, method), kRules) << form;
  }
  // Each rule has one of seventy users and one of seventy services.
  EXPECT_LE(ComparedOf(1,
                       [&](size_t i, RuleConfig* rule) {
                         rule->users->exact = {static_cast<uint32_t>(i % 71)};
                         rule->methods = {{"s" + number(i / 71), "*"}};
                       }),
            71 * kRules);
}

}  // namespace
}  // namespace proxyd
