// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.h"

#include <algorithm>
#include <cstddef>

#include "text/escape.h"

namespace proxyd::ctl {
namespace {

constexpr std::string_view kGap = "  ";

std::string_view StartOf(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kBad:
      return "\x1b[31m";
    case Tone::kWarning:
      return "\x1b[33m";
    case Tone::kFaint:
      return "\x1b[2m";
    case Tone::kStrong:
      return "\x1b[1m";
  }
  return "";
}

// Counts characters and assumes that all are equally wide.
size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string Shown(const Cell& cell) { return cell.text.empty() ? "-" : text::Printable(cell.text); }

}  // namespace

std::string Toned(std::string_view text, Tone tone, bool colours) {
  std::string harmless = text::Printable(text);
  const std::string_view start = StartOf(tone);
  if (!colours || start.empty() || harmless.empty()) return harmless;
  return std::string(start).append(harmless).append("\x1b[0m");
}

std::string Table::Render(bool colours) const {
  std::vector<std::vector<Cell>> lines(1);
  for (const Column& column : columns_) lines[0].emplace_back(column.title, Tone::kStrong);
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<size_t> widths(columns_.size());
  for (const std::vector<Cell>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], WidthOf(Shown(line[i])));
    }
  }
  std::string out;
  for (const std::vector<Cell>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string text = Shown(line[i]);
      const std::string blank(widths[i] - WidthOf(text), ' ');
      if (i > 0) out += kGap;
      if (columns_[i].align == Align::kRight) out += blank;
      out += Toned(text, line[i].tone, colours);
      if (columns_[i].align == Align::kLeft && i + 1 < line.size()) out += blank;
    }
    out += '\n';
  }
  return out;
}

}  // namespace proxyd::ctl
