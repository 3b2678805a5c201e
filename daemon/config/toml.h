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

// A SourcePosition whose file is named elsewhere: there are several of these for each line. Valid
// for as long as the ConfigFile that was parsed.
struct TomlPosition {
  const std::string* file = nullptr;
  uint32_t line = 0;
  uint32_t column = 0;

  // NOLINTNEXTLINE: it is one, only shorter.
  operator SourcePosition() const {
    return {.file = file != nullptr ? *file : std::string(), .line = line, .column = column};
  }
};

struct TomlValue {
  enum class Kind { kString, kInteger, kFloat, kBoolean, kDate, kTime, kDateTime, kArray, kTable };

  Kind kind = Kind::kTable;
  bool boolean = false;
  TomlPosition position;
  // What `kind` says; the others are empty. Floats, dates and times have no use here, so they have
  // no value either.
  std::string string;
  int64_t integer = 0;
  std::vector<TomlValue> array;
  std::vector<TomlEntry> table;  // in order of position
};

struct TomlEntry {
  std::string key;
  TomlPosition position;  // of the key
  TomlValue value;
};

// "a string", "an integer", …; the view lives for ever.
std::string_view TomlKindName(TomlValue::Kind kind);

// The file's table, whose positions refer to the name of `file`, or the syntax error that ended its
// reading.
std::variant<TomlValue, ConfigError> ParseToml(const ConfigFile& file);

}  // namespace proxyd
