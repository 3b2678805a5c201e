// SPDX-License-Identifier: Apache-2.0
#include "policy/blockers.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <string>

namespace proxyd {
namespace {

constexpr uint64_t kEveryListener = std::numeric_limits<uint64_t>::max();

// FNV-1a over one byte at a time, which yields the hash of every prefix on the way.
constexpr uint64_t kHashOfNothing = 0xcbf29ce484222325U;
uint64_t Hash(uint64_t before, char c) {
  return (before ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
}

template <class Text>
uint64_t HashOf(const Text& first, const Text& last, uint64_t kind) {
  return std::accumulate(first, last, kHashOfNothing + kind, Hash);
}

enum Kind : uint64_t { kWhole, kPrefix, kSuffix };

uint64_t BlockKey(unsigned size, uint32_t id) {
  return uint64_t{size} << 32U | (size < 32 ? id >> size : 0);
}

}  // namespace

void BlockerIndex::File::Sort() {
  std::sort(entries_.begin(), entries_.end());
  entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
}

BlockerIndex::File::Entries BlockerIndex::File::Find(uint64_t key, size_t rule) const {
  const auto first = std::lower_bound(entries_.begin(), entries_.end(), std::pair(key, 0U));
  const auto last =
      std::lower_bound(first, entries_.end(), std::pair(key, static_cast<uint32_t>(rule)));
  return {first, last};
}

// A range touches at most two blocks whose size is the next power of two.
void BlockerIndex::IdFile::AddBlocks(const IdRange& range, size_t rule) {
  const auto size = static_cast<unsigned>(std::bit_width(range.last - range.first));
  sizes_in_use_ |= uint64_t{1} << size;
  file_.Add(BlockKey(size, range.first), rule);
  file_.Add(BlockKey(size, range.last), rule);
}

// Null means everyone.
void BlockerIndex::IdFile::Add(const IdSet* ids, size_t rule) {
  if (ids == nullptr || ids->any) return AddBlocks({0, 0xffffffffU}, rule);
  for (const IdRange& range : ids->ranges) AddBlocks(range, rule);
  for (const uint32_t id : ids->exact) AddBlocks({id, id}, rule);
}

void BlockerIndex::IdFile::Find(uint32_t id, size_t rule, std::vector<File::Entries>* out) const {
  for (uint64_t sizes = sizes_in_use_; sizes != 0; sizes &= sizes - 1) {
    out->push_back(file_.Find(BlockKey(static_cast<unsigned>(std::countr_zero(sizes)), id), rule));
  }
}

void BlockerIndex::TextFile::Add(std::string_view text, size_t rule) {
  const size_t prefix = text.find('*');
  if (prefix == text.npos) return file_.Add(HashOf(text.begin(), text.end(), kWhole), rule);
  const size_t suffix = text.size() - text.rfind('*') - 1;
  if (prefix >= suffix) {
    prefix_lengths_.insert(prefix);
    const auto last = text.begin() + static_cast<ptrdiff_t>(prefix);
    file_.Add(HashOf(text.begin(), last, kPrefix), rule);
  } else {
    suffix_lengths_.insert(suffix);
    const auto last = text.rbegin() + static_cast<ptrdiff_t>(suffix);
    file_.Add(HashOf(text.rbegin(), last, kSuffix), rule);
  }
}

// A pattern that covers `text` has the same literal beginning or end, since only a `*` matches a
// `*`.
void BlockerIndex::TextFile::Find(std::string_view text, size_t rule,
                                  std::vector<File::Entries>* out) const {
  const auto find = [&](auto place, const std::set<size_t>& lengths, Kind kind) {
    uint64_t hash = kHashOfNothing + kind;
    size_t hashed = 0;
    for (const size_t length : lengths) {
      if (length > text.size()) break;
      for (; hashed < length; ++hashed) hash = Hash(hash, *place++);
      out->push_back(file_.Find(hash, rule));
    }
  };
  out->push_back(file_.Find(HashOf(text.begin(), text.end(), kWhole), rule));
  find(text.begin(), prefix_lengths_, kPrefix);
  find(text.rbegin(), suffix_lengths_, kSuffix);
}

BlockerIndex::BlockerIndex(const Config& config, OverflowIds overflow) : config_(config) {
  who_.reserve(config.rules.size());
  for (size_t i = 0; i < config.rules.size(); ++i) {
    const RuleConfig& rule = config.rules[i];
    who_.push_back({.users = EffectiveIds(rule.users, rule.action, overflow.uid),
                    .groups = EffectiveIds(rule.groups, rule.action, overflow.gid)});
    // All other rules leave some calls to any later rule.
    if (rule.enforce && rule.metadata.empty() && !rule.HasWorkloadConditions()) Add(i);
  }
  listeners_.Sort();
  users_.Sort();
  groups_.Sort();
  full_names_.Sort();
  services_.Sort();
  methods_.Sort();
}

void BlockerIndex::Add(size_t index) {
  const RuleConfig& rule = config_.rules[index];
  if (rule.every_listener) listeners_.Add(kEveryListener, index);
  for (const size_t listener : rule.listeners) listeners_.Add(listener, index);
  users_.Add(rule.users ? &*rule.users : nullptr, index);
  groups_.Add(rule.groups ? &*rule.groups : nullptr, index);
  if (rule.methods.empty()) Add({.service = "*", .method = "*"}, index);
  for (const MethodPattern& pattern : rule.methods) Add(pattern, index);
}

void BlockerIndex::Add(const MethodPattern& pattern, size_t rule) {
  full_names_.Add(FullName(pattern), rule);
  services_.Add(pattern.service, rule);
  methods_.Add(pattern.method, rule);
}

bool BlockerIndex::Blocks(size_t earlier, size_t rule, const MethodPattern& method) {
  ++compared_;
  const std::vector<MethodPattern>& methods = config_.rules[earlier].methods;
  return RangesCover(who_[earlier].users, who_[rule].users) &&
         RangesCover(who_[earlier].groups, who_[rule].groups) &&
         (methods.empty() ||
          std::any_of(methods.begin(), methods.end(), [&method](const MethodPattern& wide) {
            return PatternCovers(wide, method);
          }));
}

std::vector<BlockerIndex::File::Entries> BlockerIndex::Candidates(
    size_t rule, size_t listener, const MethodPattern& method) const {
  std::vector<File::Entries> shortest;
  size_t least = std::numeric_limits<size_t>::max();
  std::vector<File::Entries> found;
  const auto consider = [&] {
    const size_t count =
        std::accumulate(found.begin(), found.end(), size_t{0},
                        [](size_t sum, const auto& entries) { return sum + entries.size(); });
    if (count < least) {
      least = count;
      std::swap(shortest, found);
    }
    found.clear();
  };
  full_names_.Find(FullName(method), rule, &found);
  consider();
  services_.Find(method.service, rule, &found);
  consider();
  methods_.Find(method.method, rule, &found);
  consider();
  found = {listeners_.Find(kEveryListener, rule), listeners_.Find(listener, rule)};
  consider();
  // A blocker matches all ids of the rule, so any one of them leads to it.
  const auto consider_ids = [&](const IdFile& file, const IdRanges& ids) {
    if (ids.empty()) return;
    for (const uint32_t id : {ids.front().first, ids.back().last}) {
      file.Find(id, rule, &found);
      consider();
    }
  };
  consider_ids(users_, who_[rule].users);
  consider_ids(groups_, who_[rule].groups);
  return shortest;
}

std::optional<size_t> BlockerIndex::Find(size_t rule, size_t listener,
                                         const MethodPattern& method) {
  size_t first = rule;
  for (const File::Entries& entries : Candidates(rule, listener, method)) {
    for (const auto& [key, earlier] : entries) {
      if (earlier >= first) break;
      if (!config_.rules[earlier].IsFor(listener) || !Blocks(earlier, rule, method)) continue;
      first = earlier;
    }
  }
  return first < rule ? std::optional(first) : std::nullopt;
}

}  // namespace proxyd
