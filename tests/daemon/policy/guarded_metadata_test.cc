// SPDX-License-Identifier: Apache-2.0
//
// Compares guarded metadata with its definition, which reads all entries for each key and each
// rule.
#include "policy/guarded_metadata.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policy/match.h"
#include "support/allocation_count.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests
using Entries = std::vector<ttrpc::MetadataEntry>;

// The keys have few lengths and few letters, so that near matches are frequent. Some are longer
// than the words that the hash function reads.
constexpr std::string_view kGuarded[] = {
    "a", "b", "ab", "ba", "abab", "a-long-key-of-several-words", "a-long-key-of-several-wordz"};
constexpr std::string_view kSent[] = {"a",    "A",    "b",
                                      "ab",   "aB",   "AB",
                                      "ba",   "abab", "abaB",
                                      "",     "c",    "a-long-key-of-several-words",
                                      "abac", "!",    "a-Long-key-of-several-wordz"};
constexpr std::string_view kValues[] = {"", "1", "2", "a"};

class Dice {
 public:
  size_t Below(size_t limit) { return engine_() % limit; }
  template <size_t N>
  std::string_view Pick(const std::string_view (&from)[N]) {
    return from[Below(N)];
  }

 private:
  std::mt19937 engine_{20240229};  // NOLINT(cert-msc51-cpp): so that a failure can be repeated
};

// Returns the error for the first guarded key that is repeated or not in lower case.
std::string Wrong(const std::set<std::string_view>& guarded, const Entries& entries) {
  for (const std::string_view key : guarded) {
    int seen = 0;
    for (const ttrpc::MetadataEntry& entry : entries) {
      if (!ttrpc::EqualsIgnoringCase(entry.key, key)) continue;
      if (++seen > 1 || entry.key != key)
        return "metadata " + std::string(key) + " must appear once and in lower case";
    }
  }
  return "";
}

RuleConfig WithConditions(Dice& dice) {
  RuleConfig rule = Allow({"/s/M"});
  rule.listeners.clear();
  for (const size_t listener : {0U, 1U}) {
    if (dice.Below(2) == 0) rule.listeners.push_back(listener);
  }
  for (size_t n = dice.Below(4); n > 0; --n)
    rule.metadata.emplace(dice.Pick(kGuarded), dice.Pick(kValues));
  return rule;
}

TEST(GuardedMetadataTest, SaysWhatTheDefinitionSays) {
  Dice dice;
  size_t refused = 0;
  size_t held = 0;
  size_t missed = 0;
  GuardedValues values;  // reused for all requests, like that of a worker
  for (int round = 0; round < 2000; ++round) {
    std::vector<RuleConfig> rules;
    for (size_t n = dice.Below(6); n > 0; --n) rules.push_back(WithConditions(dice));
    const Config config = ConfigOf(std::move(rules));
    const Policy policy(config, kOverflow);
    const size_t listener = dice.Below(2);
    std::set<std::string_view> guarded;
    for (const RuleConfig& rule : config.rules) {
      if (std::find(rule.listeners.begin(), rule.listeners.end(), listener) == rule.listeners.end())
        continue;
      for (const auto& [key, value] : rule.metadata) guarded.insert(key);
    }
    const Admission admission = policy.Admit(listener, Peer(1000));
    for (int sent = 0; sent < 20; ++sent) {
      ttrpc::RequestView request = Call("/s/M");
      for (size_t n = dice.Below(6); n > 0; --n)
        request.metadata.push_back({.key = dice.Pick(kSent), .value = dice.Pick(kValues)});
      const ttrpc::Status status =
          policy.CheckGuardedMetadata(admission, request.metadata, &values);
      ASSERT_EQ(status.message(), Wrong(guarded, request.metadata));
      if (!status.ok()) {
        ++refused;
        continue;
      }
      std::optional<size_t> expected;
      for (size_t i = config.rules.size(); i-- > 0;) {
        const RuleConfig& rule = config.rules[i];
        const bool here = std::find(rule.listeners.begin(), rule.listeners.end(), listener) !=
                          rule.listeners.end();
        if (here && MetadataHolds(rule, request.metadata)) expected = i;
      }
      ASSERT_EQ(policy.Check(admission, request, values, nullptr).rule, expected);
      ++(expected ? held : missed);
    }
  }
  // Random requests with only one outcome would test nothing.
  EXPECT_GT(refused, 3000U);
  EXPECT_GT(held, 3000U);
  EXPECT_GT(missed, 3000U);
}

TEST(GuardedMetadataTest, KeepsItsMemoryForTheNextRequest) {
  std::vector<RuleConfig> rules;
  for (int i = 0; i < 200; ++i) {
    rules.push_back(Deny({"/s/M"}));
    rules.back().metadata.emplace("key-" + std::to_string(i % 50), std::to_string(i));
  }
  rules.push_back(Allow({"/s/M"}));
  const Config config = ConfigOf(std::move(rules));
  const Policy policy(config, kOverflow);
  const Admission admission = policy.Admit(0, Peer(1000));
  std::vector<std::string> keys;
  keys.reserve(1024);
  for (int i = 0; i < 1024; ++i) keys.push_back("key-" + std::to_string(i));
  Entries entries;
  for (const std::string& key : keys) entries.push_back({.key = key, .value = "none"});
  const ttrpc::RequestView request = Call("/s/M", entries);
  GuardedValues values;
  ASSERT_TRUE(policy.CheckGuardedMetadata(admission, request.metadata, &values).ok());
  const size_t before = AllocationCount();
  const bool ok = policy.CheckGuardedMetadata(admission, request.metadata, &values).ok();
  const Verdict verdict = policy.Check(admission, request, values, nullptr);
  const size_t after = AllocationCount();
  EXPECT_EQ(after, before);
  EXPECT_TRUE(ok);
  EXPECT_EQ(verdict.rule, 200U);
}

}  // namespace
}  // namespace proxyd
