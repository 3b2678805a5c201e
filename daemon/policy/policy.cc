// SPDX-License-Identifier: Apache-2.0
//
// The index of a Policy. Rules without `listeners` share one index, and each listener has an index
// of the rules that name it. An index has three kinds of lists: for a method, for a service, and
// for all other patterns. A check merges up to three lists of each index in the order of the
// rules.
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

// The views point into the Config, which outlives the Policy.
struct Policy::RuleIndex {
  // A rule, with the parts of one of its patterns that must still be matched. An empty view matches
  // anything; a part of a pattern itself is never empty.
  struct Entry {
    uint32_t rule;      // index in Config::rules
    uint32_t position;  // index in `rules`
    std::string_view service;
    std::string_view method;
  };
  using Entries = std::vector<Entry>;  // ascending by rule

  struct MethodNameHash {
    size_t operator()(const MethodName& name) const {
      const size_t hash = std::hash<std::string_view>()(name.service);
      // The factor keeps equal services and methods from cancelling out.
      return hash * 31 + std::hash<std::string_view>()(name.method);
    }
  };

  std::vector<uint32_t> rules;  // indices in Config::rules, ascending
  std::unordered_map<MethodName, Entries, MethodNameHash> by_method;  // patterns without `*`
  std::unordered_map<std::string_view, Entries> by_service;           // `*` only in the method
  Entries others;  // `*` in the service, or a deny rule without methods
  std::unordered_set<std::string_view> services;  // the services in by_method
  // The metadata keys of its rules. The index of a listener also includes those of the common
  // index.
  GuardedKeys::Subset guarded;

  void Add(size_t rule_index, const RuleConfig& rule);
  void Guard(std::span<const MetadataCondition> conditions);
  void Guard(const GuardedKeys::Subset& more);
  size_t entries() const;

  struct Found {
    std::array<std::span<const Entry>, 3> lists;  // the entries that may match, each list ascending
    MethodLabels labels;                          // empty unless a rule spells them out
  };
  Found Find(const ttrpc::RequestView& request) const;

 private:
  void AddPattern(const Entry& rule, const MethodPattern& pattern);
};

// The entries of both indexes of a listener that a request may match.
struct Policy::Found {
  struct List {
    std::span<const RuleIndex::Entry> entries;
    size_t offset;  // position in an Admission = offset + position in the index
  };
  std::array<List, 6> lists;  // only the first `count` are used
  size_t count = 0;
  MethodLabels labels;
};

void Policy::RuleIndex::Add(size_t rule_index, const RuleConfig& rule) {
  const Entry entry{.rule = static_cast<uint32_t>(rule_index),
                    .position = static_cast<uint32_t>(rules.size()),
                    .service = {},
                    .method = {}};
  rules.push_back(entry.rule);
  if (rule.methods.empty() && rule.action == RuleConfig::Action::kDeny) others.push_back(entry);
  for (const MethodPattern& pattern : rule.methods) AddPattern(entry, pattern);
}

void Policy::RuleIndex::AddPattern(const Entry& rule, const MethodPattern& pattern) {
  // An empty part matches nothing, but in an Entry it would match anything.
  if (pattern.service.empty() || pattern.method.empty()) return;
  Entry entry = rule;
  if (!MatchesAll(pattern.method)) entry.method = pattern.method;
  if (!IsExact(pattern.service)) {
    if (!MatchesAll(pattern.service)) entry.service = pattern.service;
    others.push_back(entry);
    return;
  }
  if (!IsExact(pattern.method)) {
    by_service[pattern.service].push_back(entry);
    return;
  }
  entry.method = {};
  by_method[{pattern.service, pattern.method}].push_back(entry);
  services.insert(pattern.service);
}

void Policy::RuleIndex::Guard(std::span<const MetadataCondition> conditions) {
  for (const MetadataCondition& condition : conditions) {
    if (guarded.size() <= condition.key) guarded.resize(condition.key + 1);
    guarded[condition.key] = true;
  }
}

void Policy::RuleIndex::Guard(const GuardedKeys::Subset& more) {
  guarded.resize(std::max(guarded.size(), more.size()));
  for (size_t key = 0; key < more.size(); ++key) guarded[key] = guarded[key] || more[key];
}

