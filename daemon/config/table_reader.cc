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

// `0o660` would not be recognized as 432.
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

std::optional<TomlEntry> TableReader::Require(std::string_view key, std::string_view expected) {
  auto entry = Find(key);
  if (!entry) {
    Error(
        position(),
        std::string(label_).append(" has no ").append(key).append(", expected ").append(expected));
  }
  return entry;
}

void TableReader::ReadBool(std::string_view key, bool* out) {
  const auto entry = Find(key);
  if (!entry) return;
  if (const auto* value = entry->value.as_boolean()) {
    *out = value->get();
  } else {
    Wrong(*entry, "true or false");
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
    Wrong(*entry,
          "a number from " + std::to_string(bounds.first) + " to " + std::to_string(bounds.second));
  }
}

void TableReader::ReadDuration(std::string_view key, Duration* out) {
  const auto entry = Find(key);
  if (!entry) return;
  if (!entry->value.is_string()) {
    Wrong(*entry, "a duration as \"250ms\", \"2s\" or \"5m\"");
    return;
  }
  const std::string& text = StringOf(entry->value);
  if (const auto duration = ParseDuration(text)) {
    *out = *duration;
  } else {
    Error(PositionOf(entry->value),
          std::string(key) + " is " + QuoteShort(text) + ", " + duration.error().message());
  }
}

const toml::array* TableReader::FindStrings(std::string_view key, std::string_view expected) {
  const auto entry = Find(key);
  if (!entry) return nullptr;
  const toml::array* array = entry->value.as_array();
  if (array == nullptr || array->empty()) {
    Wrong(*entry, expected);
    return nullptr;
  }
  bool good = true;
  std::set<std::string_view> seen;
  for (const toml::node& value : *array) {
    const std::string& text = StringOf(value);
    std::string what;
    if (!value.is_string()) {
      what = std::string(TypeNameOf(value)) + " in it, expected " + std::string(expected);
    } else if (!seen.insert(text).second) {
      what = QuoteShort(text) + " in it twice, expected each once";
    } else {
      continue;
    }
    Error(PositionOf(value), std::string(key) + " has " + what);
    good = false;
  }
  return good ? array : nullptr;
}

void TableReader::Wrong(const TomlEntry& entry, std::string_view expected) {
  const toml::node& value = entry.value;
  std::string what(TypeNameOf(value));
  if (value.is_string()) {
    what = QuoteShort(StringOf(value));
  } else if (const auto* integer = value.as_integer()) {
    what = AsWritten(*integer);
  } else if (value.is_array() && value.as_array()->empty()) {
    what = "empty";
  }
  Error(PositionOf(value),
        std::string(entry.key) + " is " + what + ", expected " + std::string(expected));
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
      // A key that is set twice has its error already.
      if (&Peek(key)->value != &value) continue;
      const bool later =
          std::find(unsupported_.begin(), unsupported_.end(), key.str()) != unsupported_.end();
      std::string message(label_);
      if (later) {
        message.append(": ").append(key).append(" is not supported yet");
      } else {
        message.append(" has an unknown key ")
            .append(QuoteShort(key))
            .append(", expected ")
            .append(Enumerate(known_));
      }
      Error(PositionOf(key), std::move(message));
    }
  }
}

}  // namespace proxyd
