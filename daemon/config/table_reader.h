// SPDX-License-Identifier: Apache-2.0
//
// TableReader: typed access to one table. Whatever is wrong becomes an error at its place and
// leaves the caller's value as it was, so that reading goes on and finds the rest. Each key that
// was asked for is known; Finish() complains about all others. Pure; one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "config/toml.h"
#include "config/words.h"

namespace proxyd {

// A key that a table has. The references live as long as the Document.
struct TomlEntry {
  const toml::key& key;
  const toml::node& value;
};

class TableReader {
 public:
  // `label` is how messages call the table: `[log]`, `[[rule]]`. The Document of `tables` and the
  // diagnostics must outlive the reader.
  TableReader(std::string_view label, TomlTables tables, Diagnostics* errors)
      : label_(label), tables_(std::move(tables)), errors_(errors) {}

  // Where the table begins; no line where no file has it.
  SourcePosition position() const;

  // Nothing where the key is not there.
  std::optional<TomlEntry> Find(std::string_view key);
  // The same, but does not make the key a known one.
  std::optional<TomlEntry> Peek(std::string_view key) const;
  // The same as Find(), but a missing key is an error.
  std::optional<TomlEntry> Require(std::string_view key, std::string_view expected);

  // Each leaves *out alone where the key is not there or its value is wrong.
  void ReadBool(std::string_view key, bool* out);
  void ReadNumber(std::string_view key, std::pair<uint32_t, uint32_t> bounds, uint32_t* out);
  void ReadDuration(std::string_view key, Duration* out);

  // One of `words`. False where *out was left alone.
  template <typename E, size_t N>
  bool ReadWord(std::string_view key, const Word<E> (&words)[N], E* out) {
    const auto entry = Find(key);
    if (!entry) return false;
    const auto* text = entry->value.as_string();
    const auto value = text != nullptr ? FindWord(words, text->get()) : std::nullopt;
    if (value) {
      *out = *value;
    } else {
      Wrong(*entry, ListWords(words));
    }
    return value.has_value();
  }

  // The strings of an array, which must not be empty nor name anything twice. Null where the key is
  // not there or its value is wrong.
  const toml::array* FindStrings(std::string_view key, std::string_view expected);

  // KEY is VALUE (or its type), expected EXPECTED.
  void Wrong(const TomlEntry& entry, std::string_view expected);
  void Error(const SourcePosition& position, std::string message);

  // Keys of the contract that this version cannot obey yet.
  void NotSupportedYet(std::initializer_list<std::string_view> keys);

  // Call last: every key that was never asked for is an error.
  void Finish();

  // `"a", "b" or "c"`.
  template <typename E, size_t N>
  static std::string ListWords(const Word<E> (&words)[N]) {
    std::vector<std::string> quoted;
    for (const Word<E>& word : words) quoted.push_back('"' + std::string(word.word) + '"');
    return Enumerate(quoted);
  }

 private:
  std::string_view label_;
  TomlTables tables_;
  Diagnostics* errors_;
  std::vector<std::string> known_;  // what Finish() offers instead
  std::vector<std::string_view> unsupported_;
};

}  // namespace proxyd
