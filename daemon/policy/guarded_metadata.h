// SPDX-License-Identifier: Apache-2.0
//
// GuardedKeys: the metadata keys that rules name. One pass over the entries of a request finds the
// values of all keys. The conditions of a rule are then comparisons by index, so that the cost of a
// request is the sum of its entries and the rules, not the product. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "ttrpc/metadata.h"
#include "ttrpc/status.h"

namespace proxyd {

// The values of one request for the guarded keys, as views of the request. An object that is used
// for the next request again allocates nothing.
class GuardedValues {
 public:
  // `key` is an index of the GuardedKeys that found the values. Returns nothing if the request does
  // not have the key.
  const std::optional<std::string_view>& of(size_t key) const { return values_[key]; }

 private:
  friend class GuardedKeys;

  std::vector<std::optional<std::string_view>> values_;
  std::vector<uint32_t> present_;  // the keys that the next request must clear
};

// The value that a rule requires for a guarded key.
struct MetadataCondition {
  uint32_t key;
  std::string_view value;
};

class GuardedKeys {
 public:
  // Selects keys by index, for the rules of one listener.
  using Subset = std::vector<bool>;

  // The index of a key is its position in the set. The text of the keys must outlive this object.
  explicit GuardedKeys(const std::set<std::string_view>& keys);

  size_t size() const { return keys_.size(); }
  // `key` must be one of the keys.
  uint32_t IndexOf(std::string_view key) const;

  // Finds the values of the keys in `subset`. Returns INVALID_ARGUMENT if the request has one of
  // them twice or in another case of letters, and names the first such key.
  ttrpc::Status Find(std::span<const ttrpc::MetadataEntry> metadata, const Subset& subset,
                     GuardedValues* found) const;

 private:
  // A hash table with open addressing, at most half full. Only keys of the configuration are
  // inserted, so a peer cannot make it slow.
  struct Slot {
    uint32_t hash = 0;
    uint32_t key = kNone;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t Look(std::string_view key) const;

  std::vector<std::string_view> keys_;
  std::vector<Slot> slots_;
  uint64_t lengths_ = 0;  // a bit for each length of a key, which rules out most entries
};

// Whether the values meet all conditions of a rule.
inline bool MetadataHolds(std::span<const MetadataCondition> conditions,
                          const GuardedValues& values) {
  for (const MetadataCondition& condition : conditions) {
    const auto& value = values.of(condition.key);
    if (!value || *value != condition.value) return false;
  }
  return true;
}

}  // namespace proxyd
