// SPDX-License-Identifier: Apache-2.0
//
// ServiceUnit: what the files of ttrpc-proxy.service and its drop-ins say about the process that it
// starts. --check runs in a shell, whose own limits say nothing about the daemon's. Reads files;
// any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proxyd {

struct ServiceUnit {
  // The hard limit of LimitNOFILE=; nothing: the unit leaves it to systemd's default.
  std::optional<uint64_t> most_descriptors;
};

// Where systemd looks for units, as $SYSTEMD_UNIT_PATH says or by default.
std::vector<std::string> UnitDirectories();

// Nothing: there is no such unit in them.
std::optional<ServiceUnit> FindServiceUnit(const std::vector<std::string>& directories);

}  // namespace proxyd
