// SPDX-License-Identifier: Apache-2.0
//
// GroupFilter: selects the supplementary groups of a peer that can make a difference to the rules
// of one configuration. A process may have up to 65536 groups, but the memory for those that are
// kept is in proportion to the groups that rules name. Pure; immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "config/config.h"

namespace proxyd {

class GroupFilter {
 public:
  // `overflow` is the gid that the kernel reports for unmapped groups.
  GroupFilter(const std::vector<RuleConfig>& rules, gid_t overflow);

  // True if no rule names groups, so that the groups of a peer need not be known.
  bool empty() const { return intervals_.empty(); }

  // Returns groups that every rule treats the same as `groups`: one from each interval into which
  // the ids and ranges of the rules divide them, in ascending order. `groups` may be in any order.
  std::vector<gid_t> Reduce(std::span<const gid_t> groups) const;

  // Whether groups that this filter has reduced are also sufficient for `other`.
  bool Serves(const GroupFilter& other) const;

 private:
  // Ids that no rule distinguishes. Rules name them, or they are the overflow gid.
  struct Interval {
    uint32_t first;
    uint32_t last;
  };

  size_t Find(gid_t group) const;

  std::vector<Interval> intervals_;  // ascending, disjoint
  bool any_ = false;                 // a rule has "*", so one group outside the intervals is kept
};

}  // namespace proxyd
