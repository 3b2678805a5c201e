// SPDX-License-Identifier: Apache-2.0
#include "observe/escape.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace proxyd {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026

struct Character {
  uint32_t code_point = 0;
  size_t length = 1;   // bytes taken
  bool valid = false;  // false: one byte that begins no character
};

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80U; }

// The character at the front of `text`, which is not empty. Over-long forms, surrogates and what is
// beyond U+10FFFF are not characters.
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

// Controls (C0, DEL, C1: a terminal takes U+009B for an escape sequence), separators that some
// viewers take for the end of a line, and marks that change the order in which text is shown.
bool NeedsEscape(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

void AppendHex(uint32_t value, int digits, std::string* out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    out->push_back(kDigits[(value >> static_cast<unsigned>(shift)) & 0xFU]);
  }
}

void AppendEscape(uint32_t code_point, std::string* out) {
  switch (code_point) {
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      out->append("\\u");
      AppendHex(code_point, 4, out);
  }
}

// As much of `value` as fits into `limit` bytes without cutting a character in two.
std::string_view Cut(std::string_view value, size_t limit) {
  if (value.size() <= limit) return value;
  size_t end = limit;
  // A character has at most three continuation bytes; more is not UTF-8 and may be cut anywhere.
  for (int i = 0; i < 3 && end > 0 && IsContinuation(value[end]); ++i) --end;
  return value.substr(0, end);
}

// Most of what is written is plain: taken in whole runs.
bool IsPlain(char byte) {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';  // char may be signed
}

enum class Style { kJson, kUtf8, kPlain };

void AppendEscaped(std::string_view value, Style style, std::string* out) {
  while (!value.empty()) {
    size_t run = 0;
    while (run < value.size() && IsPlain(value[run])) ++run;
    out->append(value.substr(0, run));
    value.remove_prefix(run);
    if (value.empty()) return;

    const Character character = Decode(value);
    if (!character.valid && style == Style::kPlain) {
      out->append("\\x");
      AppendHex(static_cast<uint8_t>(value[0]), 2, out);
    } else if (!character.valid) {
      out->append(kReplacement);
    } else if (style != Style::kUtf8 && NeedsEscape(character.code_point)) {
      AppendEscape(character.code_point, out);
    } else {
      if (style == Style::kJson && (value[0] == '"' || value[0] == '\\')) out->push_back('\\');
      out->append(value.substr(0, character.length));
    }
    value.remove_prefix(character.length);
  }
}

void AppendPadded(uint32_t value, int digits, std::string* out) {
  std::string_view::size_type end = out->size() + static_cast<size_t>(digits);
  out->resize(end);
  for (int i = 0; i < digits; ++i, value /= 10) (*out)[--end] = static_cast<char>('0' + value % 10);
}

}  // namespace

void AppendJsonString(std::string_view value, size_t limit, std::string* out) {
  const std::string_view kept = Cut(value, limit);
  out->push_back('"');
  AppendEscaped(kept, Style::kJson, out);
  if (kept.size() < value.size()) out->append(kEllipsis);
  out->push_back('"');
}

size_t JsonStringBound(std::string_view value, size_t limit) {
  constexpr size_t kLongestEscape = 6;  // \u00XX
  size_t bound = 2 + kEllipsis.size();
  for (const char byte : value.substr(0, limit)) bound += IsPlain(byte) ? 1 : kLongestEscape;
  return bound;
}

size_t JsonStringSize(std::string_view value, size_t limit) {
  // Most values are plain and short: nothing is escaped or cut.
  if (value.size() <= limit && std::all_of(value.begin(), value.end(), IsPlain))
    return value.size() + 2;
  std::string quoted;
  AppendJsonString(value, limit, &quoted);
  return quoted.size();
}

void AppendUtf8(std::string_view value, size_t limit, std::string* out) {
  const std::string_view kept = Cut(value, limit);
  AppendEscaped(kept, Style::kUtf8, out);
  if (kept.size() < value.size()) out->append(kEllipsis);
}

void AppendPlainText(std::string_view value, size_t limit, std::string* out) {
  const std::string_view kept = Cut(value, limit);
  AppendEscaped(kept, Style::kPlain, out);
  if (kept.size() < value.size()) out->append(kEllipsis);
}

void AppendNumber(uint64_t number, std::string* out) {
  char digits[20];  // 2^64 - 1 has 20
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, number);
  out->append(digits, end.ptr);
}

void AppendTime(std::chrono::system_clock::time_point time, std::string* out) {
  namespace chrono = std::chrono;
  // Not gmtime_r(), which takes the C library's lock on time zones for each line.
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(chrono::floor<chrono::microseconds>(time - day));
  const auto number = [out](auto value, int digits) {
    AppendPadded(static_cast<uint32_t>(value), digits, out);
  };
  number(static_cast<int>(date.year()), 4);
  out->push_back('-');
  number(static_cast<unsigned>(date.month()), 2);
  out->push_back('-');
  number(static_cast<unsigned>(date.day()), 2);
  out->push_back('T');
  number(clock.hours().count(), 2);
  out->push_back(':');
  number(clock.minutes().count(), 2);
  out->push_back(':');
  number(clock.seconds().count(), 2);
  out->push_back('.');
  number(clock.subseconds().count(), 6);
  out->push_back('Z');
}

}  // namespace proxyd
