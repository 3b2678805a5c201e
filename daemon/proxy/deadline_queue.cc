// SPDX-License-Identifier: Apache-2.0
#include "proxy/deadline_queue.h"

namespace proxyd {

void DeadlineQueue::Start(Deadline* deadline) {
  deadline->Leave();
  if (delay_ == std::chrono::nanoseconds(0)) return;
  deadline->at_ = std::chrono::steady_clock::now() + delay_;
  ring_.InsertBefore(deadline);
  if (!timer_.active()) timer_.Start(delay_);
}

void DeadlineQueue::Expire() {
  const auto now = std::chrono::steady_clock::now();
  while (!ring_.alone()) {
    auto* const first = static_cast<Deadline*>(ring_.next);
    if (first->at_ > now) {
      timer_.Start(first->at_ - now);
      return;
    }
    first->Leave();
    first->expired_(first->owner_);
  }
}

}  // namespace proxyd
