// SPDX-License-Identifier: Apache-2.0
//
// The sandbox: what the daemon can no longer do once it runs, with systemd or without, should its
// own code turn against it. It gives up capabilities and the ways to get any back, the files that
// its configuration does not name (landlock.h), and system calls that it has no use for
// (syscall_filter.h). None of it can be undone, and all of it is inherited by what it executes:
// an upgrade in place, in the same process, adds a layer of its own, and cannot have more than its
// predecessor was left; there can be sixteen layers.
//
// Not confined: connect(2) to Unix sockets, which a backend's `users` guards, and the mode, owner
// and times of files, of which Landlock knows nothing.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

struct Sandbox {
  SandboxPlan left;                   // everything, where the kernel does not confine
  std::vector<std::string> warnings;  // what the kernel does not have
};

// Confines this thread, and those that it starts, to what `config` needs, the directories that
// systemd made for us, and those that LoadConfig(config_path) reads. It is called before there are
// other threads. An error means that the sandbox is weaker than it should be, and that the daemon
// must not go on; a kernel without Landlock or seccomp is only a warning.
ttrpc::Result<Sandbox> Confine(const Config& config, const std::string& config_path);

// FAILED_PRECONDITION `needs a restart: FOLDER is outside the sandbox`: the sandbox keeps this
// process from a file that LoadConfig(config_path) reads, since a link leads elsewhere now, or the
// folder is another one. What else may be wrong with the files is LoadConfig()'s to report. Blocks;
// any thread.
ttrpc::Status CheckConfigLeft(const std::string& config_path);

// `left` without the folders that are no longer what was left, under their names. Blocks; any
// thread.
SandboxPlan StillLeft(SandboxPlan left);

}  // namespace proxyd
