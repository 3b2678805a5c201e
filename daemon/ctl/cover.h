// SPDX-License-Identifier: Apache-2.0
//
// Cover: groups pairs of a user and a method into few boxes. A box is a set of users and a set of
// methods, and holds every pair of the two. Cover() is pure; any thread may call it.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

namespace proxyd::ctl {

struct Box {
  std::set<size_t> rows;
  std::set<size_t> columns;

  friend bool operator==(const Box&, const Box&) = default;
};

// Returns boxes that together hold exactly the given pairs; one pair can be in several boxes.
// `columns_of` has the columns of each row, at least one.
std::vector<Box> Cover(const std::vector<std::set<size_t>>& columns_of);

}  // namespace proxyd::ctl
