// SPDX-License-Identifier: Apache-2.0
#include "discovery/found_text.h"

#include "text/escape.h"

namespace proxyd {

std::string ProblemOfName(std::string_view name) {
  if (name.empty()) return "its name is empty";
  if (name == "." || name == ".." || name.find_first_of("/\\") != std::string_view::npos) {
    return "its name is . or .., or has a slash or a backslash";
  }
  if (name.find('\0') != std::string_view::npos || text::Printable(name) != name) {
    return "its name has control characters, or is not UTF-8";
  }
  return {};
}

std::string ShownText(std::string_view text) {
  constexpr size_t kMost = 128;
  std::string utf8;
  text::AppendUtf8(text, kMost, &utf8);
  return text::QuoteShort(utf8);
}

std::string_view WithoutSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

ttrpc::Result<ttrpc::Address> ParseFoundAddress(std::string_view text) {
  text = WithoutSpace(text);
  // A path may hold anything but NUL, but two lines in one answer are two addresses.
  if (text::Printable(text) != text) {
    return ttrpc::Status(ttrpc::StatusCode::kInvalidArgument,
                         "it has control characters, or is not UTF-8");
  }
  if (text.starts_with('/')) return ttrpc::Address::Parse("unix-abstract:" + std::string(text));
  return ttrpc::Address::Parse(text);
}

}  // namespace proxyd
