// SPDX-License-Identifier: Apache-2.0
//
// Tables and colours for a terminal. Cells can come from hostile peers, so this file escapes
// control characters in every one of them; no caller has to. It does no I/O; any thread may use it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proxyd::ctl {

enum class Tone { kPlain, kGood, kBad, kWarning, kFaint, kStrong };

// Escapes control characters in `text` and, if `colours` is set, adds the colour of `tone`.
std::string Toned(std::string_view text, Tone tone, bool colours);

struct Cell {
  Cell(std::string t, Tone c = Tone::kPlain) : text(std::move(t)), tone(c) {}  // NOLINT: implicit
  Cell(const char* t) : text(t) {}                                             // NOLINT: implicit
  Cell(uint64_t number) : text(std::to_string(number)) {}                      // NOLINT: implicit

  std::string text;
  Tone tone = Tone::kPlain;
};

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // `cells` has one cell for each column. Empty cells are shown as `-`, so that scripts that split
  // at blanks find every column.
  void AddRow(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }

  // Returns a line with the titles and a line for each row, without trailing blanks.
  std::string Render(bool colours) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace proxyd::ctl
