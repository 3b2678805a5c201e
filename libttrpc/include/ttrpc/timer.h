// SPDX-License-Identifier: Apache-2.0
//
// Timer: calls back once, on the loop's thread, after a time. Costs nothing while it was never
// started.
#pragma once

#include <chrono>
#include <functional>

#include "ttrpc/io_loop.h"

namespace ttrpc {

class Timer {
 public:
  // `loop` must outlive it. `callback` may destroy the timer; it is copied each
  // time that it is called, so it should capture little.
  Timer(IoLoop& loop, std::function<void()> callback)
      : loop_(loop), callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Stops it.
  ~Timer() = default;

  // (Re)starts it. Fires no sooner than `delay`, and never from within this call. Negative counts
  // as zero.
  void Start(std::chrono::nanoseconds delay);
  void Stop();
  bool active() const;

 private:
  IoLoop& loop_;
  std::function<void()> callback_;
  EventPtr event_;
};

}  // namespace ttrpc
