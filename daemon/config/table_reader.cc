// SPDX-License-Identifier: Apache-2.0
#include "config/table_reader.h"

#include <algorithm>
#include <set>

#include "config/quantity.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

TableReader::TableReader(std::string_view label, const TomlValue& table, Diagnostics* errors)
    : label_(label), table_(table), errors_(errors) {}

const TomlEntry* TableReader::Find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return Peek(key);
}

const TomlEntry* TableReader::Peek(std::string_view key) const {
  const auto& entries = table_.table;
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [key](const TomlEntry& e) { return e.key == key; });
  return entry == entries.end() ? nullptr : &*entry;
}

const TomlEntry* TableReader::Require(std::string_view key, std::string_view expected) {
  const TomlEntry* entry = Find(key);
  if (entry == nullptr) {
    Error(
        position(),
        std::string(label_).append(" has no ").append(key).append(", expected ").append(expected));
  }
  return entry;
}

void TableReader::ReadBool(std::string_view key, bool* out) {
  const TomlEntry* entry = Find(key);
  if (entry == nullptr) return;
  if (entry->value.kind == TomlValue::Kind::kBoolean) {
    *out = entry->value.boolean;
  } else {
    Wrong(*entry, "true or false");
  }
}

void TableReader::ReadNumber(std::string_view key, std::pair<uint32_t, uint32_t> bounds,
                             uint32_t* out) {
  const TomlEntry* entry = Find(key);
  if (entry == nullptr) return;
  const TomlValue& value = entry->value;
  if (value.kind == TomlValue::Kind::kInteger && value.integer >= bounds.first &&
      value.integer <= bounds.second) {
    *out = static_cast<uint32_t>(value.integer);
  } else {
    Wrong(*entry,
          "a number from " + std::to_string(bounds.first) + " to " + std::to_string(bounds.second));
  }
}

void TableReader::ReadDuration(std::string_view key, Duration* out) {
  const TomlEntry* entry = Find(key);
  if (entry == nullptr) return;
  if (entry->value.kind != TomlValue::Kind::kString) {
    Wrong(*entry, "a duration as \"250ms\", \"2s\" or \"5m\"");
    return;
  }
  const auto duration = ParseDuration(entry->value.string);
  if (duration) {
    *out = *duration;
  } else {
    Error(entry->value.position, entry->key + " is " + QuoteShort(entry->value.string) + ", " +
                                     duration.error().message());
  }
}

const std::vector<TomlValue>* TableReader::FindStrings(std::string_view key,
                                                       std::string_view expected) {
  const TomlEntry* entry = Find(key);
  if (entry == nullptr) return nullptr;
  const std::vector<TomlValue>& array = entry->value.array;
  if (entry->value.kind != TomlValue::Kind::kArray || array.empty()) {
    Wrong(*entry, expected);
    return nullptr;
  }
  bool good = true;
  std::set<std::string_view> seen;
  for (const TomlValue& value : array) {
    if (value.kind != TomlValue::Kind::kString) {
      Error(value.position, entry->key + " has " + std::string(TomlKindName(value.kind)) +
                                " in it, expected " + std::string(expected));
      good = false;
    } else if (!seen.insert(value.string).second) {
      Error(value.position,
            entry->key + " has " + QuoteShort(value.string) + " in it twice, expected each once");
      good = false;
    }
  }
  return good ? &array : nullptr;
}

void TableReader::Wrong(const TomlEntry& entry, std::string_view expected) {
  const TomlValue& value = entry.value;
  std::string what(TomlKindName(value.kind));
  if (value.kind == TomlValue::Kind::kString) {
    what = QuoteShort(value.string);
  } else if (value.kind == TomlValue::Kind::kInteger) {
    what = std::to_string(value.integer);
  } else if (value.kind == TomlValue::Kind::kArray && value.array.empty()) {
    what = "empty";
  }
  Error(value.position, entry.key + " is " + what + ", expected " + std::string(expected));
}

void TableReader::Error(const SourcePosition& position, std::string message) {
  errors_->Add(position, std::move(message));
}

void TableReader::NotSupportedYet(std::initializer_list<std::string_view> keys) {
  unsupported_.insert(unsupported_.end(), keys.begin(), keys.end());
}

void TableReader::Finish() {
  for (const TomlEntry& entry : table_.table) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    const bool later =
        std::find(unsupported_.begin(), unsupported_.end(), entry.key) != unsupported_.end();
    std::string message(label_);
    if (later) {
      message.append(": ").append(entry.key).append(" is not supported yet");
    } else {
      message.append(" has an unknown key ")
          .append(QuoteShort(entry.key))
          .append(", expected ")
          .append(Enumerate(known_));
    }
    Error(entry.position, std::move(message));
  }
}

std::string TableReader::Enumerate(const std::vector<std::string>& alternatives) {
  std::string text;
  for (size_t i = 0; i < alternatives.size(); ++i) {
    if (i > 0) text += i + 1 == alternatives.size() ? " or " : ", ";
    text += alternatives[i];
  }
  return text;
}

}  // namespace proxyd
