// SPDX-License-Identifier: Apache-2.0
//
// StreamMap: maps stream ids to calls; every message looks its call up. It uses open addressing
// with linear probing, so that a look-up touches one cache line and an entry needs no allocation.
// Peers choose the ids. The position of an id therefore depends on a number drawn at start, so that
// nobody can choose ids that collide. One thread at a time may use a map.
//
// This header is for programs that store calls by stream id, such as proxies. It may change in any
// release.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace ttrpc {

namespace stream_map_internal {

// Returns the multiplier that all StreamMaps of this process use: odd and random. Ends the program
// if the system has no random numbers. Any thread.
uint64_t Multiplier() noexcept;

}  // namespace stream_map_internal

// `Pointer` is a raw or unique pointer; null is not a value. The map owns what unique pointers
// point at. Insert() throws std::bad_alloc if there is no memory; nothing else fails.
template <typename Pointer>
class StreamMap {
 public:
  // Returns null if the map has no such id. Valid until the next call that is not const.
  const Pointer* Find(uint32_t id) const {
    if (slots_ == nullptr) return nullptr;
    for (size_t i = Home(id);; i = Next(i)) {
      const Slot& slot = slots_[i];
      if (slot.value == nullptr) return nullptr;
      if (slot.id == id) return &slot.value;
    }
  }

  // `id` must not be in the map, and `value` must not be null.
  void Insert(uint32_t id, Pointer value) {
    if ((size_ + 1) * 2 > capacity()) Resize(slots_ == nullptr ? kFirstCapacity : capacity() * 2);
    Place(id, std::move(value));
    ++size_;
  }

  // Has no effect if the map has no such id.
  void Erase(uint32_t id) { static_cast<void>(Take(id)); }

  // Removes the entry and returns its value, or null if the map has no such id.
  Pointer Take(uint32_t id) {
    if (slots_ == nullptr) return nullptr;
    size_t hole = Home(id);
    while (slots_[hole].value != nullptr && slots_[hole].id != id) hole = Next(hole);
    if (slots_[hole].value == nullptr) return nullptr;
    Pointer taken = std::move(slots_[hole].value);
    // The entries that follow move up, unless that would move them before their own place. No
    // deletion markers remain that would make look-ups longer.
    for (size_t i = Next(hole); slots_[i].value != nullptr; i = Next(i)) {
      if (Distance(Home(slots_[i].id), i) < Distance(hole, i)) continue;
      slots_[hole] = std::move(slots_[i]);
      hole = i;
    }
    slots_[hole] = {};
    --size_;
    Shrink();
    return taken;
  }

  // Calls visit(value) for each entry, in no particular order. `visit` must not change the map.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Slot& slot : all()) {
      if (slot.value != nullptr) visit(slot.value);
    }
  }

  // Removes all entries and frees the memory.
  void Clear() {
    Free();
    size_ = 0;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Returns the number of slots that are allocated.
  size_t capacity() const { return slots_ == nullptr ? 0 : mask_ + 1; }

 private:
  struct Slot {
    uint32_t id = 0;
    Pointer value = nullptr;
  };
  static constexpr size_t kFirstCapacity = 4;
  static constexpr size_t kKeptCapacity = 64;
  static constexpr size_t kSparse = 8;

  std::span<const Slot> all() const { return {slots_.get(), capacity()}; }
  size_t Home(uint32_t id) const { return (id * multiplier_) >> shift_; }
  size_t Next(size_t i) const { return (i + 1) & mask_; }
  size_t Distance(size_t from, size_t to) const { return (to - from) & mask_; }

  void Place(uint32_t id, Pointer value) {
    size_t i = Home(id);
    while (slots_[i].value != nullptr) i = Next(i);
    slots_[i] = {.id = id, .value = std::move(value)};
  }
  // The map shrinks with its entries, so that a map that once had many does not stay large. It
  // halves at a much lower load than it doubles at, so that it does not oscillate.
  void Shrink() {
    if (capacity() <= kKeptCapacity || size_ * kSparse > capacity()) return;
    if (size_ == 0) {
      Free();
    } else {
      Resize(capacity() / 2);
    }
  }
  void Resize(size_t capacity) {
    const size_t before = this->capacity();
    const std::unique_ptr<Slot[]> old = std::exchange(slots_, std::make_unique<Slot[]>(capacity));
    mask_ = capacity - 1;
    shift_ = 64 - static_cast<size_t>(std::bit_width(mask_));
    for (size_t i = 0; i < before; ++i) {
      if (old[i].value != nullptr) Place(old[i].id, std::move(old[i].value));
    }
  }
  void Free() { slots_.reset(); }

  // Not a vector: each message would pay for the checks of its bounds. A power of two of slots, of
  // which at most half are used; null if there are none.
  std::unique_ptr<Slot[]> slots_;
  size_t mask_ = 0;   // their number less one
  size_t shift_ = 0;  // 64 less the bits of the mask
  size_t size_ = 0;
  uint64_t multiplier_ = stream_map_internal::Multiplier();
};

}  // namespace ttrpc
