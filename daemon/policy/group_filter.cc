// SPDX-License-Identifier: Apache-2.0
#include "policy/group_filter.h"

#include <algorithm>
#include <map>
#include <utility>

namespace proxyd {

GroupFilter::GroupFilter(const std::vector<RuleConfig>& rules, gid_t overflow) {
  // Where intervals begin or end, and how many more of them are open from there on.
  std::map<uint64_t, int64_t> cuts;
  const auto add = [&cuts](uint64_t first, uint64_t last) {
    ++cuts[first];
    --cuts[last + 1];
  };
  bool named = false;
  for (const RuleConfig& rule : rules) {
    if (!rule.groups) continue;
    named = true;
    any_ |= rule.groups->any;
    for (const uint32_t id : rule.groups->exact) add(id, id);
    for (const IdRange& range : rule.groups->ranges) add(range.first, range.last);
  }
  if (!named) return;
  // Neither "*" nor a range of an allow rule means it.
  add(overflow, overflow);
  int64_t open = 0;
  for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
    open += cut->second;
    if (open == 0) continue;
    const uint64_t next = std::next(cut)->first;
    intervals_.push_back(
        {.first = static_cast<uint32_t>(cut->first), .last = static_cast<uint32_t>(next - 1)});
  }
}

// The first interval that ends at `group` or after it.
size_t GroupFilter::Find(gid_t group) const {
  const auto found =
      std::partition_point(intervals_.begin(), intervals_.end(),
                           [group](const Interval& interval) { return interval.last < group; });
  return static_cast<size_t>(found - intervals_.begin());
}

// The kernel lists groups in its own order, which is ours but for the mapping of a user namespace.
// So most groups are where the one before was, or close behind it, and nothing is searched for
// them: a search for each of 65536 would take a millisecond.
std::vector<gid_t> GroupFilter::Reduce(std::span<const gid_t> groups) const {
  std::vector<gid_t> kept;
  if (empty()) return kept;
  bool other = !any_;  // the one of no interval is kept already
  // The place of the group before: an interval, or the gap in front of it.
  uint32_t low = 1;
  uint32_t high = 0;
  for (const gid_t group : groups) {
    if (low <= group && group <= high) continue;
    const size_t at = Find(group);
    const bool inside = at < intervals_.size() && intervals_[at].first <= group;
    low = inside ? intervals_[at].first : at == 0 ? 0 : intervals_[at - 1].last + 1;
    high = inside                    ? intervals_[at].last
           : at == intervals_.size() ? UINT32_MAX
                                     : intervals_[at].first - 1;
    if (inside || !std::exchange(other, true)) kept.push_back(group);
  }
  // In a user namespace the same interval may have come more than once.
  std::sort(kept.begin(), kept.end());
  const auto same = [this](gid_t a, gid_t b) {
    const size_t at = Find(a);
    return at == Find(b) && at < intervals_.size() && intervals_[at].first <= a &&
           intervals_[at].first <= b;
  };
  kept.erase(std::unique(kept.begin(), kept.end(), same), kept.end());
  kept.shrink_to_fit();
  return kept;
}

// Whether each interval of the other is made of whole ones of ours.
bool GroupFilter::Serves(const GroupFilter& other) const {
  if (other.any_ && !any_) return false;
  return std::all_of(other.intervals_.begin(), other.intervals_.end(),
                     [this](const Interval& whole) {
                       uint64_t next = whole.first;
                       for (size_t at = Find(whole.first); next <= whole.last; ++at) {
                         if (at == intervals_.size() || intervals_[at].first != next) return false;
                         if (intervals_[at].last > whole.last) return false;
                         next = uint64_t{intervals_[at].last} + 1;
                       }
                       return true;
                     });
}

}  // namespace proxyd
