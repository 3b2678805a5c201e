// SPDX-License-Identifier: Apache-2.0
//
// Builds rules and requests for tests of the policy, and random rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "policy/policy.h"
#include "ttrpc/address.h"
#include "ttrpc/wire/request.h"

namespace proxyd::test {

inline constexpr OverflowIds kOverflow{.uid = 65534, .gid = 65533};

inline IdSet Ids(std::vector<uint32_t> exact) { return {.exact = std::move(exact), .ranges = {}}; }
inline IdSet Any() { return {.any = true, .exact = {}, .ranges = {}}; }
inline IdSet Range(uint32_t first, uint32_t last) {
  return {.exact = {}, .ranges = {{.first = first, .last = last}}};
}

// `text` is `/SERVICE/METHOD`.
inline MethodPattern Pattern(std::string_view text) {
  const size_t slash = text.find('/', 1);
  return {.service = std::string(text.substr(1, slash - 1)),
          .method = std::string(text.substr(slash + 1))};
}

// A rule on listener 0 for everyone (deny) or any mapped user (allow).
inline RuleConfig Rule(RuleConfig::Action action, const std::vector<std::string_view>& methods) {
  RuleConfig rule;
  rule.action = action;
  rule.listeners = {0};
  if (action == RuleConfig::Action::kAllow) rule.users = Any();
  for (std::string_view method : methods) rule.methods.push_back(Pattern(method));
  return rule;
}
inline RuleConfig Allow(const std::vector<std::string_view>& methods) {
  return Rule(RuleConfig::Action::kAllow, methods);
}
inline RuleConfig Deny(const std::vector<std::string_view>& methods) {
  return Rule(RuleConfig::Action::kDeny, methods);
}
inline NamePattern Name(std::string_view text) { return NamePattern::Parse(text).value(); }
inline std::vector<NamePattern> Names(const std::vector<std::string_view>& texts) {
  std::vector<NamePattern> patterns;
  patterns.reserve(texts.size());
  for (const std::string_view text : texts) patterns.push_back(Name(text));
  return patterns;
}

inline RuleConfig Shadow(RuleConfig rule) {
  rule.enforce = false;
  return rule;
}

// Returns a configuration with this many listeners, called "first", "second", "l2" and so on.
inline Config ConfigOf(std::vector<RuleConfig> rules, size_t listeners = 2) {
  Config config;
  for (size_t i = 0; i < listeners; ++i) {
    std::string name = i == 0 ? "first" : i == 1 ? "second" : "l" + std::to_string(i);
    config.listeners.push_back({.name = std::move(name),
                                .address = ttrpc::Address::Parse("unix:///x").value(),
                                .discovery = {},
                                .access = {},
                                .timeouts = {},
                                .connections_per_user = {},
                                .position = {}});
  }
  config.rules = std::move(rules);
  return config;
}

inline Identity Peer(uid_t uid, gid_t gid = 100, std::span<const gid_t> groups = {}) {
  return {.uid = uid, .gid = gid, .groups = groups};
}

// The request borrows `method`.
inline ttrpc::RequestView Call(std::string_view method,
                               std::vector<ttrpc::MetadataEntry> metadata = {}) {
  const size_t slash = method.find('/', 1);
  ttrpc::RequestView request;
  request.service = method.substr(1, slash - 1);
  request.method = method.substr(slash + 1);
  request.metadata = std::move(metadata);
  return request;
}

// Checks a request in the same way as a peer does, but ignores errors of the guards.
inline Verdict Check(const Policy& policy, const Admission& admission,
                     const ttrpc::RequestView& request, const WorkloadView* workload = nullptr) {
  GuardedValues values;
  static_cast<void>(policy.CheckGuardedMetadata(admission, request.metadata, &values));
  return policy.Check(admission, request, values, workload);
}

// Random rules. Tests that compare two ways to decide choose few words, so that rules often
// overlap. They use a fixed seed, so that a failure can be repeated.

using Random = std::mt19937;

// This uses the engine's own numbers, since distributions differ between libraries.
inline uint32_t Below(Random& random, size_t limit) {
  return static_cast<uint32_t>(random() % limit);
}
inline bool Chance(Random& random, uint32_t percent) { return Below(random, 100) < percent; }
template <typename T>
const T& Pick(Random& random, std::span<const T> from) {
  return from[Below(random, from.size())];
}
template <typename T, size_t N>
const T& Pick(Random& random, const T (&from)[N]) {
  return from[Below(random, N)];
}

struct RuleWords {
  std::span<const uint32_t> ids;
  std::span<const std::string_view> services;
  std::span<const std::string_view> methods;
  std::span<const std::string_view> keys;
  std::span<const std::string_view> values;
  // These are needed only with RuleOdds::workload.
  std::span<const std::string_view> names = {};        // patterns of namespaces and ids
  std::span<const std::string_view> annotations = {};  // their keys
};

// All but `listeners` are percentages.
struct RuleOdds {
  uint32_t allow = 50;
  uint32_t every_listener = 40;
  size_t listeners = 1;  // a rule may name this many listeners, from the first on
  uint32_t users = 50;
  uint32_t groups = 30;
  uint32_t any_id = 20;
  uint32_t another_method = 50;
  uint32_t metadata = 20;
  uint32_t enforce = 80;
  uint32_t workload = 0;  // for each kind of condition on workloads
};

inline IdSet RandomIds(Random& random, std::span<const uint32_t> from, uint32_t any_percent) {
  IdSet ids;
  ids.any = Chance(random, any_percent);
  while (ids.empty() || Chance(random, 40)) {
    if (Chance(random, 50)) {
      ids.exact.push_back(Pick(random, from));
    } else {
      const auto [first, last] = std::minmax({Pick(random, from), Pick(random, from)});
      ids.ranges.push_back({.first = first, .last = last});
    }
  }
  return ids;
}

// Returns a rule that the loader would accept: an allow rule has users or groups, and methods.
inline RuleConfig RandomRule(Random& random, const RuleWords& words, const RuleOdds& odds) {
  RuleConfig rule;
  const bool allow = Chance(random, odds.allow);
  rule.action = allow ? RuleConfig::Action::kAllow : RuleConfig::Action::kDeny;
  rule.every_listener = Chance(random, odds.every_listener);
  while (!rule.every_listener && rule.listeners.empty()) {
    for (size_t i = 0; i < odds.listeners; ++i) {
      if (Chance(random, 50)) rule.listeners.push_back(i);
    }
  }
  if (Chance(random, odds.users)) rule.users = RandomIds(random, words.ids, odds.any_id);
  if (Chance(random, odds.groups)) rule.groups = RandomIds(random, words.ids, odds.any_id);
  if (allow && !rule.users && !rule.groups) rule.users = Any();
  while ((allow && rule.methods.empty()) || Chance(random, odds.another_method)) {
    rule.methods.push_back({.service = std::string(Pick(random, words.services)),
                            .method = std::string(Pick(random, words.methods))});
  }
  while (Chance(random, odds.metadata)) {
    rule.metadata.emplace(Pick(random, words.keys), Pick(random, words.values));
  }
  rule.enforce = Chance(random, odds.enforce);
  if (odds.workload == 0) return rule;  // draws no number, so that older tests stay the same
  while (Chance(random, odds.workload)) rule.namespaces.push_back(Name(Pick(random, words.names)));
  while (Chance(random, odds.workload)) rule.ids.push_back(Name(Pick(random, words.names)));
  while (Chance(random, odds.workload)) {
    rule.annotations.insert_or_assign(std::string(Pick(random, words.annotations)),
                                      Name(Pick(random, words.names)));
  }
  return rule;
}

}  // namespace proxyd::test
