// SPDX-License-Identifier: Apache-2.0
//
// Snapshot: a configuration with its policy, as they were loaded together: replaced whole by a
// reload, never changed. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "config/config.h"
#include "policy/policy.h"

namespace proxyd {

// The listeners of a configuration by what tells them apart.
class ListenerTable {
 public:
  // `config` must outlive it.
  explicit ListenerTable(const Config& config) {
    for (size_t i = 0; i < config.listeners.size(); ++i) {
      names_.emplace(config.listeners[i].name, i);
      addresses_.emplace(ToString(config.listeners[i].address), i);
    }
  }

  // Index into Config::listeners.
  std::optional<size_t> FindName(std::string_view name) const { return Find(names_, name); }
  std::optional<size_t> FindAddress(const ListenerAddress& address) const {
    return Find(addresses_, ToString(address));
  }

 private:
  template <typename Map, typename Key>
  static std::optional<size_t> Find(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? std::nullopt : std::optional(found->second);
  }

  std::unordered_map<std::string_view, size_t> names_;
  std::unordered_map<std::string, size_t> addresses_;
};

struct Snapshot {
  Snapshot(Config loaded, OverflowIds overflow)
      : config(std::move(loaded)), policy(config, overflow), listeners(config) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const Config config;
  const Policy policy;  // refers to `config`, as does the next
  const ListenerTable listeners;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace proxyd
