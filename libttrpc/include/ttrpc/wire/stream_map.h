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
#include <utility>
#include <vector>

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
    if (slots_.empty()) return nullptr;
    for (size_t i = Home(id);; i = Next(i)) {
      if (slots_[i].value == nullptr) return nullptr;
      if (slots_[i].id == id) return &slots_[i].value;
    }
  }

  // `id` must not be in the map, and `value` must not be null.
  void Insert(uint32_t id, Pointer value) {
    if ((size_ + 1) * 2 > slots_.size())
      Resize(slots_.empty() ? kFirstCapacity : slots_.size() * 2);
    Place(id, std::move(value));
    ++size_;
  }

  // Has no effect if the map has no such id.
  void Erase(uint32_t id) { static_cast<void>(Take(id)); }

  // Removes the entry and returns its value, or null if the map has no such id.
  Pointer Take(uint32_t id) {
    if (slots_.empty()) return nullptr;
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
    for (const Slot& slot : slots_) {
      if (slot.value != nullptr) visit(slot.value);
    }
  }

  // Removes all entries and frees the memory.
  void Clear() {
    std::vector<Slot>().swap(slots_);
    size_ = 0;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Returns the number of slots that are allocated.
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
  // The map shrinks with its entries, so that a map that once had many does not stay large. It
  // halves at a much lower load than it doubles at, so that it does not oscillate.
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
