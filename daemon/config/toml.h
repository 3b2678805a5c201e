// SPDX-License-Identifier: Apache-2.0
//
// The files of a configuration as toml++ has them, put together but not yet understood. Sections
// are merged key by key, a key set twice being an error; tables of lists are appended. Pure; one
// thread.
#pragma once

#include <toml++/toml.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

SourcePosition PositionOf(const toml::source_region& source);
inline SourcePosition PositionOf(const toml::node& node) { return PositionOf(node.source()); }
inline SourcePosition PositionOf(const toml::key& key) { return PositionOf(key.source()); }

// Returns "a string", "an integer", …; the view stays valid for the process's life.
std::string_view TypeNameOf(const toml::node& node);

// Empty where it is no string. Lives as long as the node.
const std::string& StringOf(const toml::node& node);

// No key has more parts (`log.level` has two). The library bounds how deep values nest, but builds
// and destroys a table for each part of a key, one in the other: recursion through very many of
// them ends with the stack. Values nest up to 256 deep, with a key of this many parts at each
// level, which is far from what a stack holds.
inline constexpr int kMaxKeyParts = 16;

// The file's table, or the syntax error that ended its reading.
std::variant<toml::table, ConfigError> ParseToml(const ConfigFile& file);

// The errors found so far, in the order in which they were found.
class Diagnostics {
 public:
  void Add(SourcePosition position, std::string message,
           ConfigError::Kind kind = ConfigError::Kind::kWrong) {
    if (!covered_.empty() && covered_.contains(position.ToString())) return;
    errors_.push_back({std::move(position), std::move(message), kind});
  }
  // Adds no more errors at this position: what is wrong there has been reported.
  void Cover(const SourcePosition& position) { covered_.insert(position.ToString()); }
  std::vector<ConfigError> Take() { return std::move(errors_); }

 private:
  std::vector<ConfigError> errors_;
  std::set<std::string> covered_;
};

// A table of the configuration, of one file or of several: of a key that several have, the first
// one counts. Empty: no file has it.
using TomlTables = std::vector<const toml::table*>;

inline constexpr std::array<std::string_view, 5> kSections = {"daemon", "log", "audit", "limits",
                                                              "timeouts"};
// Their presence alone has a meaning.
inline constexpr std::array<std::string_view, 2> kOptionalSections = {"admin", "metrics"};
inline constexpr std::array<std::string_view, 3> kLists = {"listener", "backend", "rule"};

struct Document {
  std::vector<toml::table> files;  // what the others point into
  // One for each of kSections and each of kLists, empty where no file has it; one for each of
  // kOptionalSections that a file has.
  std::map<std::string_view, TomlTables> sections;
  std::map<std::string_view, std::vector<const toml::table*>> lists;
  // False if a part of a file is missing: then a name that is not declared is no error.
  bool complete = true;
};

// `files` in the order in which they are read. Their errors of syntax and of structure are added.
Document MergeFiles(const std::vector<ConfigFile>& files, Diagnostics* errors);

}  // namespace proxyd
