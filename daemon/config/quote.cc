// SPDX-License-Identifier: Apache-2.0
#include "config/quote.h"

#include <cstddef>

namespace proxyd {
namespace {

constexpr size_t kMaxQuoted = 128;  // bytes: longer than any sensible address, short for a line

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

void AppendEscaped(char c, std::string* out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    *out += '\\';
    *out += c;
  } else if (c == '\n') {
    *out += "\\n";
  } else if (c == '\t') {
    *out += "\\t";
  } else if (byte < 0x20 || byte == 0x7f) {
    *out += "\\u00";
    *out += kHex[byte >> 4U];
    *out += kHex[byte & 0x0fU];
  } else {
    *out += c;
  }
}

}  // namespace

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) AppendEscaped(c, &quoted);
  quoted += '"';
  return quoted;
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      AppendEscaped(c, &line);
    } else {
      line += c;
    }
  }
  return line;
}

std::string QuoteShort(std::string_view text) {
  if (text.size() <= kMaxQuoted) return Quote(text);
  size_t end = kMaxQuoted;
  while (end > 0 && IsContinuation(text[end])) --end;
  return Quote(std::string(text.substr(0, end)).append("…"));
}

}  // namespace proxyd
