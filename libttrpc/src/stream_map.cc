// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/stream_map.h"

#include <random>

namespace ttrpc::stream_map_internal {

uint64_t Multiplier() noexcept {
  static const uint64_t kMultiplier = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device() | 1;
  }();
  return kMultiplier;
}

}  // namespace ttrpc::stream_map_internal
