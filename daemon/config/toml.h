// SPDX-License-Identifier: Apache-2.0
//
// A TOML file as plain values that know where they stand. The only place that knows which library
// reads TOML is toml.cc. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

struct TomlEntry;

struct TomlValue {
  enum class Kind { kString, kInteger, kFloat, kBoolean, kDate, kTime, kDateTime, kArray, kTable };

  Kind kind = Kind::kTable;
  SourcePosition position;
  // What `kind` says; the others are empty. Floats, dates and times have no use here, so they have
  // no value either.
  std::string string;
  int64_t integer = 0;
  bool boolean = false;
  std::vector<TomlValue> array;
  std::vector<TomlEntry> table;  // in order of position
};

struct TomlEntry {
  std::string key;
  SourcePosition position;  // of the key
  TomlValue value;
};

// "a string", "an integer", …; the view lives for ever.
std::string_view TomlKindName(TomlValue::Kind kind);

// The file's table, or the syntax error that ended its reading.
std::variant<TomlValue, ConfigError> ParseToml(const ConfigFile& file);

}  // namespace proxyd
