// SPDX-License-Identifier: Apache-2.0
//
// What parse.cc and load.cc share.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace proxyd {

// ParseConfig(); with `complete` false some files are missing, so that there will be no Config, and
// names that nothing has are not errors.
LoadedConfig ParseFiles(const std::vector<ConfigFile>& files, bool complete, NameResolver* names);

// By the place of their file in `order`, then by line and column; otherwise as they were.
void SortErrors(const std::vector<std::string>& order, std::vector<ConfigError>* errors);

}  // namespace proxyd
