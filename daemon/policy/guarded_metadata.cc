// SPDX-License-Identifier: Apache-2.0
#include "policy/guarded_metadata.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace proxyd {

namespace {

constexpr uint64_t kLowerCase = 0x2020'2020'2020'2020;  // the bit that distinguishes `a` from `A`
constexpr uint64_t kMultiplier = 0x9e37'79b9'7f4a'7c15;
constexpr size_t kLongest = 63;

uint64_t LengthBit(std::string_view key) { return uint64_t{1} << std::min(key.size(), kLongest); }

// Keys that differ only in case have the same hash. A collision of other keys costs a comparison.
uint32_t HashIgnoringCase(std::string_view key) {
  uint64_t hash = key.size();
  while (!key.empty()) {
    uint64_t word = 0;
    const size_t n = std::min(key.size(), sizeof(word));
    std::memcpy(&word, key.data(), n);
    hash = (std::rotl(hash, 29) ^ (word | kLowerCase)) * kMultiplier;
    key.remove_prefix(n);
  }
  return static_cast<uint32_t>(hash >> 32);
}

}  // namespace

GuardedKeys::GuardedKeys(const std::set<std::string_view>& keys) : keys_(keys.begin(), keys.end()) {
  slots_.resize(std::bit_ceil(keys_.size() * 2 + 1));
  for (uint32_t i = 0; i < keys_.size(); ++i) {
    const uint32_t hash = HashIgnoringCase(keys_[i]);
    size_t place = hash & (slots_.size() - 1);
    while (slots_[place].key != kNone) place = (place + 1) & (slots_.size() - 1);
    slots_[place] = {.hash = hash, .key = i};
    lengths_ |= LengthBit(keys_[i]);
  }
}

uint32_t GuardedKeys::IndexOf(std::string_view key) const {
  const auto found = std::lower_bound(keys_.begin(), keys_.end(), key);
  return static_cast<uint32_t>(found - keys_.begin());
}

uint32_t GuardedKeys::Look(std::string_view key) const {
  const uint32_t hash = HashIgnoringCase(key);
  for (size_t place = hash & (slots_.size() - 1); slots_[place].key != kNone;
       place = (place + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[place];
    if (slot.hash == hash && ttrpc::EqualsIgnoringCase(keys_[slot.key], key)) return slot.key;
  }
  return kNone;
}

ttrpc::Status GuardedKeys::Find(std::span<const ttrpc::MetadataEntry> metadata,
                                const Subset& subset, GuardedValues* found) const {
  found->values_.resize(keys_.size());
  for (const uint32_t key : found->present_) {
    if (key < keys_.size()) found->values_[key].reset();
  }
  found->present_.clear();
  uint32_t wrong = kNone;
  for (const ttrpc::MetadataEntry& entry : metadata) {
    if ((lengths_ & LengthBit(entry.key)) == 0) continue;
    const uint32_t key = Look(entry.key);
    if (key == kNone || key >= subset.size() || !subset[key]) continue;
    auto& value = found->values_[key];
    if (value || entry.key != keys_[key]) wrong = std::min(wrong, key);
    if (!value) found->present_.push_back(key);
    value = entry.value;
  }
  if (wrong == kNone) return {};
  return {ttrpc::StatusCode::kInvalidArgument,
          "metadata " + std::string(keys_[wrong]) + " must appear once and in lower case"};
}

}  // namespace proxyd
