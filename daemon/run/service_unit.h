// SPDX-License-Identifier: Apache-2.0
//
// ServiceUnit: the settings that ttrpc-proxy.service and its drop-ins have for the daemon. --check
// needs them because it runs in a shell, whose limits are not the daemon's. Reads files; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proxyd {

struct ServiceUnit {
  // The hard limit of LimitNOFILE=. Without a value, systemd's default applies.
  std::optional<uint64_t> most_descriptors;
};

// Returns the directories where systemd looks for units: those of $SYSTEMD_UNIT_PATH, or the
// default.
std::vector<std::string> UnitDirectories();

// Returns nothing if the unit is in none of the directories, or is masked.
std::optional<ServiceUnit> FindServiceUnit(const std::vector<std::string>& directories);

}  // namespace proxyd
