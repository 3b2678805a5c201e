// SPDX-License-Identifier: Apache-2.0
#include "proxy/deadline_queue.h"

#include <algorithm>

namespace proxyd {

namespace {
constexpr std::chrono::nanoseconds kNever{0};
}  // namespace

void DeadlineQueue::Start(Deadline* deadline) {
  deadline->Leave();
  deadline->since_ = std::chrono::steady_clock::now();
  ring_.InsertBefore(deadline);
  if (delay_ != kNever && !timer_.active()) timer_.Start(delay_);
}

void DeadlineQueue::SetDelay(std::chrono::nanoseconds delay) {
  if (delay == delay_) return;
  delay_ = delay;
  timer_.Stop();
  Arm();
}

// Starts the timer for the deadline in front.
void DeadlineQueue::Arm() {
  if (delay_ == kNever || ring_.alone()) return;
  const auto at = static_cast<Deadline*>(ring_.next)->since_ + delay_;
  timer_.Start(std::max(at - std::chrono::steady_clock::now(), std::chrono::nanoseconds(0)));
}

void DeadlineQueue::Expire() {
  const auto now = std::chrono::steady_clock::now();
  while (!ring_.alone()) {
    auto* const first = static_cast<Deadline*>(ring_.next);
    if (now - first->since_ < delay_) return Arm();
    first->Leave();
    first->expired_(first->owner_);
  }
}

}  // namespace proxyd
