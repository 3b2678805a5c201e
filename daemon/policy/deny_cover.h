// SPDX-License-Identifier: Apache-2.0
//
// DenyCover: finds allow rules that can never decide because of earlier deny rules (see
// Policy::Admit). Which deny pattern covers which allow pattern does not depend on the peer, so
// that is computed once, and admitting a peer costs only the rules that match it. Immutable; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "config/config.h"

namespace proxyd {

class DenyCover {
 public:
  explicit DenyCover(const std::vector<RuleConfig>& rules);

  // Walks over the enforced rules of one listener that match one identity, in their order. Rules
  // are given by their index. `cover` must outlive the walk.
  class Walk {
   public:
    explicit Walk(const DenyCover& cover) : cover_(cover) {}

    void Deny(size_t rule);
    // Whether this allow rule has a pattern that no deny rule so far covers.
    bool Reaches(size_t rule) const;

   private:
    const DenyCover& cover_;
    std::vector<bool> denied_;  // by shape
  };

 private:
  class Builder;

  // A shape is one pattern of deny rules with one set of metadata. Rules with the same shape share
  // it, since it covers the same allow patterns for all of them.
  std::span<const uint32_t> Shapes(size_t pattern) const {
    return {shapes_.data() + patterns_[pattern], patterns_[pattern + 1] - patterns_[pattern]};
  }

  size_t shape_count_ = 0;
  // This has the index of each rule's first entry in `patterns_`. A deny rule has one entry, with
  // all its shapes. An allow rule has an entry for each pattern, with the shapes that cover the
  // pattern.
  std::vector<uint32_t> rules_;
  std::vector<uint32_t> patterns_;  // for each entry, the index of its first shape in `shapes_`
  std::vector<uint32_t> shapes_;
};

}  // namespace proxyd
