// SPDX-License-Identifier: Apache-2.0
//
// Tables for people, and colours. What is shown comes from peers, some of them hostile: every cell
// is made harmless here, so that nobody else can forget it. No I/O; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proxyd::ctl {

enum class Tone { kPlain, kGood, kBad, kWarning, kFaint, kStrong };

// The text made harmless, and in its colour if there are any.
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

  // One cell for each column. An empty one is shown as `-`, so that words can be counted.
  void AddRow(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }

  // A line for the titles and one for each row; nothing at the end of a line is blank.
  std::string Render(bool colours) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace proxyd::ctl
