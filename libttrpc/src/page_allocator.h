// SPDX-License-Identifier: Apache-2.0
//
// PageAllocator: takes large buffers directly from the system and returns them to it. It is for
// buffers that many connections may have at once and that live long: on the common heap, small
// objects between them would keep their memory from being used again. Any thread.
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
  // The size from which pages are used. The kernel allows 65,530 mappings by default, which is one
  // GiB in pieces of this size.
  static constexpr size_t kLarge = 16U << 10;
};

}  // namespace ttrpc
