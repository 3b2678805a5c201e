// SPDX-License-Identifier: Apache-2.0
#include "config/toml_keys.h"

#include <algorithm>
#include <cstddef>

namespace proxyd {
namespace {

TextPosition PositionOf(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  const auto in_line = before.substr(line_start);
  return {
      .line = static_cast<unsigned>(std::count(before.begin(), before.end(), '\n')) + 1,
      .column = static_cast<unsigned>(std::count_if(in_line.begin(), in_line.end(), is_start)) + 1};
}

// The offset after the string that begins here; of one that has no end, where it must have ended.
size_t SkipString(std::string_view text, size_t start) {
  const char quote = text[start];
  const bool escapes = quote == '"';
  const std::string_view rest = text.substr(start);
  const bool many_lines = rest.starts_with("\"\"\"") || rest.starts_with("'''");
  const std::string_view end = rest.substr(0, many_lines ? 3 : 1);
  size_t at = start + end.size();
  while (at < text.size()) {
    if (escapes && text[at] == '\\') {
      at += 2;
    } else if (text.substr(at).starts_with(end)) {
      at += end.size();
      // A string of many lines may end in quotes of its own: up to two more.
      for (int more = 0; many_lines && more < 2 && at < text.size() && text[at] == quote; ++more) {
        ++at;
      }
      return at;
    } else if (!many_lines && text[at] == '\n') {
      return at;
    } else {
      ++at;
    }
  }
  return text.size();
}

}  // namespace

std::optional<TextPosition> FindLongKey(std::string_view text) {
  constexpr std::string_view kBetweenKeys = "\n=,[]{}";
  constexpr std::string_view kBlanks = " \t\r";
  constexpr size_t kNone = std::string_view::npos;
  size_t start = kNone;  // of the key at hand
  int parts = 1;
  size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (kBetweenKeys.find(c) != std::string_view::npos) {
      start = kNone;
      parts = 1;
    } else if (kBlanks.find(c) == std::string_view::npos) {
      if (start == kNone) start = at;
      if (c == '.' && ++parts > kMaxKeyParts) return PositionOf(text, start);
      if (c == '"' || c == '\'') {
        at = SkipString(text, at);
        continue;
      }
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace proxyd
