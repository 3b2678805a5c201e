// SPDX-License-Identifier: Apache-2.0
//
// StreamMap: stream ids -> calls, on the path of every message. Open addressing with linear
// probing, so that a look-up touches one cache line and nothing is allocated for an entry. Peers
// choose ids, so where an id goes depends on a number drawn at start: nobody can choose ids that
// collide. One thread at a time.
//
// For programs that keep calls by the ids of a connection, as proxies do: may change in any
// release.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ttrpc {

namespace stream_map_internal {

// The multiplier of this process' StreamMaps: odd, random. Ends the program if the system has no
// random numbers. Any thread.
uint64_t Multiplier() noexcept;

}  // namespace stream_map_internal

// `Pointer` is a pointer, raw or unique; null is not a value. The map owns what unique ones point
// at. Insert() throws std::bad_alloc if there is no memory; nothing else fails.
template <typename Pointer>
class StreamMap {
 public:
  // Null if there is none. Valid until the next call that is not const.
  const Pointer* Find(uint32_t id) const {
    if (slots_.empty()) return nullptr;
    for (size_t i = Home(id);; i = Next(i)) {
      if (slots_[i].value == nullptr) return nullptr;
      if (slots_[i].id == id) return &slots_[i].value;
    }
  }

  // `id` must not be in the map yet, and `value` must not be null.
  void Insert(uint32_t id, Pointer value) {
    if ((size_ + 1) * 2 > slots_.size())
      Resize(slots_.empty() ? kFirstCapacity : slots_.size() * 2);
    Place(id, std::move(value));
    ++size_;
  }

  // Has no effect if there is none.
  void Erase(uint32_t id) { static_cast<void>(Take(id)); }

  // Removes the entry and returns its value; null if there is none.
  Pointer Take(uint32_t id) {
    if (slots_.empty()) return nullptr;
    size_t hole = Home(id);
    while (slots_[hole].value != nullptr && slots_[hole].id != id) hole = Next(hole);
    if (slots_[hole].value == nullptr) return nullptr;
    Pointer taken = std::move(slots_[hole].value);
    // What follows moves up, unless it would pass its own place: no marks are left that would make
    // look-ups longer.
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

  // Calls visit(value) for each entry, in no order. `visit` must not change the map.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.value != nullptr) visit(slot.value);
    }
  }

  // Removes all entries, and frees the memory.
  void Clear() {
    std::vector<Slot>().swap(slots_);
    size_ = 0;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Entries that there is memory for.
  size_t capacity() const { return slots_.size(); }

 private:
  struct Slot {
    uint32_t id = 0;
    Pointer value = nullptr;
  };
  static constexpr size_t kFirstCapacity = 4;
  static constexpr size_t kKeptCapacity = 64;
  static constexpr size_t kSparse = 8;

  size_t Home(uint32_t id) const {
    return (id * multiplier_) >> (64 - std::bit_width(slots_.size() - 1));
  }
  size_t Next(size_t i) const { return (i + 1) & (slots_.size() - 1); }
  size_t Distance(size_t from, size_t to) const { return (to - from) & (slots_.size() - 1); }

  void Place(uint32_t id, Pointer value) {
    size_t i = Home(id);
    while (slots_[i].value != nullptr) i = Next(i);
    slots_[i] = {.id = id, .value = std::move(value)};
  }
  // Memory follows the entries that are left: a map that once had many and keeps one must not stay
  // as large. It halves at a load far below that at which it doubles, so that it does not swing.
  void Shrink() {
    if (slots_.size() <= kKeptCapacity || size_ * kSparse > slots_.size()) return;
    if (size_ == 0) {
      std::vector<Slot>().swap(slots_);
    } else {
      Resize(slots_.size() / 2);
    }
  }
  void Resize(size_t capacity) {
    std::vector<Slot> old(capacity);
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.value != nullptr) Place(slot.id, std::move(slot.value));
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t size_ = 0;
  uint64_t multiplier_ = stream_map_internal::Multiplier();
};

}  // namespace ttrpc
