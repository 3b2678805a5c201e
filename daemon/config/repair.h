// SPDX-License-Identifier: Apache-2.0
//
// Repairs mistakes for which the TOML library has a misleading message, and which would end the
// parsing of the file. The text is changed so that the rest of it can be parsed. Each mistake
// becomes an error, so that a repaired configuration is never used. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace proxyd {

struct Repair {
  ConfigError error;
  // Whether the value at that position is a placeholder, about which nothing else may be reported.
  bool stand_in = false;
};

// Repairs the text of `file` at a syntax error that the TOML library found: a number with leading
// zeros, or `[rule]` where `[[rule]]` is needed. No value changes its position. Returns nothing,
// and changes nothing, for any other error.
std::vector<Repair> RepairText(const ConfigError& syntax_error, ConfigFile* file);

// The error message for `[NAME]` where `[[NAME]]` is needed.
std::string SingleBrackets(std::string_view name);

}  // namespace proxyd
