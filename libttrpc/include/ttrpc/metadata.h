// SPDX-License-Identifier: Apache-2.0
//
// Metadata as it stands on the wire: an ordered list of keys and values, in which a key may repeat.
// Servers look keys up in lower case; what travels is what the sender wrote.
#pragma once

#include <algorithm>
#include <string_view>

namespace ttrpc {

struct MetadataEntry {
  std::string_view key;
  std::string_view value;

  friend bool operator==(const MetadataEntry&, const MetadataEntry&) = default;
};

// ASCII only, whatever the locale.
constexpr char ToLowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return ToLowerAscii(x) == ToLowerAscii(y); });
}

constexpr bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && EqualsIgnoringCase(text.substr(0, prefix.size()), prefix);
}

}  // namespace ttrpc
