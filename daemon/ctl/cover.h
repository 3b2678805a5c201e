// SPDX-License-Identifier: Apache-2.0
//
// Cover: pairs of a user and a method, as few boxes of "these users, these methods" that hold all
// of the pairs and no others. Pure; any thread.
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

// `columns_of`: by row. Every row has a column. Boxes may share pairs.
std::vector<Box> Cover(const std::vector<std::set<size_t>>& columns_of);

}  // namespace proxyd::ctl
