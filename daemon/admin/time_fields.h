// SPDX-License-Identifier: Apache-2.0
//
// Times as the fields of admin.proto have them. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace proxyd {

template <typename Duration>
int64_t Microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

inline int64_t SinceEpoch(std::chrono::system_clock::time_point time) {
  return Microseconds(time.time_since_epoch());
}

}  // namespace proxyd
