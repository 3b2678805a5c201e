// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets share: how an invariant is asserted, and how a script is read out of the
// fuzzer's bytes. From the front, so that a seed is the script itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Ends the program, which the fuzzer takes for a finding.
#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace fuzz {

class Script {
 public:
  Script(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool done() const { return rest_.empty(); }
  // 0 at the end.
  uint8_t Byte() {
    const std::string_view byte = Bytes(1);
    return byte.empty() ? uint8_t{0} : static_cast<uint8_t>(byte.front());
  }
  // Fewer at the end.
  std::string_view Bytes(size_t count) {
    const std::string_view front = rest_.substr(0, std::min(count, rest_.size()));
    rest_.remove_prefix(front.size());
    return front;
  }
  // A byte that says how many, then as many.
  std::string_view Counted() { return Bytes(Byte()); }
  // Up to the next `end`, which is taken too.
  std::string_view Until(char end) {
    const std::string_view front = Bytes(std::min(rest_.find(end), rest_.size()));
    Bytes(1);
    return front;
  }
  std::string_view Rest() { return Bytes(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace fuzz
