// SPDX-License-Identifier: Apache-2.0
//
// Short ways to write down rules and requests in tests of the policy.
#pragma once

#include <string_view>
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

// `/SERVICE/METHOD`.
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
inline RuleConfig Shadow(RuleConfig rule) {
  rule.enforce = false;
  return rule;
}

// A configuration of two listeners.
inline Config ConfigOf(std::vector<RuleConfig> rules) {
  Config config;
  for (const char* name : {"first", "second"}) {
    config.listeners.push_back({.name = name,
                                .address = ttrpc::Address::Parse("unix:///x").value(),
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

// `method` is borrowed by the request.
inline ttrpc::RequestView Call(std::string_view method,
                               std::vector<ttrpc::MetadataEntry> metadata = {}) {
  const size_t slash = method.find('/', 1);
  ttrpc::RequestView request;
  request.service = method.substr(1, slash - 1);
  request.method = method.substr(slash + 1);
  request.metadata = std::move(metadata);
  return request;
}

// As a peer's request is checked, but for the guards.
inline Verdict Check(const Policy& policy, const Admission& admission,
                     const ttrpc::RequestView& request) {
  GuardedValues values;
  static_cast<void>(policy.CheckGuardedMetadata(admission, request.metadata, &values));
  return policy.Check(admission, request, values);
}

}  // namespace proxyd::test
