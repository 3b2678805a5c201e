// SPDX-License-Identifier: Apache-2.0
#include "config/repair.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "config/toml.h"

namespace proxyd {
namespace {

constexpr std::string_view kBlanks = " \t";

bool IsIn(std::string_view set, char c) { return set.find(c) != set.npos; }

bool IsOfNumber(char c) { return IsIn("0123456789_+-", c); }

bool IsOfBareKey(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool IsCodePointStart(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Returns where a line, counted from 1, begins. It is the end of the text if there is no such line.
size_t StartOfLine(std::string_view text, uint32_t line) {
  size_t at = 0;
  for (uint32_t i = 1; i < line; ++i) {
    at = text.find('\n', at);
    if (at == text.npos) return text.size();
    ++at;
  }
  return at;
}

size_t EndOfLine(std::string_view text, size_t start) {
  return std::min(text.find('\n', start), text.size());
}

// Columns count code points from 1.
size_t OffsetOf(std::string_view text, size_t line_start, uint32_t column) {
  size_t at = line_start;
  for (uint32_t i = 0; at < text.size(); ++at) {
    if (IsCodePointStart(text[at]) && ++i == column) break;
  }
  return at;
}

uint32_t ColumnOf(std::string_view text, size_t line_start, size_t offset) {
  const auto before = text.substr(line_start, offset - line_start);
  return static_cast<uint32_t>(std::count_if(before.begin(), before.end(), IsCodePointStart)) + 1;
}

// Returns the key of `KEY = VALUE` whose value begins at `value`, or nothing if the key is not
// bare.
std::string_view KeyBefore(std::string_view text, size_t value) {
  const auto skip_blanks = [text](size_t end) {
    while (end > 0 && IsIn(kBlanks, text[end - 1])) --end;
    return end;
  };
  size_t end = skip_blanks(value);
  if (end == 0 || text[end - 1] != '=') return {};
  end = skip_blanks(end - 1);
  size_t start = end;
  while (start > 0 && IsOfBareKey(text[start - 1])) --start;
  return text.substr(start, end - start);
}

std::string LeadingZero(std::string_view key, std::string_view number) {
  std::string what;
  if (key.empty()) {
    what.append(number).append(" has a leading zero");
  } else {
    what.append(key).append(" is ").append(number);
  }
  if (key == "mode") {
    const size_t first = number.find_first_not_of('0');
    const std::string_view digits = first == number.npos ? "0" : number.substr(first);
    if (digits.size() <= 3 && digits.find_first_not_of("01234567") == digits.npos)
      return what.append("; write it in quotes: mode = \"0").append(digits).append("\"");
    return what.append("; use octal digits in quotes, at most \"0777\"");
  }
  return what.append("; write it without leading zeros, or in quotes");
}

// Replaces a number with an empty string, and with blanks up to the end of the number. The parser
// stopped at the number or right after it.
std::optional<Repair> RepairNumber(const SourcePosition& position, ConfigFile* file) {
  std::string& text = file->text;
  const size_t line_start = StartOfLine(text, position.line);
  size_t end = std::min(OffsetOf(text, line_start, position.column), EndOfLine(text, line_start));
  size_t start = end;
  while (start > line_start && IsOfNumber(text[start - 1])) --start;
  while (end < text.size() && IsOfNumber(text[end])) ++end;
  const std::string number = text.substr(start, end - start);
  const size_t zero = number.find_first_not_of("+-");
  const bool is_one = zero != number.npos && zero < 2 && number[zero] == '0' &&
                      number.size() > zero + 1 &&
                      number.find_first_not_of("0123456789_", zero) == number.npos;
  if (!is_one || (end < text.size() && !IsIn(" \t\r\n,]}#", text[end]))) return std::nullopt;
  std::string message = LeadingZero(KeyBefore(text, start), number);
  text.replace(start, number.size(), "\"\"" + std::string(number.size() - 2, ' '));
  return Repair{.error = {.position = {.file = file->name,
                                       .line = position.line,
                                       .column = ColumnOf(text, line_start, start)},
                          .message = std::move(message)},
                .stand_in = true};
}

// A header `[NAME]` or `[[NAME]]` on a line of its own.
struct Header {
  std::string_view name;
  size_t opens;   // the first opening bracket
  size_t closes;  // the first closing bracket
  bool of_list;
};

std::optional<Header> HeaderIn(std::string_view text, size_t line_start) {
  const size_t end = EndOfLine(text, line_start);
  const auto skip_blanks = [text, end](size_t at) {
    while (at < end && IsIn(kBlanks, text[at])) ++at;
    return at;
  };
  Header header = {.name = {}, .opens = skip_blanks(line_start), .closes = 0, .of_list = false};
  size_t at = header.opens;
  if (at == end || text[at] != '[') return std::nullopt;
  ++at;
  header.of_list = at < end && text[at] == '[';
  if (header.of_list) ++at;
  const size_t name = skip_blanks(at);
  at = name;
  while (at < end && IsOfBareKey(text[at])) ++at;
  header.name = text.substr(name, at - name);
  header.closes = skip_blanks(at);
  if (header.closes == end || text[header.closes] != ']') return std::nullopt;
  return header;
}

// Repairs each `[NAME]` of the file, since a list may not have both kinds of tables.
std::vector<Repair> RepairHeaders(const SourcePosition& position, ConfigFile* file) {
  std::string& text = file->text;
  const auto wrong = HeaderIn(text, StartOfLine(text, position.line));
  if (!wrong || std::find(kLists.begin(), kLists.end(), wrong->name) == kLists.end()) return {};
  const std::string name(wrong->name);
  std::vector<Repair> repairs;
  uint32_t line = 1;
  for (size_t start = 0; start < text.size(); start = EndOfLine(text, start) + 1, ++line) {
    const auto header = HeaderIn(text, start);
    if (!header || header->of_list || header->name != name) continue;
    const auto at = static_cast<size_t>(header->name.data() - text.data());
    repairs.push_back(
        {.error = {
             .position = {.file = file->name, .line = line, .column = ColumnOf(text, start, at)},
             .message = SingleBrackets(name)}});
    text.insert(header->closes, 1, ']');
    text.insert(header->opens, 1, '[');
  }
  return repairs;
}

}  // namespace

std::vector<Repair> RepairText(const ConfigError& syntax_error, ConfigFile* file) {
  const std::string& description = syntax_error.message;
  if (description.find("leading zeroes are prohibited") != description.npos) {
    auto repair = RepairNumber(syntax_error.position, file);
    return repair ? std::vector<Repair>{*std::move(repair)} : std::vector<Repair>{};
  }
  if (description.find("cannot redefine existing") != description.npos)
    return RepairHeaders(syntax_error.position, file);
  return {};
}

std::string SingleBrackets(std::string_view name) {
  std::string message = "[";
  return message.append(name).append("] has single brackets; write [[").append(name).append("]]");
}

}  // namespace proxyd
