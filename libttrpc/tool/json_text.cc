// SPDX-License-Identifier: Apache-2.0
#include "json_text.h"

#include <google/protobuf/stubs/strutil.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace ttrpc::tool {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
constexpr std::string_view kEndsWord = " \t\n\v\f\r{}[]\"',:";

bool IsQuote(char c) { return c == '"' || c == '\''; }
bool IsOpening(char c) { return c == '{' || c == '['; }

// Returns the length of the string at the beginning, with its quotes; 0 if it has no end.
size_t LengthOfString(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == text[0]) {
      return i + 1;
    }
  }
  return 0;
}

// Returns the position of the first bracket that is not in a string, or the size of the text. The
// search begins at `from`, outside of strings.
size_t FindBracket(std::string_view text, size_t from) {
  while (from < text.size()) {
    from = std::min(text.find_first_of("{}[]\"'", from), text.size());
    if (from == text.size() || !IsQuote(text[from])) break;
    const size_t length = LengthOfString(text.substr(from));
    from = length == 0 ? text.size() : from + length;
  }
  return from;
}

// Takes the four digits of \uXXXX and returns their number.
std::optional<uint32_t> TakeCodeUnit(std::string_view* text) {
  const std::string_view digits = text->substr(0, 4);
  uint32_t unit = 0;
  const auto read = std::from_chars(digits.begin(), digits.end(), unit, 16);
  if (digits.size() != 4 || read.ptr != digits.end()) return std::nullopt;
  text->remove_prefix(4);
  return unit;
}

// Takes what follows `\u`: the digits of a character, which has two such escapes above U+FFFF.
std::optional<uint32_t> TakeCodePoint(std::string_view* text) {
  const std::optional<uint32_t> high = TakeCodeUnit(text);
  if (!high || *high < 0xD800 || *high > 0xDFFF) return high;
  if (*high > 0xDBFF || !text->starts_with("\\u")) return std::nullopt;
  text->remove_prefix(2);
  const std::optional<uint32_t> low = TakeCodeUnit(text);
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
  return 0x10000 + ((*high - 0xD800) << 10U) + (*low - 0xDC00);
}

// Protobuf's parser drops the backslash before any other character.
char Unescaped(char c) {
  constexpr std::string_view kEscapes = "bfnrtv";
  const size_t found = kEscapes.find(c);
  return found == std::string_view::npos ? c : "\b\f\n\r\t\v"[found];
}

}  // namespace

size_t DepthOfJson(std::string_view json) {
  size_t depth = 0;
  size_t deepest = 0;
  for (size_t i = FindBracket(json, 0); i < json.size(); i = FindBracket(json, i + 1)) {
    if (IsOpening(json[i])) {
      deepest = std::max(deepest, ++depth);
    } else if (depth > 0) {
      --depth;
    }
  }
  return deepest;
}

std::optional<std::string> Unquoted(std::string_view token) {
  if (token.empty() || !IsQuote(token.front())) return std::string(token);
  token = token.substr(1, token.size() - 2);
  std::string text;
  while (true) {
    const size_t end = std::min(token.find('\\'), token.size());
    text += token.substr(0, end);
    token.remove_prefix(end);
    if (token.size() < 2) return text;
    const char escape = token[1];
    token.remove_prefix(2);
    if (escape != 'u') {
      text += Unescaped(escape);
      continue;
    }
    const std::optional<uint32_t> code_point = TakeCodePoint(&token);
    if (!code_point) return std::nullopt;
    std::array<char, google::protobuf::UTFmax> character{};
    const int length = google::protobuf::EncodeAsUTF8Char(*code_point, character.data());
    text.append(character.data(), static_cast<size_t>(length));
  }
}

bool JsonText::AtEnd() {
  Peek();
  return rest_.empty();
}

char JsonText::Peek() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(kWhiteSpace), rest_.size()));
  return rest_.empty() ? '\0' : rest_.front();
}

bool JsonText::Take(char c) {
  if (Peek() != c) return false;
  rest_.remove_prefix(1);
  return true;
}

std::string_view JsonText::TakeFirst(size_t count) {
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(taken.size());
  return taken;
}

std::string_view JsonText::TakeToken() {
  return TakeFirst(IsQuote(Peek()) ? LengthOfString(rest_) : rest_.find_first_of(kEndsWord));
}

std::string_view JsonText::TakeValue() {
  const char first = Peek();
  return IsOpening(first) ? TakeBrackets() : TakeToken();
}

std::string_view JsonText::TakeBrackets() {
  size_t depth = 0;
  for (size_t i = FindBracket(rest_, 0); i < rest_.size(); i = FindBracket(rest_, i + 1)) {
    IsOpening(rest_[i]) ? ++depth : --depth;
    if (depth == 0) return TakeFirst(i + 1);
  }
  return {};
}

}  // namespace ttrpc::tool
