// SPDX-License-Identifier: Apache-2.0
//
// Memory: returns memory to the system after a worker's peak. The allocator keeps what is freed,
// which makes messages fast, but it would keep the hundreds of MiB of a burst for good. It runs on
// the worker's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

// MemoryPeak: decides when memory is returned. It is pure.
class MemoryPeak {
 public:
  // Memory is returned if at least this much less is used than at the peak.
  static constexpr uint64_t kWorthwhile = 8U << 20;

  void Note(uint64_t used);
  // Ends a period; `used` is the present use. Returns true if much less than the peak was used
  // during the whole period, so that the difference can be returned. The period's peak is then the
  // new peak.
  bool EndPeriod(uint64_t used);
  // Returns whether EndPeriod() must be called after another period.
  bool pending() const { return peak_ >= kWorthwhile; }

 private:
  uint64_t peak_ = 0;
  uint64_t of_period_ = 0;
};

class Memory {
 public:
  // `loop` must outlive this. `used` returns the bytes in use, as far as they are known.
  // `give_back` gets the number of free bytes to keep.
  Memory(ttrpc::IoLoop& loop, std::function<uint64_t()> used,
         std::function<void(uint64_t)> give_back)
      : used_(std::move(used)),
        give_back_(std::move(give_back)),
        timer_(loop, [this] { Look(); }) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Must be called when more memory is used than before.
  void Note();

 private:
  void Look();

  std::function<uint64_t()> used_;
  std::function<void(uint64_t)> give_back_;
  MemoryPeak peak_;
  ttrpc::Timer timer_;  // runs until memory was returned after a peak
};

}  // namespace proxyd
