// SPDX-License-Identifier: Apache-2.0
//
// GuardedKeys: the metadata keys that rules name. One pass over a request's entries finds the value
// of each of them, however many keys there are; a rule's conditions are then comparisons by index,
// so that a request costs its entries plus the rules, and not their product. Pure; any thread.
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

// The values that one request has for guarded keys. Kept for the next request it allocates nothing.
// The views are of the request's.
class GuardedValues {
 public:
  // `key`: an index of the GuardedKeys that found them. None: the request does not have it.
  const std::optional<std::string_view>& of(size_t key) const { return values_[key]; }

 private:
  friend class GuardedKeys;

  std::vector<std::optional<std::string_view>> values_;
  std::vector<uint32_t> present_;  // what the next request has to clear
};

// What a rule asks of a guarded key.
struct MetadataCondition {
  uint32_t key;
  std::string_view value;
};

class GuardedKeys {
 public:
  // Which of the keys count, by index: those that the rules of a listener name.
  using Subset = std::vector<bool>;

  // The keys get their order as indexes. Their text must outlive this.
  explicit GuardedKeys(const std::set<std::string_view>& keys);

  size_t size() const { return keys_.size(); }
  // Of one of the keys.
  uint32_t IndexOf(std::string_view key) const;

  // Finds the values of the keys in `subset`. INVALID_ARGUMENT if one of them stands there twice,
  // or not as it is written here; if there are several such keys, the first of them is named.
  ttrpc::Status Find(std::span<const ttrpc::MetadataEntry> metadata, const Subset& subset,
                     GuardedValues* found) const;

 private:
  // A hash table with open addressing, at most half full. Only the configuration puts keys into it:
  // what a peer sends is looked up, and cannot make it slow.
  struct Slot {
    uint32_t hash = 0;
    uint32_t key = kNone;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t Look(std::string_view key) const;

  std::vector<std::string_view> keys_;
  std::vector<Slot> slots_;
  uint64_t lengths_ = 0;  // bit by length of a key: most entries need no more than this
};

// Whether all the conditions of a rule are met.
inline bool MetadataHolds(std::span<const MetadataCondition> conditions,
                          const GuardedValues& values) {
  for (const MetadataCondition& condition : conditions) {
    const auto& value = values.of(condition.key);
    if (!value || *value != condition.value) return false;
  }
  return true;
}

}  // namespace proxyd
