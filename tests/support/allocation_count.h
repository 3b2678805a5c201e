// SPDX-License-Identifier: Apache-2.0
//
// AllocationCount: how often this program allocated memory with `new`, for tests of code that must
// not allocate. Linking allocation_count.cc replaces the C++ library's operators.
#pragma once

#include <cstddef>

namespace proxyd::test {

// Counts on all threads since the start of the program.
size_t AllocationCount();

}  // namespace proxyd::test
