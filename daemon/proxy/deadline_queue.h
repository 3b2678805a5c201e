// SPDX-License-Identifier: Apache-2.0
//
// DeadlineQueue: many deadlines that are all equally far away when they start, at the cost of one
// timer: they stand in a ring, the one that started first in front. On the loop's thread.
#pragma once

#include <chrono>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

// One deadline of its owner, in at most one queue. Destroyed, it is stopped.
class Deadline : private ttrpc::RingNode {
 public:
  // `expired` is called with `owner`, never from within a call here, and may destroy both.
  Deadline(void (*expired)(void* owner), void* owner) : expired_(expired), owner_(owner) {}

  bool active() const { return !alone(); }
  void Stop() { Leave(); }

 private:
  friend class DeadlineQueue;

  void (*expired_)(void* owner);
  void* owner_;
  std::chrono::steady_clock::time_point since_;
};

class DeadlineQueue {
 public:
  // `delay` 0: never. `loop` must outlive it.
  DeadlineQueue(ttrpc::IoLoop& loop, std::chrono::nanoseconds delay)
      : delay_(delay), timer_(loop, [this] { Expire(); }) {}
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  // (Re)starts it.
  void Start(Deadline* deadline);
  std::chrono::nanoseconds delay() const { return delay_; }
  // For those that have started, too, from when they did.
  void SetDelay(std::chrono::nanoseconds delay);

 private:
  void Expire();
  void Arm();

  std::chrono::nanoseconds delay_;
  ttrpc::RingNode ring_;
  // For whoever stood in front when it was started: it may fire too soon, never too late.
  ttrpc::Timer timer_;
};

}  // namespace proxyd
