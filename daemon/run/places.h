// SPDX-License-Identifier: Apache-2.0
//
// Places: the files and the sockets at paths that a configuration names. Two of them at one place,
// however each is spelled, would be in each other's way, and whoever may write a place or its
// directory can change what the daemon writes there, or keep it from starting. Looks at the file
// system; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

struct Place {
  SourcePosition position;
  std::string label;  // `[log] target file:/x`, `listener "a" unix:///x`
  std::string path;
  bool is_socket = false;
};

// The log's and the audit's file first.
std::vector<Place> PlacesOf(const Config& config);

// Each place that another one has already, by whatever names. Devices and pipes may be shared.
std::vector<ConfigError> CheckPlaces(const Config& config);

// Warnings of --check: places that others may change, and a journal that nobody reads.
std::vector<ConfigError> LintPlaces(const Config& config);

}  // namespace proxyd
