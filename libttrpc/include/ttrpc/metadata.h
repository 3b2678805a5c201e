// SPDX-License-Identifier: Apache-2.0
//
// Metadata: an ordered list of keys and values, in which a key may repeat. Keys travel as the
// sender wrote them; servers look them up in lower case.
//
// These types are values. Any thread may use one, one thread at a time. No function here fails.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ttrpc {

// An entry whose strings belong to another object, usually the message that it was scanned from. It
// is valid as long as that object is.
struct MetadataEntry {
  std::string_view key;
  std::string_view value;

  friend bool operator==(const MetadataEntry&, const MetadataEntry&) = default;
};

// The following three functions fold only ASCII letters, in every locale.
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

// Metadata owns its strings. A Context carries it. Like Go's MD, look-ups and changes fold the
// given key to lower case, but keys from the wire are not folded: an entry whose key a peer wrote
// with an upper-case letter is in entries(), and no look-up finds it.
//
//   for (const auto& [key, value] : context.metadata()) …
//
// Functions that change the metadata copy their arguments, which may be views of the metadata
// itself.
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
  // Returns all values of the key in order, or an empty vector. The views are valid as long as
  // those of Get().
  std::vector<std::string_view> Values(std::string_view key) const;

  // Replaces all values of the key with this one.
  void Set(std::string_view key, std::string_view value);
  // Adds a value to the key.
  void Append(std::string_view key, std::string_view value);
  // Removes all values of the key. Has no effect if it has none.
  void Remove(std::string_view key);

  // Adds an entry without folding its key.
  void AppendAsSent(std::string_view key, std::string_view value);
  // Returns all entries in order. The reference is valid as long as the metadata is; the strings
  // are valid until the metadata is changed.
  const std::vector<Entry>& entries() const { return entries_; }
  // Make a loop over the metadata one over entries(). No entry can be changed through them, because
  // a key must stay as it was folded.
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }
  bool empty() const { return entries_.empty(); }
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace ttrpc
