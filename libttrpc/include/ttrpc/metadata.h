// SPDX-License-Identifier: Apache-2.0
//
// Metadata as it is on the wire: an ordered list of keys and values, in which a key may repeat.
// Servers look keys up in lower case; what travels is what the sender wrote.
//
// These are values. Any thread may use one, one thread at a time; no function here fails.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ttrpc {

// An entry that somebody else owns, mostly the message that it was scanned from: its strings are
// valid for as long as their owner.
struct MetadataEntry {
  std::string_view key;
  std::string_view value;

  friend bool operator==(const MetadataEntry&, const MetadataEntry&) = default;
};

// These three know the letters of ASCII only, whatever the locale.
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

// Metadata owns its strings; it is what is put into a Context, and found there. Like Go's MD it
// folds the key that is looked for or set to lower case, but not the keys that came over the wire:
// an entry that a peer spelled with an upper-case letter is there, but no look-up finds it.
//
// Functions that change it copy their arguments, which may be views of the metadata itself.
class Metadata {
 public:
  struct Entry {
    Entry(std::string k, std::string v) : key(std::move(k)), value(std::move(v)) {}
    std::string key;
    std::string value;
  };

  Metadata() {}
  Metadata(std::initializer_list<std::pair<std::string_view, std::string_view>> entries);

  // Returns the first value of the key, or none. Valid until the metadata is changed or destroyed.
  std::optional<std::string_view> Get(std::string_view key) const;
  // Returns all values of the key, in order; empty if it has none. The views are valid for as long
  // as those of Get().
  std::vector<std::string_view> Values(std::string_view key) const;

  // Replaces all values of the key by this one.
  void Set(std::string_view key, std::string_view value);
  // Adds a value to those of the key.
  void Append(std::string_view key, std::string_view value);
  // Removes all values of the key; has no effect if it has none.
  void Remove(std::string_view key);

  // Adds an entry as it was sent, without folding its key.
  void AppendAsSent(std::string_view key, std::string_view value);
  // All entries, in order. The reference is valid as long as the metadata, its strings until the
  // metadata is changed.
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace ttrpc
