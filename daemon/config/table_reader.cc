// SPDX-License-Identifier: Apache-2.0
#include "config/table_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "config/quantity.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

// Keeps the octal form, since nobody would recognize `0o660` as 432.
std::string AsWritten(const toml::value<int64_t>& integer) {
  const bool octal = integer.flags() == toml::value_flags::format_as_octal;
  if (!octal || integer.get() < 0) return std::to_string(integer.get());
  std::array<char, 32> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), integer.get(), 8).ptr;
  return "0o" + std::string(digits.data(), end);
}

}  // namespace

SourcePosition TableReader::position() const {
  return tables_.empty() ? SourcePosition() : PositionOf(*tables_.front());
}

std::string_view TableReader::noun() const {
  const size_t first = label_.find_first_not_of('[');
  return label_.substr(first, label_.find(']') - first);
}

std::optional<TomlEntry> TableReader::Find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return Peek(key);
}

std::optional<TomlEntry> TableReader::Peek(std::string_view key) const {
  for (const toml::table* table : tables_) {
    if (const auto found = table->find(key); found != table->end())
      return TomlEntry{found->first, found->second};
  }
  return std::nullopt;
}

std::optional<TomlEntry> TableReader::Require(std::string_view key, std::string_view advice) {
  auto entry = Find(key);
  if (!entry) {
    Error(position(),
          std::string(label_).append(" has no ").append(key).append("; ").append(advice));
  }
  return entry;
}

void TableReader::ReadBool(std::string_view key, bool* out) {
  const auto entry = Find(key);
  if (!entry) return;
  if (const auto* value = entry->value.as_boolean()) {
    *out = value->get();
  } else {
    Wrong(*entry, "use true or false");
  }
}

void TableReader::ReadNumber(std::string_view key, std::pair<uint32_t, uint32_t> bounds,
                             uint32_t* out) {
  const auto entry = Find(key);
  if (!entry) return;
  const auto* value = entry->value.as_integer();
  if (value != nullptr && value->get() >= bounds.first && value->get() <= bounds.second) {
    *out = static_cast<uint32_t>(value->get());
  } else {
    Wrong(*entry, "use a number from " + std::to_string(bounds.first) + " to " +
                      std::to_string(bounds.second));
  }
}

void TableReader::ReadDuration(std::string_view key, Duration* out) {
  const auto entry = Find(key);
  if (!entry) return;
  if (!entry->value.is_string()) {
    Wrong(*entry, "use a duration such as \"250ms\", \"2s\" or \"5m\"");
    return;
  }
  const std::string& text = StringOf(entry->value);
  if (const auto duration = ParseDuration(text)) {
    *out = *duration;
  } else {
    Wrong(*entry, duration.error().message());
  }
}

const toml::array* TableReader::FindStrings(std::string_view key, std::string_view advice) {
  const auto entry = Find(key);
  if (!entry) return nullptr;
  const toml::array* array = entry->value.as_array();
  if (array == nullptr || array->empty()) {
    Wrong(*entry, advice);
    return nullptr;
  }
  bool good = true;
  std::set<std::string_view> seen;
  for (const toml::node& value : *array) {
    const std::string& text = StringOf(value);
    std::string what;
    if (!value.is_string()) {
      what = std::string(TypeNameOf(value)) + "; use only strings";
    } else if (!seen.insert(text).second) {
      what = QuoteShort(text) + " twice; remove one of the two";
    } else {
      continue;
    }
    Error(PositionOf(value), std::string(key) + " contains " + what);
    good = false;
  }
  return good ? array : nullptr;
}

void TableReader::Wrong(const TomlEntry& entry, std::string_view advice) {
  const toml::node& value = entry.value;
  std::string what(TypeNameOf(value));
  if (value.is_string()) {
    what = QuoteShort(StringOf(value));
  } else if (const auto* integer = value.as_integer()) {
    what = AsWritten(*integer);
  } else if (value.is_array() && value.as_array()->empty()) {
    what = "an empty array";
  } else if (value.is_table() && value.as_table()->empty()) {
    what = "an empty table";
  }
  Error(PositionOf(value), std::string(entry.key) + " is " + what + "; " + std::string(advice));
}

void TableReader::WrongWord(const TomlEntry& entry, const std::vector<std::string>& words,
                            std::string_view advice) {
  if (!entry.value.is_string()) return Wrong(entry, advice);
  Wrong(entry, errors_->DidYouMean(StringOf(entry.value), words, std::string(advice)));
}

void TableReader::Error(const SourcePosition& position, std::string message) {
  errors_->Add(position, std::move(message));
}

void TableReader::NotSupportedYet(std::initializer_list<std::string_view> keys) {
  unsupported_.insert(unsupported_.end(), keys.begin(), keys.end());
}

void TableReader::Finish() {
  for (const toml::table* table : tables_) {
    for (const auto& [key, value] : *table) {
      if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
      // A key that is set twice has an error of its own.
      if (&Peek(key)->value != &value) continue;
      const bool later =
          std::find(unsupported_.begin(), unsupported_.end(), key.str()) != unsupported_.end();
      std::string message;
      if (later) {
        message.append(key).append(" in ").append(label_).append(
            " is not supported yet; remove it");
      } else {
        message.append("unknown key ").append(QuoteShort(key)).append(" in ").append(label_);
        message.append("; ").append(errors_->DidYouMean(key, known_, "use " + Enumerate(known_)));
      }
      Error(PositionOf(key), std::move(message));
    }
  }
}

}  // namespace proxyd
