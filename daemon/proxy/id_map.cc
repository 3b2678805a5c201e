// SPDX-License-Identifier: Apache-2.0
#include "proxy/id_map.h"

#include <random>

namespace proxyd {

uint64_t IdMapMultiplier() {
  static const uint64_t kMultiplier = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device() | 1;
  }();
  return kMultiplier;
}

}  // namespace proxyd
