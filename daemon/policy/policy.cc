// SPDX-License-Identifier: Apache-2.0
//
// The index. Each listener has its rules as a list of positions, and each method pattern of a rule
// stands in one of three places, by how much of it is spelled out. A check looks into the place for
// its method, the one for its service and the one for the rest, and walks them together in the
// order of the rules.
#include "policy/policy.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "policy/match.h"

namespace proxyd {

// Views point into the Config, which outlives the Policy.
struct Policy::ListenerIndex {
  // A rule by its position in `rules`, and what is still to be matched of one of its patterns: an
  // empty view is matched already (a pattern itself is never empty).
  struct Entry {
    uint32_t position;
    std::string_view service;
    std::string_view method;
  };
  using Entries = std::vector<Entry>;  // ascending by position

  struct MethodName {
    std::string_view service;
    std::string_view method;
    friend bool operator==(const MethodName&, const MethodName&) = default;
  };
  struct MethodNameHash {
    size_t operator()(const MethodName& name) const {
      const size_t hash = std::hash<std::string_view>()(name.service);
      // So that equal services and methods do not cancel out.
      return hash * 31 + std::hash<std::string_view>()(name.method);
    }
  };

  std::vector<size_t> rules;  // by position: index into Config::rules
  std::unordered_map<MethodName, Entries, MethodNameHash> by_method;  // both spelled out
  std::unordered_map<std::string_view, Entries> by_service;           // only the service
  Entries others;
  std::unordered_set<std::string_view> services;  // of by_method
  GuardedKeys::Subset guarded;                    // that any of its rules names

  void Add(size_t rule_index, const RuleConfig& rule);
  void AddPattern(uint32_t position, const MethodPattern& pattern);
  void Guard(std::span<const MetadataCondition> conditions);

