// SPDX-License-Identifier: Apache-2.0
//
// TableReader: typed access to one table. Whatever is wrong becomes an error at its place and
// leaves the caller's value as it was, so that reading goes on and finds the rest. Each key that
// was asked for is known; Finish() complains about all others. Pure; one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "config/toml.h"
#include "config/words.h"

namespace proxyd {

// The errors found so far, in the order in which they were found.
class Diagnostics {
 public:
  void Add(SourcePosition position, std::string message,
           ConfigError::Kind kind = ConfigError::Kind::kWrong) {
    errors_.push_back({std::move(position), std::move(message), kind});
  }
  std::vector<ConfigError> Take() { return std::move(errors_); }

 private:
  std::vector<ConfigError> errors_;
};

class TableReader {
 public:
  // `label` is how messages call the table: `[log]`, `[[rule]]`. The table and the diagnostics must
  // outlive the reader; entries and strings it returns live as long as the table.
  TableReader(std::string_view label, const TomlValue& table, Diagnostics* errors);

  TomlPosition position() const { return table_.position; }

  // Null where the key is not there.
  const TomlEntry* Find(std::string_view key);
  // The same, but does not make the key a known one.
  const TomlEntry* Peek(std::string_view key) const;
  // The same, but that it is not there is an error.
  const TomlEntry* Require(std::string_view key, std::string_view expected);

  // Each leaves *out alone where the key is not there or its value is wrong.
  void ReadBool(std::string_view key, bool* out);
  void ReadNumber(std::string_view key, std::pair<uint32_t, uint32_t> bounds, uint32_t* out);
  void ReadDuration(std::string_view key, Duration* out);

  // One of `words`. False where *out was left alone.
  template <typename E, size_t N>
  bool ReadWord(std::string_view key, const Word<E> (&words)[N], E* out) {
    const TomlEntry* entry = Find(key);
    if (entry == nullptr) return false;
    for (const Word<E>& word : words) {
      if (entry->value.kind == TomlValue::Kind::kString && entry->value.string == word.word) {
        *out = word.value;
        return true;
      }
    }
    Wrong(*entry, ListWords(words));
    return false;
  }

  // The strings of an array, which must not be empty nor name anything twice. Null where the key is
  // not there or its value is wrong.
  const std::vector<TomlValue>* FindStrings(std::string_view key, std::string_view expected);

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
  static std::string Enumerate(const std::vector<std::string>& alternatives);

  std::string_view label_;
  const TomlValue& table_;
  Diagnostics* errors_;
  std::vector<std::string> known_;  // what Finish() offers instead
  std::vector<std::string_view> unsupported_;
};

}  // namespace proxyd
