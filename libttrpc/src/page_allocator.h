// SPDX-License-Identifier: Apache-2.0
//
// PageAllocator: takes what is large from the system and gives it back there. An allocator for
// buffers that many connections may have at once and that live for long: from the common heap, the
// small objects between them would keep each one's place from being used again. Any thread.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>

namespace ttrpc {

template <typename T>
class PageAllocator {
 public:
  using value_type = T;
  using is_always_equal = std::true_type;

  PageAllocator() = default;
  template <typename Other>
  PageAllocator(const PageAllocator<Other>&) noexcept {}  // NOLINT: as allocators convert

  T* allocate(size_t n) {
    const size_t bytes = n * sizeof(T);
    if (bytes < kLarge) return static_cast<T*>(::operator new(bytes));
    void* const pages =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(pages);
  }
  void deallocate(T* place, size_t n) noexcept {
    const size_t bytes = n * sizeof(T);
    if (bytes < kLarge) {
      ::operator delete(place);
    } else {
      ::munmap(place, bytes);
    }
  }

  friend bool operator==(const PageAllocator&, const PageAllocator&) { return true; }

 private:
  // Some pages. The kernel bounds how many such pieces there are, 65,530 by default: of this size
  // they are a GiB.
  static constexpr size_t kLarge = 16U << 10;
};

}  // namespace ttrpc