  struct Found {
    std::array<std::span<const Entry>, 3> lists;  // the entries that may match, each ascending
    MethodLabels labels;
  };
  Found Find(const ttrpc::RequestView& request) const;
};

void Policy::ListenerIndex::Add(size_t rule_index, const RuleConfig& rule) {
  const auto position = static_cast<uint32_t>(rules.size());
  rules.push_back(rule_index);
  if (rule.methods.empty() && rule.action == RuleConfig::Action::kDeny) {
    others.push_back({.position = position, .service = {}, .method = {}});
  }
  for (const MethodPattern& pattern : rule.methods) AddPattern(position, pattern);
}

void Policy::ListenerIndex::AddPattern(uint32_t position, const MethodPattern& pattern) {
  // Matches nothing, and must not be mistaken for "matched already".
  if (pattern.service.empty() || pattern.method.empty()) return;
  Entry entry{.position = position, .service = pattern.service, .method = pattern.method};
  if (MatchesAll(entry.method)) entry.method = {};
  if (MatchesAll(entry.service)) entry.service = {};
  if (!IsExact(pattern.service)) {
    others.push_back(entry);
    return;
  }
  entry.service = {};
  if (!IsExact(pattern.method)) {
    by_service[pattern.service].push_back(entry);
    return;
  }
  entry.method = {};
  by_method[{pattern.service, pattern.method}].push_back(entry);
  services.insert(pattern.service);
}

void Policy::ListenerIndex::Guard(std::span<const MetadataCondition> conditions) {
  for (const MetadataCondition& condition : conditions) {
    if (guarded.size() <= condition.key) guarded.resize(condition.key + 1);
    guarded[condition.key] = true;
  }
}

Policy::ListenerIndex::Found Policy::ListenerIndex::Find(const ttrpc::RequestView& request) const {
  constexpr std::string_view kOther = "other";
  Found found = {.lists = {others}, .labels = {.service = kOther, .method = kOther}};
  const auto service = by_service.find(request.service);
  if (service != by_service.end()) {
    found.lists[1] = service->second;
    found.labels.service = service->first;
  }
  const auto method = by_method.find({request.service, request.method});
  if (method != by_method.end()) {
    found.lists[2] = method->second;
    found.labels = {.service = method->first.service, .method = method->first.method};
  } else if (service == by_service.end()) {
    const auto known = services.find(request.service);
    if (known != services.end()) found.labels.service = *known;
  }
  return found;
}

void Admission::SetFits(size_t position) {
  if (position < kWordBits) {
    first_ |= uint64_t{1} << position;
    return;
  }
  const size_t word = position / kWordBits - 1;
  if (rest_.size() <= word) rest_.resize(word + 1);
  rest_[word] |= uint64_t{1} << position % kWordBits;
}

bool Admission::Fits(size_t position) const {
  if (position < kWordBits) return (first_ >> position & 1) != 0;
  const size_t word = position / kWordBits - 1;
  return word < rest_.size() && (rest_[word] >> position % kWordBits & 1) != 0;
}

namespace {

std::set<std::string_view> MetadataKeys(const Config& config) {
  std::set<std::string_view> keys;
  for (const RuleConfig& rule : config.rules) {
    for (const auto& [key, value] : rule.metadata) keys.insert(key);
  }
  return keys;
}

std::vector<MetadataCondition> ConditionsOf(const RuleConfig& rule, const GuardedKeys& keys) {
  std::vector<MetadataCondition> conditions;
  conditions.reserve(rule.metadata.size());
  for (const auto& [key, value] : rule.metadata)
    conditions.push_back({.key = keys.IndexOf(key), .value = value});
  return conditions;
}

}  // namespace

Policy::Policy(const Config& config, OverflowIds overflow)
    : config_(config),
      overflow_(overflow),
      group_filter_(std::make_shared<const GroupFilter>(config.rules, overflow.gid)),
      deny_cover_(config.rules),
      guarded_(MetadataKeys(config)) {
  listeners_.reserve(config.listeners.size() + 1);
  for (size_t i = 0; i <= config.listeners.size(); ++i) {
    listeners_.push_back(std::make_unique<ListenerIndex>());
  }
  for (size_t i = 0; i < config.rules.size(); ++i) {
    const RuleConfig& rule = config.rules[i];
    conditions_.push_back(ConditionsOf(rule, guarded_));
    const auto add = [&](size_t listener) {
      listeners_[listener]->Add(i, rule);
      listeners_[listener]->Guard(conditions_.back());
    };
    for (size_t listener : rule.listeners) add(listener);
    if (rule.every_listener) add(no_listener());
  }
}

Policy::~Policy() = default;

Admission Policy::Admit(size_t listener, const Identity& identity) const {
  Admission admission;
  admission.listener_ = static_cast<uint32_t>(listener);
  // No credentials: whoever asks should have closed the connection already.
  if (identity.uid == static_cast<uid_t>(-1) || identity.gid == static_cast<gid_t>(-1)) {
    return admission;
  }
  const ListenerIndex& index = *listeners_[listener];
  DenyCover::Walk walk(deny_cover_);
  for (size_t position = 0; position < index.rules.size(); ++position) {
    const size_t rule_index = index.rules[position];
    const RuleConfig& rule = config_.rules[rule_index];
    if (!FitsIdentity(rule, identity, overflow_)) continue;
    admission.SetFits(position);
    if (!rule.enforce || admission.admitted_) continue;
    if (rule.action == RuleConfig::Action::kDeny) {
      walk.Deny(rule_index);
    } else {
      admission.admitted_ = walk.Reaches(rule_index);
    }
  }
  return admission;
}

ttrpc::Status Policy::CheckGuardedMetadata(const Admission& admission,
                                           std::span<const ttrpc::MetadataEntry> metadata,
                                           GuardedValues* found) const {
  return guarded_.Find(metadata, listeners_[admission.listener_]->guarded, found);
}

MethodLabels Policy::LabelsOf(const Admission& admission, const ttrpc::RequestView& request) const {
  return listeners_[admission.listener_]->Find(request).labels;
}

Verdict Policy::Check(const Admission& admission, const ttrpc::RequestView& request,
                      const GuardedValues& values) const {
  using Entry = ListenerIndex::Entry;
  const ListenerIndex& index = *listeners_[admission.listener_];
  auto [lists, labels] = index.Find(request);
  Verdict verdict;
  verdict.labels = labels;
  for (;;) {
    std::span<const Entry>* next = nullptr;
    for (std::span<const Entry>& list : lists) {
      if (list.empty()) continue;
      if (next == nullptr || list.front().position < next->front().position) next = &list;
    }
    if (next == nullptr) return verdict;
    const Entry entry = next->front();
    *next = next->subspan(1);

    if (!admission.Fits(entry.position)) continue;
    if (!entry.service.empty() && !MatchPattern(entry.service, request.service)) continue;
    if (!entry.method.empty() && !MatchPattern(entry.method, request.method)) continue;
    const size_t rule_index = index.rules[entry.position];
    const RuleConfig& rule = config_.rules[rule_index];
    const auto& conditions = conditions_[rule_index];
    if (!conditions.empty()) verdict.by_names_alone = false;
    if (!MetadataHolds(conditions, values)) continue;
    if (rule.enforce) {
      verdict.allowed = rule.action == RuleConfig::Action::kAllow;
      verdict.rule = rule_index;
      return verdict;
    }
    // More than one pattern of a rule may match.
    if (verdict.shadows.empty() || verdict.shadows.back() != rule_index) {
      verdict.shadows.push_back(rule_index);
    }
  }
}

}  // namespace proxyd
