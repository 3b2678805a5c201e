// SPDX-License-Identifier: Apache-2.0
//
// Memory: gives memory back to the system once a worker has come down from a peak. The allocator
// keeps what is freed, which is what the path of messages wants, and would keep a burst's hundreds
// of MiB for good. On the worker's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

// When to do so. Pure.
class MemoryPeak {
 public:
  // So much less than at the peak is worth the while.
  static constexpr uint64_t kWorthwhile = 8U << 20;

  void Note(uint64_t used);
  // A period is over, and so much is used now. True: for all of it much less was used than at the
  // peak, so that the difference can go back. The peak is then what was used in that period.
  bool EndPeriod(uint64_t used);
  // Somebody has to end the period.
  bool pending() const { return peak_ >= kWorthwhile; }

 private:
  uint64_t peak_ = 0;
  uint64_t of_period_ = 0;
};

class Memory {
 public:
  // `loop` must outlive it. `used`: how many bytes are, as far as is known. `give_back`: is told
  // how many free bytes to keep.
  Memory(ttrpc::IoLoop& loop, std::function<uint64_t()> used,
         std::function<void(uint64_t)> give_back)
      : used_(std::move(used)),
        give_back_(std::move(give_back)),
        timer_(loop, [this] { Look(); }) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // More is used than before.
  void Note();

 private:
  void Look();

  std::function<uint64_t()> used_;
  std::function<void(uint64_t)> give_back_;
  MemoryPeak peak_;
  ttrpc::Timer timer_;  // runs while there is a peak to come down from
};

}  // namespace proxyd
