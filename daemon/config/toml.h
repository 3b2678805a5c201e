// SPDX-License-Identifier: Apache-2.0
//
// The files of a configuration as toml++ parses them, merged but not yet interpreted. Sections are
// merged key by key, and a key that is set twice is an error; tables of lists are appended. Pure;
// one thread.
#pragma once

#include <toml++/toml.h>

#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

SourcePosition PositionOf(const toml::source_region& source);
inline SourcePosition PositionOf(const toml::node& node) { return PositionOf(node.source()); }
inline SourcePosition PositionOf(const toml::key& key) { return PositionOf(key.source()); }

// Returns "a string", "an integer", …; the view stays valid for the life of the process.
std::string_view TypeNameOf(const toml::node& node);

// The string, or an empty one for any other type. The reference lives as long as the node.
const std::string& StringOf(const toml::node& node);

// The most parts that a key may have (`log.level` has two). HAZARD: the library builds a table
// inside a table for each part, so that very many parts would overflow the stack. It limits only
// how deep values nest, to 256 levels; 16 parts at each of these levels are safe.
inline constexpr int kMaxKeyParts = 16;

// Returns the table of the file, or the syntax error at which parsing stopped.
std::variant<toml::table, ConfigError> ParseToml(const ConfigFile& file);

// Collects errors, in the order in which they are found.
class Diagnostics {
 public:
  void Add(SourcePosition position, std::string message,
           ConfigError::Kind kind = ConfigError::Kind::kError) {
    if (!covered_.empty() && covered_.contains(position.ToString())) return;
    errors_.push_back({std::move(position), std::move(message), kind});
  }
  // Ignores later errors at this position, where the problem has been reported already.
  void Cover(const SourcePosition& position) { covered_.insert(position.ToString()); }
  std::vector<ConfigError> Take() { return std::move(errors_); }

  // Returns the one of `names` that `typed` probably means, or nothing if none is close.
  std::string Closest(std::string_view typed, const std::vector<std::string>& names);
  // Returns the second half of the message about an unknown name: `did you mean "X"?`, or
  // `otherwise` if no name is close.
  std::string DidYouMean(std::string_view typed, const std::vector<std::string>& names,
                         const std::string& otherwise);
  // False once so many names were compared that there are no more suggestions.
  bool suggests() const { return comparisons_left_ > 0; }

 private:
  bool MayCompare(size_t count);

  std::vector<ConfigError> errors_;
  std::set<std::string> covered_;
  // Keeps a file with very many unknown names from taking seconds: a comparison may take 20 us.
  size_t comparisons_left_ = 20'000;
};

// The tables of one section, from one file or several; empty if no file has the section. If several
// tables set a key, the first one counts.
using TomlTables = std::vector<const toml::table*>;

inline constexpr std::array<std::string_view, 6> kSections = {"daemon", "log",      "audit",
                                                              "limits", "timeouts", "method_sets"};
// Sections whose presence alone has a meaning.
inline constexpr std::array<std::string_view, 2> kOptionalSections = {"admin", "metrics"};
inline constexpr std::array<std::string_view, 3> kLists = {"listener", "backend", "rule"};

struct Document {
  std::vector<toml::table> files;  // owns the tables that the maps point to
  // Has an entry for each of kSections and kLists, empty if no file has the table, and one for each
  // of kOptionalSections that a file has.
  std::map<std::string_view, TomlTables> sections;
  std::map<std::string_view, std::vector<const toml::table*>> lists;
  // False if part of a file could not be read. An undeclared name is no error then.
  bool complete = true;
};

// Parses and merges `files`, which are in the order in which they are read. Adds their syntax
// errors, and their errors of structure, to `errors`.
Document MergeFiles(const std::vector<ConfigFile>& files, Diagnostics* errors);

}  // namespace proxyd