size_t Policy::RuleIndex::entries() const {
  size_t count = rules.size() + guarded.size() / 64 + services.size() + others.size();
  for (const auto& [name, entries] : by_method) count += entries.size();
  for (const auto& [name, entries] : by_service) count += entries.size();
  return count;
}

Policy::RuleIndex::Found Policy::RuleIndex::Find(const ttrpc::RequestView& request) const {
  Found found = {.lists = {others}, .labels = {}};
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

void Admission::SetUser(std::string name) {
  user_ = std::make_unique<std::string>(std::move(name));
}

NameSubject Admission::subject() const {
  return {.uid = uid_, .gid = gid_, .user = user_ ? std::string_view(*user_) : std::string_view()};
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
      guarded_(MetadataKeys(config)),
      common_(std::make_unique<RuleIndex>()),
      own_(config.listeners.size() + 1) {
  conditions_.reserve(config.rules.size());
  for (size_t i = 0; i < config.rules.size(); ++i) {
    const RuleConfig& rule = config.rules[i];
    conditions_.push_back(ConditionsOf(rule, guarded_));
    if (NeedsUserName(rule)) user_rules_.push_back(static_cast<uint32_t>(i));
    const auto add = [&](RuleIndex& index) {
      index.Add(i, rule);
      index.Guard(conditions_.back());
    };
    if (rule.every_listener) add(*common_);
    for (const size_t listener : rule.listeners) {
      if (!own_[listener]) own_[listener] = std::make_unique<RuleIndex>();
      add(*own_[listener]);
    }
  }
  for (const auto& own : own_) {
    if (own) own->Guard(common_->guarded);
  }
}

Policy::~Policy() = default;

size_t Policy::entries() const {
  size_t count = common_->entries();
  for (const auto& own : own_) count += own ? own->entries() : 0;
  return count;
}

// Calls `visit(rule, position)` for each rule of a listener, in order: the index in Config::rules,
// and the position in an Admission. The rules that name the listener have the first positions, so
// that few such rules need few bits.
template <typename Visit>
void Policy::ForEachRule(size_t listener, const Visit& visit) const {
  const std::span<const uint32_t> common = common_->rules;
  const std::span<const uint32_t> own = own_[listener]
                                            ? std::span<const uint32_t>(own_[listener]->rules)
                                            : std::span<const uint32_t>();
  size_t c = 0;
  size_t o = 0;
  while (c < common.size() || o < own.size()) {
    if (c == common.size() || (o < own.size() && own[o] < common[c])) {
      visit(size_t{own[o]}, o);
      ++o;
    } else {
      visit(size_t{common[c]}, own.size() + c);
      ++c;
    }
  }
}

Admission Policy::Admit(size_t listener, const Identity& identity) const {
  Admission admission;
  admission.listener_ = static_cast<uint32_t>(listener);
  // Without credentials there is no identity, and the caller should have closed the connection.
  if (identity.uid == static_cast<uid_t>(-1) || identity.gid == static_cast<gid_t>(-1)) {
    return admission;
  }
  admission.uid_ = identity.uid;
  admission.gid_ = identity.gid;
  DenyCover::Walk walk(deny_cover_);
  ForEachRule(listener, [&](size_t rule_index, size_t position) {
    const RuleConfig& rule = config_.rules[rule_index];
    if (!FitsIdentity(rule, identity, overflow_)) return;
    admission.SetFits(position);
    if (!rule.enforce || admission.admitted_) return;
    if (rule.action == RuleConfig::Action::kDeny) {
      walk.Deny(rule_index);
    } else {
      admission.admitted_ = walk.Reaches(rule_index);
    }
  });
  return admission;
}

bool Policy::NeedsUser(const Admission& admission) const {
  if (user_rules_.empty()) return false;
  bool needs = false;
  ForEachRule(admission.listener_, [&](size_t rule_index, size_t position) {
    needs = needs || (admission.Fits(position) &&
                      std::binary_search(user_rules_.begin(), user_rules_.end(), rule_index));
  });
  return needs;
}

void Policy::ForEachBackend(const Admission& admission,
                            const std::function<void(size_t)>& visit) const {
  std::vector<bool> visited(config_.backends.size());
  DenyCover::Walk walk(deny_cover_);
  ForEachRule(admission.listener_, [&](size_t rule_index, size_t position) {
    const RuleConfig& rule = config_.rules[rule_index];
    if (!rule.enforce || !admission.Fits(position)) return;
    if (rule.action == RuleConfig::Action::kDeny) return walk.Deny(rule_index);
    // Configurations in tests may have no backends.
    if (visited.size() <= rule.backend) visited.resize(rule.backend + 1);
    if (visited[rule.backend] || !walk.Reaches(rule_index)) return;
    visited[rule.backend] = true;
    visit(rule.backend);
  });
}

ttrpc::Status Policy::CheckGuardedMetadata(const Admission& admission,
                                           std::span<const ttrpc::MetadataEntry> metadata,
                                           GuardedValues* found) const {
  if (guarded_.size() == 0) return {};
  const RuleIndex* own = own_[admission.listener_].get();
  return guarded_.Find(metadata, own != nullptr ? own->guarded : common_->guarded, found);
}

// Combines the lists of both indexes. The labels come from the index that spells out more.
Policy::Found Policy::Find(const Admission& admission, const ttrpc::RequestView& request) const {
  constexpr std::string_view kOther = "other";
  Found found;
  const auto add = [&](const RuleIndex& index, size_t offset) {
    const RuleIndex::Found part = index.Find(request);
    for (const std::span<const RuleIndex::Entry>& list : part.lists) {
      if (!list.empty()) found.lists[found.count++] = {.entries = list, .offset = offset};
    }
    if (found.labels.service.empty()) found.labels.service = part.labels.service;
    // The label of a method is valid only together with its service.
    if (found.labels.method.empty() && !part.labels.method.empty()) found.labels = part.labels;
  };
  const RuleIndex* own = own_[admission.listener_].get();
  if (own != nullptr) add(*own, 0);
  if (!common_->rules.empty()) add(*common_, own != nullptr ? own->rules.size() : 0);
  if (found.labels.service.empty()) found.labels.service = kOther;
  if (found.labels.method.empty()) found.labels.method = kOther;
  return found;
}

MethodLabels Policy::LabelsOf(const Admission& admission, const ttrpc::RequestView& request) const {
  return Find(admission, request).labels;
}

Verdict Policy::Check(const Admission& admission, const ttrpc::RequestView& request,
                      const GuardedValues& values, const WorkloadView* workload) const {
  Found found = Find(admission, request);
  Verdict verdict;
  verdict.labels = found.labels;
  for (;;) {
    Found::List* next = nullptr;
    for (size_t i = 0; i < found.count; ++i) {
      Found::List& list = found.lists[i];
      if (list.entries.empty()) continue;
      if (next == nullptr || list.entries.front().rule < next->entries.front().rule) next = &list;
    }
    if (next == nullptr) return verdict;
    const RuleIndex::Entry entry = next->entries.front();
    next->entries = next->entries.subspan(1);

    if (!admission.Fits(next->offset + entry.position)) continue;
    if (!entry.service.empty() && !MatchPattern(entry.service, request.service)) continue;
    if (!entry.method.empty() && !MatchPattern(entry.method, request.method)) continue;
    const size_t rule_index = entry.rule;
    const RuleConfig& rule = config_.rules[rule_index];
    const auto& conditions = conditions_[rule_index];
    if (!conditions.empty()) verdict.by_names_alone = false;
    if (!MetadataHolds(conditions, values)) continue;
    if (rule.HasWorkloadConditions()) {
      verdict.by_names_alone = false;
      if (!FitsWorkload(rule, workload, admission.subject())) continue;
    }
    if (rule.enforce) {
      verdict.allowed = rule.action == RuleConfig::Action::kAllow;
      verdict.rule = rule_index;
      return verdict;
    }
    // A rule is added once, although several of its patterns may match.
    if (verdict.shadows.empty() || verdict.shadows.back() != rule_index) {
      verdict.shadows.push_back(rule_index);
    }
  }
}

Verdict Policy::Decide(Admission* admission, const ttrpc::RequestView& request,
                       const GuardedValues& values, const WorkloadView* workload) const {
  if (const Verdict* const remembered = admission->Recall(request)) return *remembered;
  Verdict verdict = Check(*admission, request, values, workload);
  if (verdict.repeatable()) {
    if (!admission->remembered_) admission->remembered_ = std::make_unique<Admission::Remembered>();
    admission->remembered_->service = request.service;
    admission->remembered_->method = request.method;
    admission->remembered_->verdict = verdict;
  }
  return verdict;
}

}  // namespace proxyd
