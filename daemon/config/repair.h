// SPDX-License-Identifier: Apache-2.0
//
// Repairs: slips for which TOML has a message that misleads, and that would end the reading of the
// file. The text is mended so that the rest of it is read, and each slip becomes an error, so that
// no repaired configuration is ever used. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace proxyd {

struct Repair {
  ConfigError error;
  // Whether the value at that position is a stand-in, about which nothing else may be reported.
  bool stand_in = false;
};

// Mends the text of `file` at the syntax error that the TOML library found there: numbers with
// leading zeroes, and `[rule]` in the place of `[[rule]]`. No value changes its position. Returns
// nothing, and changes nothing, if the error is none of these.
std::vector<Repair> RepairText(const ConfigError& syntax_error, ConfigFile* file);

// What is wrong with `[NAME]` where `[[NAME]]` belongs.
std::string SingleBrackets(std::string_view name);

}  // namespace proxyd
