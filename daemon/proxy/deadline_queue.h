// SPDX-License-Identifier: Apache-2.0
//
// DeadlineQueue: many deadlines of equal length, at the cost of one timer. They are in a ring, and
// the one that started first is in front. It runs on the loop's thread.
#pragma once

#include <chrono>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

// A deadline of its owner, in at most one queue. Destroying it stops it.
class Deadline : private ttrpc::RingNode {
 public:
  // `expired` is called with `owner`, never from within a function of this file. It may destroy the
  // owner and this.
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
  // A `delay` of 0 means never. `loop` must outlive the queue.
  DeadlineQueue(ttrpc::IoLoop& loop, std::chrono::nanoseconds delay)
      : delay_(delay), timer_(loop, [this] { Expire(); }) {}
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  // Starts the deadline, or starts it again.
  void Start(Deadline* deadline);
  std::chrono::nanoseconds delay() const { return delay_; }
  // Also applies to deadlines that have started, counted from their start.
  void SetDelay(std::chrono::nanoseconds delay);

 private:
  void Expire();
  void Arm();

  std::chrono::nanoseconds delay_;
  ttrpc::RingNode ring_;
  // Started for the deadline that is in front at that time: it may fire too early, never too late.
  ttrpc::Timer timer_;
};

}  // namespace proxyd
