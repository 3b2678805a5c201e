// SPDX-License-Identifier: Apache-2.0
#include "comments.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ttrpc::compiler {

namespace {

constexpr std::string_view kReplacement = "\uFFFD";

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: not UTF-8
};

// Decodes the first character of a text that is not empty.
Character FirstOf(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const size_t bytes = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC0 || byte(0) > 0xF4 || text.size() < bytes) return {};
  uint32_t code = byte(0) & (0x7FU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  // A sequence of two, three or four bytes must not encode a smaller number than these.
  constexpr uint32_t kFirst[] = {0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kFirst[bytes - 2] || code > 0x10FFFF || is_surrogate) return {};
  return {code, bytes};
}

bool IsHarmless(const Character& character) {
  const uint32_t code = character.code;
  const bool is_control = (code < 0x20 && code != '\t') || code == 0x7F;
  const bool turns_text = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return character.bytes > 0 && !is_control && !turns_text;
}

std::string Cleaned(std::string_view line) {
  std::string cleaned;
  while (!line.empty()) {
    const Character character = FirstOf(line);
    const size_t bytes = std::max<size_t>(character.bytes, 1);
    cleaned += IsHarmless(character) ? line.substr(0, bytes) : kReplacement;
    line.remove_prefix(bytes);
  }
  return cleaned;
}

// A backslash, also with spaces after it or as the trigraph ??/, continues the line.
void CutContinuation(std::string* line) {
  while (true) {
    const size_t blanks = line->find_last_not_of(" \t\\");
    line->resize(blanks == line->npos ? 0 : blanks + 1);
    if (!line->ends_with("\?\?/")) return;
    line->resize(line->size() - 3);
  }
}

}  // namespace

std::vector<std::string> CommentLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string line = Cleaned(text.substr(0, end));
    CutContinuation(&line);
    lines.push_back(std::move(line));
    text.remove_prefix(end);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : std::min<size_t>(1, text.size()));
  }
  return lines;
}

}  // namespace ttrpc::compiler
