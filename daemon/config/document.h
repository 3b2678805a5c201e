// SPDX-License-Identifier: Apache-2.0
//
// Document: the files put together, not yet understood. Sections are merged key by key, a key set
// twice being an error; tables of lists are appended. Pure; one thread.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/table_reader.h"
#include "config/toml.h"

namespace proxyd {

inline constexpr std::array<std::string_view, 5> kSections = {"daemon", "log", "audit", "limits",
                                                              "timeouts"};
// Whether they are there says something, too.
inline constexpr std::array<std::string_view, 2> kOptionalSections = {"admin", "metrics"};
inline constexpr std::array<std::string_view, 3> kLists = {"listener", "backend", "rule"};

struct Document {
  // One table for each of kSections and one array of tables for each of kLists, empty where no file
  // has it; a table for each of kOptionalSections that a file has.
  std::map<std::string_view, TomlValue> sections;
  std::map<std::string_view, std::vector<TomlValue>> lists;
  // Some of a file is missing: what refers to a name may not be blamed for it.
  bool complete = true;
};

// `files` in the order in which they are read. Their errors of syntax and of structure are added.
Document MergeFiles(const std::vector<ConfigFile>& files, Diagnostics* errors);

}  // namespace proxyd
