// SPDX-License-Identifier: Apache-2.0
//
// GroupFilter: what of a peer's supplementary groups can make a difference to the rules of one
// configuration. A process chooses up to 65536 of them; what is kept of it is in proportion to the
// groups that rules name. Pure; immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "config/config.h"

namespace proxyd {

class GroupFilter {
 public:
  // `overflow`: the gid as which unmapped groups show.
  GroupFilter(const std::vector<RuleConfig>& rules, gid_t overflow);

  // No rule names groups: those of a peer need not be known.
  bool empty() const { return intervals_.empty(); }

  // Groups that every one of these rules takes for the same as `groups`, which may be in any order:
  // one of each interval that the rules' ids and ranges cut, ascending.
  std::vector<gid_t> Reduce(std::span<const gid_t> groups) const;

  // Groups that this has reduced decide what `other` asks, too.
  bool Serves(const GroupFilter& other) const;

 private:
  // Ids that no rule tells apart. Rules name them, or they are the overflow gid.
  struct Interval {
    uint32_t first;
    uint32_t last;
  };

  size_t Find(gid_t group) const;

  std::vector<Interval> intervals_;  // ascending, disjoint
  bool any_ = false;                 // a rule names "*": one group of no interval counts, too
};

}  // namespace proxyd
