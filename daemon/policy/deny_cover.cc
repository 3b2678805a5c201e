// SPDX-License-Identifier: Apache-2.0
#include "policy/deny_cover.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "policy/match.h"

namespace proxyd {

namespace {

using Metadata = std::map<std::string, std::string>;

}  // namespace

// Finds the shapes that may cover a pattern by their literal text, which is before the first star
// or after the last one, whichever is longer, and by their first metadata condition.
class DenyCover::Builder {
 public:
  uint32_t Intern(const RuleConfig& deny, const MethodPattern* pattern);
  // Returns shapes in ascending order.
  std::vector<uint32_t> Covering(const RuleConfig& allow, const MethodPattern& pattern) const;
  size_t count() const { return shapes_.size(); }

 private:
  struct Shape {
    const RuleConfig* rule;        // one of the rules with this shape
    const MethodPattern* pattern;  // null for every method
  };
  struct Index {
    std::set<size_t> lengths;
    std::unordered_map<std::string, std::vector<uint32_t>> shapes;
  };

  static std::string Key(std::string_view text, const Metadata::value_type* metadata);
  static bool Covers(const Shape& shape, const RuleConfig& allow, const MethodPattern& pattern);

  std::map<std::tuple<bool, std::string, Metadata>, uint32_t> ids_;
  std::vector<Shape> shapes_;
  Index by_prefix_;
  Index by_suffix_;
};

// Equal keys of different shapes do no harm, since every candidate is compared.
std::string DenyCover::Builder::Key(std::string_view text, const Metadata::value_type* metadata) {
  std::string key(text);
  if (metadata == nullptr) return key;
  key.append(1, '\0').append(metadata->first).append(1, '\0').append(metadata->second);
  return key;
}

uint32_t DenyCover::Builder::Intern(const RuleConfig& deny, const MethodPattern* pattern) {
  const std::string text = pattern != nullptr ? FullName(*pattern) : "*";
  const auto id = static_cast<uint32_t>(shapes_.size());
  const auto [found, made] = ids_.try_emplace({pattern != nullptr, text, deny.metadata}, id);
  if (!made) return found->second;
  shapes_.push_back({.rule = &deny, .pattern = pattern});
  std::string_view literal = std::string_view(text).substr(0, text.find('*'));
  const std::string_view suffix = std::string_view(text).substr(text.rfind('*') + 1);
  Index* index = &by_prefix_;
  if (suffix.size() > literal.size()) {
    literal = suffix;
    index = &by_suffix_;
  }
  index->lengths.insert(literal.size());
  index->shapes[Key(literal, deny.metadata.empty() ? nullptr : &*deny.metadata.begin())].push_back(
      id);
  return id;
}

bool DenyCover::Builder::Covers(const Shape& shape, const RuleConfig& allow,
                                const MethodPattern& pattern) {
  // std::includes() relies on the order of maps.
  const Metadata& metadata = shape.rule->metadata;
  if (!std::includes(allow.metadata.begin(), allow.metadata.end(), metadata.begin(),
                     metadata.end())) {
    return false;
  }
  return shape.pattern == nullptr || PatternCovers(*shape.pattern, pattern);
}

std::vector<uint32_t> DenyCover::Builder::Covering(const RuleConfig& allow,
                                                   const MethodPattern& pattern) const {
  std::vector<uint32_t> covering;
  const std::string text = FullName(pattern);
  const auto look = [&](const Index& index, const std::string& key) {
    const auto found = index.shapes.find(key);
    if (found == index.shapes.end()) return;
    for (const uint32_t id : found->second) {
      if (Covers(shapes_[id], allow, pattern)) covering.push_back(id);
    }
  };
  const auto look_with_metadata = [&](const Index& index, std::string_view literal) {
    look(index, Key(literal, nullptr));
    for (const auto& entry : allow.metadata) look(index, Key(literal, &entry));
  };
  for (const size_t length : by_prefix_.lengths) {
    if (length > text.size()) break;
    look_with_metadata(by_prefix_, std::string_view(text).substr(0, length));
  }
  for (const size_t length : by_suffix_.lengths) {
    if (length > text.size()) break;
    look_with_metadata(by_suffix_, std::string_view(text).substr(text.size() - length));
  }
  std::sort(covering.begin(), covering.end());
  covering.erase(std::unique(covering.begin(), covering.end()), covering.end());
  return covering;
}

DenyCover::DenyCover(const std::vector<RuleConfig>& rules) {
  Builder builder;
  const auto is_deny = [](const RuleConfig& rule) {
    return rule.enforce && rule.action == RuleConfig::Action::kDeny;
  };
  std::vector<std::vector<uint32_t>> denies(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    const RuleConfig& rule = rules[i];
    // A rule with conditions on workloads leaves the calls about others.
    if (!is_deny(rule) || rule.HasWorkloadConditions()) continue;
    if (rule.methods.empty()) denies[i].push_back(builder.Intern(rule, nullptr));
    for (const MethodPattern& pattern : rule.methods)
      denies[i].push_back(builder.Intern(rule, &pattern));
  }
  const auto add = [this](const std::vector<uint32_t>& shapes) {
    patterns_.push_back(static_cast<uint32_t>(shapes_.size()));
    shapes_.insert(shapes_.end(), shapes.begin(), shapes.end());
  };
  for (size_t i = 0; i < rules.size(); ++i) {
    rules_.push_back(static_cast<uint32_t>(patterns_.size()));
    if (is_deny(rules[i])) add(denies[i]);
    if (!rules[i].enforce || rules[i].action != RuleConfig::Action::kAllow) continue;
    for (const MethodPattern& pattern : rules[i].methods) add(builder.Covering(rules[i], pattern));
  }
  rules_.push_back(static_cast<uint32_t>(patterns_.size()));
  patterns_.push_back(static_cast<uint32_t>(shapes_.size()));
  shape_count_ = builder.count();
}

void DenyCover::Walk::Deny(size_t rule) {
  if (denied_.empty()) denied_.resize(cover_.shape_count_);
  for (const uint32_t shape : cover_.Shapes(cover_.rules_[rule])) denied_[shape] = true;
}

bool DenyCover::Walk::Reaches(size_t rule) const {
  for (size_t pattern = cover_.rules_[rule]; pattern < cover_.rules_[rule + 1]; ++pattern) {
    const auto shapes = cover_.Shapes(pattern);
    const bool covered = !denied_.empty() && std::any_of(shapes.begin(), shapes.end(),
                                                         [this](uint32_t s) { return denied_[s]; });
    if (!covered) return true;
  }
  return false;
}

}  // namespace proxyd
