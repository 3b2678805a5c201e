// SPDX-License-Identifier: Apache-2.0
//
// Metadata as it stands on the wire: an ordered list of keys and values, in which a key may repeat.
// Servers look keys up in lower case; what travels is what the sender wrote.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Metadata that owns its strings: what is put into a Context, and found there. Like Go's MD it
// folds the key that is looked for or set to lower case, but not the keys that came over the wire:
// an entry that a peer spelled with an upper-case letter is there, but no look-up finds it.
class Metadata {
 public:
  struct Entry {
    Entry(std::string k, std::string v) : key(std::move(k)), value(std::move(v)) {}
    std::string key;
    std::string value;
  };

  Metadata() {}
  Metadata(std::initializer_list<std::pair<std::string_view, std::string_view>> entries);

  // The first value of the key; none if there is none. Valid until the metadata is changed.
  std::optional<std::string_view> Get(std::string_view key) const;
  // All of its values, in order.
  std::vector<std::string_view> Values(std::string_view key) const;

  // Replaces all values of the key by one.
  void Set(std::string_view key, std::string_view value);
  // Adds one more.
  void Append(std::string_view key, std::string_view value);
  void Remove(std::string_view key);

  // As it stands on the wire, the key as it is.
  void AppendAsSent(std::string_view key, std::string_view value);
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace ttrpc
