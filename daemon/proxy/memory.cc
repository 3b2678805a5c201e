// SPDX-License-Identifier: Apache-2.0
#include "proxy/memory.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace proxyd {

namespace {
// Soon enough for an operator who watches, and too seldom to disturb a load that comes and goes.
constexpr auto kPeriod = std::chrono::seconds(1);
// Memory that the messages of one wake-up may use without asking the kernel.
constexpr uint64_t kKept = 4U << 20;
}  // namespace

void MemoryPeak::Note(uint64_t used) {
  peak_ = std::max(peak_, used);
  of_period_ = std::max(of_period_, used);
}

bool MemoryPeak::EndPeriod(uint64_t used) {
  const uint64_t of_period = std::exchange(of_period_, used);
  if (peak_ < of_period + kWorthwhile) return false;
  peak_ = of_period;
  return true;
}

void Memory::Note() {
  peak_.Note(used_());
  if (peak_.pending() && !timer_.active()) timer_.Start(kPeriod);
}

void Memory::Look() {
  if (peak_.EndPeriod(used_())) give_back_(kKept);
  if (peak_.pending()) timer_.Start(kPeriod);
}

}  // namespace proxyd
