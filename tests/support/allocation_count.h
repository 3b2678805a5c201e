// SPDX-License-Identifier: Apache-2.0
//
// How often this program asked for memory with `new`: for tests of what must not. Linking
// allocation_count.cc in replaces the C++ library's operators.
#pragma once

#include <cstddef>

namespace proxyd::test {

// On all threads, since the start.
size_t AllocationCount();

}  // namespace proxyd::test
