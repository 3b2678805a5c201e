// SPDX-License-Identifier: Apache-2.0
//
// Helpers of the fuzz targets: the assertion of an invariant, and a reader of scripts. A script is
// read from the front of the fuzzer's bytes, so that a seed is the script itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Aborts the program, which the fuzzer reports as a finding.
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
  // Returns 0 at the end.
  uint8_t Byte() {
    const std::string_view byte = Bytes(1);
    return byte.empty() ? uint8_t{0} : static_cast<uint8_t>(byte.front());
  }
  // Returns fewer bytes at the end.
  std::string_view Bytes(size_t count) {
    const std::string_view front = rest_.substr(0, std::min(count, rest_.size()));
    rest_.remove_prefix(front.size());
    return front;
  }
  // Returns as many bytes as the first byte says.
  std::string_view Counted() { return Bytes(Byte()); }
  // Returns the bytes before the next `end`, which is consumed.
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
