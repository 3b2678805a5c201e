// SPDX-License-Identifier: Apache-2.0
//
// Front directories: the directories of sockets of workloads, which socket_template.h calls front
// bases. They are made before the daemon confines itself, since the sandbox can permit only
// directories that exist. The directories below them are made later. Blocks; any thread.
#pragma once

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

// Makes each directory that does not exist yet, and those above it. Every user may pass through
// them, and may list them if the mode of the sockets lets others than their owner in. A directory
// that exists keeps its mode. Errors have the form `listener "NAME": directory DIRECTORY cannot be
// made: WHY`.
ttrpc::Status MakeFrontDirectories(const Config& config);

}  // namespace proxyd
