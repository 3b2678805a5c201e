// SPDX-License-Identifier: Apache-2.0
#include "ctl/cover.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace proxyd::ctl {
namespace {

using Rows = std::vector<std::set<size_t>>;

Rows Turned(const Rows& columns_of) {
  Rows rows_of;
  for (size_t row = 0; row < columns_of.size(); ++row) {
    for (const size_t column : columns_of[row]) {
      if (rows_of.size() <= column) rows_of.resize(column + 1);
      rows_of[column].insert(row);
    }
  }
  return rows_of;
}

// Rows with the same columns share a box. Boxes are in the order of their first rows.
std::vector<Box> ByRows(const Rows& columns_of) {
  std::map<std::set<size_t>, size_t> boxes_by_columns;
  std::vector<Box> boxes;
  for (size_t row = 0; row < columns_of.size(); ++row) {
    if (columns_of[row].empty()) continue;
    const auto [place, is_new] = boxes_by_columns.try_emplace(columns_of[row], boxes.size());
    if (is_new) boxes.push_back({.rows = {}, .columns = columns_of[row]});
    boxes[place->second].rows.insert(row);
  }
  return boxes;
}

void TurnBack(std::vector<Box>* boxes) {
  for (Box& box : *boxes) std::swap(box.rows, box.columns);
}

// Returns, for each set of columns that some row has, a box with all rows that have at least these.
std::vector<Box> Widest(const Rows& columns_of) {
  std::vector<Box> boxes = ByRows(columns_of);
  for (Box& box : boxes) {
    for (size_t row = 0; row < columns_of.size(); ++row) {
      if (std::includes(columns_of[row].begin(), columns_of[row].end(), box.columns.begin(),
                        box.columns.end())) {
        box.rows.insert(row);
      }
    }
  }
  return boxes;
}

size_t PairsIn(const Box& box, const Rows& left) {
  size_t pairs = 0;
  for (const size_t row : box.rows) {
    for (const size_t column : box.columns) pairs += left[row].count(column);
  }
  return pairs;
}

// Repeatedly picks, from the widest boxes, the one with the most pairs not yet covered. Stops at
// `most` boxes, when the result would be no better than the caller's.
std::vector<Box> Greedy(const Rows& columns_of, size_t most) {
  std::vector<Box> candidates = Widest(columns_of);
  std::vector<Box> turned = Widest(Turned(columns_of));
  TurnBack(&turned);
  candidates.insert(candidates.end(), turned.begin(), turned.end());
  Rows left = columns_of;
  std::vector<Box> chosen;
  while (chosen.size() < most) {
    const Box* best = nullptr;
    size_t most_pairs = 0;
    for (const Box& box : candidates) {
      const size_t pairs = PairsIn(box, left);
      if (pairs <= most_pairs) continue;
      most_pairs = pairs;
      best = &box;
    }
    if (best == nullptr) break;
    chosen.push_back(*best);
    for (const size_t row : best->rows) {
      for (const size_t column : best->columns) left[row].erase(column);
    }
  }
  return chosen;
}

}  // namespace

std::vector<Box> Cover(const std::vector<std::set<size_t>>& columns_of) {
  std::vector<Box> best = ByRows(columns_of);
  std::vector<Box> by_columns = ByRows(Turned(columns_of));
  TurnBack(&by_columns);
  if (by_columns.size() < best.size()) best = std::move(by_columns);
  // Greedy() costs time in proportion to the number of candidates and their size.
  constexpr size_t kMostBoxes = 256;
  if (best.size() <= 2 || best.size() > kMostBoxes) return best;
  std::vector<Box> greedy = Greedy(columns_of, best.size());
  return greedy.size() < best.size() ? greedy : best;
}

}  // namespace proxyd::ctl
