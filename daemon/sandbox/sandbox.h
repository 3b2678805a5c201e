// SPDX-License-Identifier: Apache-2.0
//
// The sandbox limits what an attacker who takes over the daemon's code can do, with or without
// systemd. Once the daemon runs, it gives up capabilities and the ways to regain them, the files
// that its configuration does not name (landlock.h), and the system calls that it does not use
// (syscall_filter.h). None of this can be undone, and an executed program inherits all of it. An
// upgrade in place, in the same process, adds a layer of its own and cannot have more rights than
// its predecessor kept. The kernel permits sixteen layers.
//
// The sandbox does not restrict connect(2) to Unix sockets, which a backend's `users` guards, nor
// changes of the mode, owner and times of files, which Landlock does not cover.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

struct Sandbox {
  SandboxPlan left;                   // rights that the process still has
  std::vector<std::string> warnings;  // the parts that could not be confined
};

// Confines this thread, and those that it starts, to what `config` needs, the directories that
// systemd made for the daemon, and those that LoadConfig(config_path) reads. It must be called
// before there are other threads. After an error the sandbox is weaker than it should be, and the
// daemon must not continue. A kernel without Landlock or seccomp only causes a warning.
ttrpc::Result<Sandbox> Confine(const Config& config, const std::string& config_path);

// Returns FAILED_PRECONDITION `needs a restart: DIRECTORY is outside the sandbox` if the sandbox
// denies this process a file that LoadConfig(config_path) reads, because a link now leads elsewhere
// or the directory was replaced. LoadConfig() reports everything else that is wrong with the files.
// Blocks; any thread.
ttrpc::Status CheckConfigLeft(const std::string& config_path);

// Returns `left` without the directories that were replaced by others of the same name, which the
// sandbox does not permit. Blocks; any thread.
SandboxPlan StillLeft(SandboxPlan left);

}  // namespace proxyd
