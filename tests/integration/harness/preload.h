// SPDX-License-Identifier: Apache-2.0
//
// How a daemon is started with a shared library of this folder's preloaded. Any thread.
#pragma once

#include <string>
#include <vector>

namespace integration {

// The environment for it. `library`: its file name; it is built beside this program.
std::vector<std::string> PreloadEnvironment(const std::string& library);

// Memory of `size` bytes that is shared through a file at `path`, which is made: all zero. Throws
// if there is none.
void* MakeSharedPage(const std::string& path, size_t size);

}  // namespace integration
