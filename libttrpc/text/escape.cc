// SPDX-License-Identifier: Apache-2.0
#include "text/escape.h"

#include <algorithm>
#include <cstdint>

namespace text {
namespace {

constexpr size_t kMaxQuoted = 128;  // bytes: longer than any address, short enough for a line

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026

struct Character {
  uint32_t code_point = 0;
  size_t length = 1;   // bytes taken
  bool valid = false;  // false: one byte that does not begin a character
};

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80U; }

// Decodes the first character of `text`, which must not be empty. Over-long forms, surrogates and
// values above U+10FFFF are not characters.
Character Decode(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  size_t length = 0;
  uint32_t code_point = 0;
  uint32_t smallest = 0;
  if ((lead & 0xE0U) == 0xC0U) {
    length = 2, code_point = lead & 0x1FU, smallest = 0x80;
  } else if ((lead & 0xF0U) == 0xE0U) {
    length = 3, code_point = lead & 0x0FU, smallest = 0x800;
  } else if ((lead & 0xF8U) == 0xF0U) {
    length = 4, code_point = lead & 0x07U, smallest = 0x10000;
  }
  if (length == 0 || text.size() < length) return {};
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(text[i])) return {};
    code_point = (code_point << 6U) | (static_cast<uint8_t>(text[i]) & 0x3FU);
  }
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < smallest || code_point > 0x10FFFF || surrogate) return {};
  return {code_point, length, true};
}

// Returns true for controls (C0, DEL and C1, since a terminal reads U+009B as an escape sequence),
// separators that some viewers show as line breaks, and marks that change the text direction.
bool MayDoHarm(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) || code_point == 0x061C ||
         code_point == 0x200E || code_point == 0x200F ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

void AppendHex(uint32_t value, int digits, std::string* out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    out->push_back(kDigits[(value >> static_cast<unsigned>(shift)) & 0xFU]);
  }
}

// How an output format escapes what must not appear in it unchanged.
struct Style {
  enum class NotUtf8 { kKept, kReplaced, kHex };
  bool quotes;                   // `"` and `\` are escaped
  std::string_view short_forms;  // controls that are written as a letter
  bool escapes;                  // characters that MayDoHarm() are escaped
  bool short_hex;                // those are \xXX, not \u00XX
  NotUtf8 not_utf8;
};
constexpr Style kToml = {true, "\n\t", true, false, Style::NotUtf8::kKept};
constexpr Style kTomlBare = {false, "\n\t", true, false, Style::NotUtf8::kKept};
constexpr Style kJson = {true, "\n\r\t", true, false, Style::NotUtf8::kReplaced};
constexpr Style kLog = {false, "\n\r\t", true, false, Style::NotUtf8::kHex};
constexpr Style kUtf8 = {false, "", false, false, Style::NotUtf8::kReplaced};
constexpr Style kTerminal = {false, "", true, true, Style::NotUtf8::kHex};

void AppendEscape(uint32_t code_point, const Style& style, std::string* out) {
  const bool is_ascii = code_point < 0x80;
  if (is_ascii && style.short_forms.find(static_cast<char>(code_point)) != std::string_view::npos) {
    out->append(code_point == '\n' ? "\\n" : code_point == '\t' ? "\\t" : "\\r");
  } else if (is_ascii && style.short_hex) {
    out->append("\\x");
    AppendHex(code_point, 2, out);
  } else {
    out->append("\\u");
    AppendHex(code_point, 4, out);
  }
}

void AppendNotUtf8(char byte, Style::NotUtf8 how, std::string* out) {
  switch (how) {
    case Style::NotUtf8::kKept:
      out->push_back(byte);
      return;
    case Style::NotUtf8::kReplaced:
      out->append(kReplacement);
      return;
    case Style::NotUtf8::kHex:
      out->append("\\x");
      AppendHex(static_cast<uint8_t>(byte), 2, out);
  }
}

