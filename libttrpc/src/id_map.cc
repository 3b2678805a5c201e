// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/id_map.h"

#include <random>

namespace ttrpc {

uint64_t IdMapMultiplier() {
  static const uint64_t kMultiplier = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device() | 1;
  }();
  return kMultiplier;
}

}  // namespace ttrpc
