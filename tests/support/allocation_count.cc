// SPDX-License-Identifier: Apache-2.0
#include "support/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> allocations = 0;

}  // namespace

// These operators are in a file of their own: where the compiler inlines them it takes free() for a
// mistake. The nothrow form, which std::stable_sort calls, is here because AddressSanitizer would
// use its own and then report that delete below frees its memory.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace proxyd::test {

size_t AllocationCount() { return allocations; }

}  // namespace proxyd::test
