// SPDX-License-Identifier: Apache-2.0
//
// TableReader: typed access to one table. Anything wrong becomes an error at its position and
// leaves the caller's value unchanged, so that reading goes on and finds the other errors. Each key
// that a reader asks for is known, and Finish() reports all others. Pure; one thread.
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

// A key of a table and its value. The references live as long as the Document.
struct TomlEntry {
  const toml::key& key;
  const toml::node& value;
};

class TableReader {
 public:
  // `label` is the name of the table in messages: `[log]`, `[[rule]]`. The Document of `tables` and
  // the diagnostics must outlive the reader.
  TableReader(std::string_view label, TomlTables tables, Diagnostics* errors)
      : label_(label), tables_(std::move(tables)), errors_(errors) {}

  // Returns where the table begins, without a line if no file has the table.
  SourcePosition position() const;
  // Returns the word for what the table describes: `rule` for `[[rule]]`.
  std::string_view noun() const;

  // Returns nothing if the table does not have the key.
  std::optional<TomlEntry> Find(std::string_view key);
  // Like Find(), but does not make the key a known one.
  std::optional<TomlEntry> Peek(std::string_view key) const;
  // Like Find(), but a missing key is an error: `[[rule]] has no KEY; ADVICE`.
  std::optional<TomlEntry> Require(std::string_view key, std::string_view advice);

  // These functions leave *out unchanged if the table does not have the key, or has a wrong value.
  void ReadBool(std::string_view key, bool* out);
  void ReadNumber(std::string_view key, std::pair<uint32_t, uint32_t> bounds, uint32_t* out);
  void ReadDuration(std::string_view key, Duration* out);

  // Reads one of `words`. Returns false if *out is unchanged.
  template <typename E, size_t N>
  bool ReadWord(std::string_view key, const Word<E> (&words)[N], E* out) {
    const auto entry = Find(key);
    if (!entry) return false;
    const auto* text = entry->value.as_string();
    const auto value = text != nullptr ? FindWord(words, text->get()) : std::nullopt;
    if (value) {
      *out = *value;
    } else {
      WrongWord(*entry, ListOf(words), "use " + ListWords(words));
    }
    return value.has_value();
  }

  // Finds an array of strings, which must have an element and no element twice. Returns null if the
  // table does not have the key, or has a wrong value.
  const toml::array* FindStrings(std::string_view key, std::string_view advice);

  // Reports `KEY is VALUE; ADVICE`, or `KEY is a TYPE; ADVICE`.
  void Wrong(const TomlEntry& entry, std::string_view advice);
  // Like Wrong(), but asks `did you mean "X"?` if the value is a string that is close to a word.
  void WrongWord(const TomlEntry& entry, const std::vector<std::string>& words,
                 std::string_view advice);
  void Error(const SourcePosition& position, std::string message);

  // Names keys that are documented for a later version.
  void NotSupportedYet(std::initializer_list<std::string_view> keys);

  // Reports every key that was not asked for. Call it last.
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
  std::vector<std::string> known_;  // the keys that Finish() suggests
  std::vector<std::string_view> unsupported_;
};

}  // namespace proxyd
