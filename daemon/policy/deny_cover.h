// SPDX-License-Identifier: Apache-2.0
//
// DenyCover: which allow rules are out of reach behind the deny rules before them (see
// Policy::Admit). Which deny pattern covers which allow pattern does not depend on the peer, so it
// is found out once, and a peer's admission costs no more than the rules that fit it. Immutable;
// any thread.
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

  // The enforced rules of one listener that fit one identity, in their order. `cover` must outlive
  // it; rules are given by their index.
  class Walk {
   public:
    explicit Walk(const DenyCover& cover) : cover_(cover) {}

    void Deny(size_t rule);
    // Whether a pattern of this allow rule is left that no deny rule so far covers.
    bool Reaches(size_t rule) const;

   private:
    const DenyCover& cover_;
    std::vector<bool> denied_;  // by shape
  };

 private:
  class Builder;

  // One pattern of deny rules with one set of metadata, however many rules have it, is a shape:
  // it covers the same whichever of them fits.
  std::span<const uint32_t> Shapes(size_t pattern) const {
    return {shapes_.data() + patterns_[pattern], patterns_[pattern + 1] - patterns_[pattern]};
  }

  size_t shape_count_ = 0;
  // By rule: where its patterns begin in `patterns_`. A deny rule has one, of all its shapes; that
  // of an allow rule has the shapes that cover it.
  std::vector<uint32_t> rules_;
  std::vector<uint32_t> patterns_;  // where they begin in `shapes_`
  std::vector<uint32_t> shapes_;
};

}  // namespace proxyd
