// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <algorithm>

namespace ttrpc::compiler {

namespace {

// Sets one option. Returns what is wrong with it, or an empty string.
std::string Set(std::string_view key, const std::string& value, Options* options) {
  if (key == "prefix") {
    options->prefix = value;
    if (!IsIdentifier(value)) return "prefix is \"" + value + "\"; use the beginning of a C++ name";
  } else if (key == "suffix") {
    options->suffix = value;
    if (value.empty() || !IsIdentifier("_" + value))
      return "suffix is \"" + value + "\"; use the end of a C++ name";
  } else if (value == "undef") {
    options->macros = Macros::kUndef;
  } else if (value == "allow") {
    options->macros = Macros::kAllow;
  } else {
    return "macros is \"" + value + "\"; use undef or allow";
  }
  return {};
}

}  // namespace

bool IsIdentifier(std::string_view text) {
  const auto letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string ParseParameter(const std::string& parameter, Options* options) {
  std::string_view rest = parameter;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view key = part.substr(0, equals);
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    if (key != "prefix" && key != "suffix" && key != "macros")
      return "unknown parameter \"" + std::string(part) +
             "\"; use prefix=NAME, suffix=NAME or macros=undef|allow";
    std::string error = Set(key, std::string(value), options);
    if (!error.empty()) return error;
  }
  return {};
}

}  // namespace ttrpc::compiler
