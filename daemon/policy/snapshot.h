// SPDX-License-Identifier: Apache-2.0
//
// Snapshot: a configuration and its policy, which were loaded together. It never changes; a reload
// replaces it as a whole. Any thread.
#pragma once

#include <memory>
#include <utility>

#include "config/config.h"
#include "policy/policy.h"

namespace proxyd {

struct Snapshot {
  Snapshot(Config loaded, OverflowIds overflow)
      : config(std::move(loaded)), policy(config, overflow) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const Config config;
  const Policy policy;  // refers to `config`
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace proxyd