// Returns the longest part of `value` that fits into `limit` bytes without splitting a character.
std::string_view Cut(std::string_view value, size_t limit) {
  if (value.size() <= limit) return value;
  size_t end = limit;
  // A character has at most three continuation bytes. Text with more is not UTF-8 and may be split
  // anywhere.
  for (int i = 0; i < 3 && end > 0 && IsContinuation(value[end]); ++i) --end;
  return value.substr(0, end);
}

// Plain bytes need no escape. Most text is plain and is copied in whole runs.
bool IsPlain(char byte) {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';  // char may be signed
}

void AppendEscaped(std::string_view value, const Style& style, std::string* out) {
  while (!value.empty()) {
    size_t run = 0;
    while (run < value.size() && IsPlain(value[run])) ++run;
    out->append(value.substr(0, run));
    value.remove_prefix(run);
    if (value.empty()) return;

    const Character character = Decode(value);
    if (!character.valid) {
      AppendNotUtf8(value[0], style.not_utf8, out);
    } else if (style.escapes && MayDoHarm(character.code_point)) {
      AppendEscape(character.code_point, style, out);
    } else {
      if (style.quotes && (value[0] == '"' || value[0] == '\\')) out->push_back('\\');
      out->append(value.substr(0, character.length));
    }
    value.remove_prefix(character.length);
  }
}

std::string Escaped(std::string_view value, const Style& style) {
  std::string escaped;
  AppendEscaped(value, style, &escaped);
  return escaped;
}

std::string InQuotes(std::string_view value, const Style& style) {
  std::string quoted = "\"";
  AppendEscaped(value, style, &quoted);
  quoted += '"';
  return quoted;
}

}  // namespace

std::string Quote(std::string_view value) { return InQuotes(value, kToml); }

std::string QuoteShort(std::string_view value) {
  if (value.size() <= kMaxQuoted) return Quote(value);
  size_t end = kMaxQuoted;
  while (end > 0 && IsContinuation(value[end])) --end;
  return Quote(std::string(value.substr(0, end)).append(kEllipsis));
}

std::string OneLine(std::string_view value) { return Escaped(value, kTomlBare); }

std::string JsonQuoted(std::string_view value) { return InQuotes(value, kJson); }

void AppendJsonString(std::string_view value, size_t limit, std::string* out) {
  const std::string_view kept = Cut(value, limit);
  out->push_back('"');
  AppendEscaped(kept, kJson, out);
  if (kept.size() < value.size()) out->append(kEllipsis);
  out->push_back('"');
}

size_t JsonStringBound(std::string_view value, size_t limit) {
  constexpr size_t kLongestEscape = 6;  // \\u00XX
  size_t bound = 2 + kEllipsis.size();
  for (const char byte : value.substr(0, limit)) bound += IsPlain(byte) ? 1 : kLongestEscape;
  return bound;
}

size_t JsonStringSize(std::string_view value, size_t limit) {
  // Fast path: most values are plain and short, so nothing is escaped or cut.
  if (value.size() <= limit && std::all_of(value.begin(), value.end(), IsPlain))
    return value.size() + 2;
  std::string quoted;
  AppendJsonString(value, limit, &quoted);
  return quoted.size();
}

void AppendUtf8(std::string_view value, size_t limit, std::string* out) {
  const std::string_view kept = Cut(value, limit);
  AppendEscaped(kept, kUtf8, out);
  if (kept.size() < value.size()) out->append(kEllipsis);
}

void AppendPlainText(std::string_view value, size_t limit, std::string* out) {
  const std::string_view kept = Cut(value, limit);
  AppendEscaped(kept, kLog, out);
  if (kept.size() < value.size()) out->append(kEllipsis);
}

std::string Printable(std::string_view value) { return Escaped(value, kTerminal); }

std::string PrintableLines(std::string_view value) {
  std::string out;
  while (true) {
    const size_t end = value.find('\n');
    AppendEscaped(value.substr(0, end), kTerminal, &out);
    if (end == std::string_view::npos) return out;
    out += "\n  ";
    value.remove_prefix(end + 1);
  }
}

}  // namespace text
