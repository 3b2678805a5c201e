// SPDX-License-Identifier: Apache-2.0
//
// Starts a daemon with a preloaded shared library of this directory. Any thread.
#pragma once

#include <string>
#include <vector>

namespace integration {

// Returns the environment for the daemon. `library` is the name of a file beside this program.
std::vector<std::string> PreloadEnvironment(const std::string& library);

// Makes a file at `path`, and returns `size` zero bytes of memory that are shared through it.
// Throws if that fails.
void* MakeSharedPage(const std::string& path, size_t size);

}  // namespace integration
