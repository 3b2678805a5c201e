// SPDX-License-Identifier: Apache-2.0
#include "json_text.h"

#include <algorithm>

namespace ttrpc::tool {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";
constexpr std::string_view kEndsWord = " \t\r\n{}[]\"',:";

bool IsQuote(char c) { return c == '"' || c == '\''; }

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

}  // namespace

size_t DepthOfJson(std::string_view json) {
  size_t depth = 0;
  size_t deepest = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    if (IsQuote(json[i])) {
      const size_t length = LengthOfString(json.substr(i));
      if (length == 0) break;
      i += length - 1;
    } else if (json[i] == '{' || json[i] == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((json[i] == '}' || json[i] == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
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
  return first == '{' || first == '[' ? TakeBrackets() : TakeToken();
}

std::string_view JsonText::TakeBrackets() {
  size_t depth = 0;
  for (size_t i = 0; i < rest_.size(); ++i) {
    const char c = rest_[i];
    if (IsQuote(c)) {
      const size_t length = LengthOfString(rest_.substr(i));
      if (length == 0) break;
      i += length - 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return TakeFirst(i + 1);
    }
  }
  return {};
}

}  // namespace ttrpc::tool
