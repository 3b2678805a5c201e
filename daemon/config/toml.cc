// SPDX-License-Identifier: Apache-2.0
#include "config/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "config/toml_keys.h"
#include "text/escape.h"

namespace proxyd {

using text::OneLine;

namespace {

// No key takes values that nest as deep; what stands below says nothing, whatever it is.
constexpr int kMaxDepth = 16;

class Converter {
 public:
  explicit Converter(const std::string& file) : file_(file) {}

  TomlValue Value(const toml::node& node, int depth = 0) const {
    TomlValue value;
    value.position = Position(node.source());
    if (const auto* string = node.as_string()) {
      value.kind = TomlValue::Kind::kString;
      value.string = string->get();
    } else if (const auto* integer = node.as_integer()) {
      value.kind = TomlValue::Kind::kInteger;
      value.integer = integer->get();
    } else if (const auto* boolean = node.as_boolean()) {
      value.kind = TomlValue::Kind::kBoolean;
      value.boolean = boolean->get();
    } else if (const auto* array = node.as_array()) {
      value.kind = TomlValue::Kind::kArray;
      if (depth < kMaxDepth) value.array = Elements(*array, depth);
    } else if (const auto* table = node.as_table()) {
      value.kind = TomlValue::Kind::kTable;
      if (depth < kMaxDepth) value.table = Entries(*table, depth);
    } else {
      value.kind = OtherKind(node);
    }
    return value;
  }

  TomlPosition Position(const toml::source_region& source) const {
    return {&file_, source.begin.line, source.begin.column};
  }

 private:
  static TomlValue::Kind OtherKind(const toml::node& node) {
    if (node.is_date()) return TomlValue::Kind::kDate;
    if (node.is_time()) return TomlValue::Kind::kTime;
    if (node.is_date_time()) return TomlValue::Kind::kDateTime;
    return TomlValue::Kind::kFloat;
  }

  std::vector<TomlValue> Elements(const toml::array& array, int depth) const {
    std::vector<TomlValue> elements;
    elements.reserve(array.size());
    for (const toml::node& element : array) elements.push_back(Value(element, depth + 1));
    return elements;
  }

  std::vector<TomlEntry> Entries(const toml::table& table, int depth) const {
    std::vector<TomlEntry> entries;
    entries.reserve(table.size());
    for (const auto& [key, node] : table) {
      entries.push_back({std::string(key.str()), Position(key.source()), Value(node, depth + 1)});
    }
    std::stable_sort(entries.begin(), entries.end(), [](const TomlEntry& a, const TomlEntry& b) {
      return std::tie(a.position.line, a.position.column) <
             std::tie(b.position.line, b.position.column);
    });
    return entries;
  }

  const std::string& file_;
};

}  // namespace

std::string_view TomlKindName(TomlValue::Kind kind) {
  switch (kind) {
    case TomlValue::Kind::kString:
      return "a string";
    case TomlValue::Kind::kInteger:
      return "an integer";
    case TomlValue::Kind::kFloat:
      return "a float";
    case TomlValue::Kind::kBoolean:
      return "a boolean";
    case TomlValue::Kind::kDate:
      return "a date";
    case TomlValue::Kind::kTime:
      return "a time";
    case TomlValue::Kind::kDateTime:
      return "a date and time";
    case TomlValue::Kind::kArray:
      return "an array";
    case TomlValue::Kind::kTable:
      return "a table";
  }
  return "a value";
}

std::variant<TomlValue, ConfigError> ParseToml(const ConfigFile& file) {
  if (const auto position = FindLongKey(file.text)) {
    return ConfigError{{file.name, position->line, position->column},
                       "a key of more than " + std::to_string(kMaxKeyParts) +
                           " parts, expected at most two, as in log.level"};
  }
  const Converter converter(file.name);
  // The distribution's library is built with exceptions; this is the border they do not cross.
  try {
    return converter.Value(toml::parse(file.text, file.name));
  } catch (const toml::parse_error& error) {
    return ConfigError{converter.Position(error.source()),
                       "not valid TOML: " + OneLine(error.description())};
  }
}

}  // namespace proxyd
