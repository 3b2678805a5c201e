// SPDX-License-Identifier: Apache-2.0
#include "policy/group_filter.h"

#include <algorithm>
#include <map>
#include <utility>

namespace proxyd {

GroupFilter::GroupFilter(const std::vector<RuleConfig>& rules, gid_t overflow) {
  // The positions at which intervals begin or end, with the change in the number of open intervals.
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
  // The overflow gid gets an interval, since "*" and ranges of an allow rule do not match it.
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

// Returns the first interval that ends at `group` or after it.
size_t GroupFilter::Find(gid_t group) const {
  const auto found =
      std::partition_point(intervals_.begin(), intervals_.end(),
                           [group](const Interval& interval) { return interval.last < group; });
  return static_cast<size_t>(found - intervals_.begin());
}

// The kernel lists groups in ascending order, except for the mapping of a user namespace. Most
// groups are therefore in the same place as the group before, and need no search. A search for each
// of 65536 groups would take a millisecond.
std::vector<gid_t> GroupFilter::Reduce(std::span<const gid_t> groups) const {
  std::vector<gid_t> kept;
  if (empty()) return kept;
  bool other = !any_;  // whether a group outside the intervals is already kept, or not needed
  // The place of the group before, which is an interval or the gap before one.
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
  // In a user namespace, groups of the same interval may be far apart.
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

// True if each interval of `other` consists of whole intervals of this filter.
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
