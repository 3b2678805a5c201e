// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/timer.h"

#include <event2/event.h>

#include <algorithm>
#include <cstdlib>

namespace ttrpc {

void Timer::Start(std::chrono::nanoseconds delay) {
  if (!event_) {
    event_.reset(event_new(
        loop_.base(), -1, 0,
        [](evutil_socket_t, short, void* self) {
          // A copy is called, because the callback may destroy the timer.
          const auto callback = static_cast<Timer*>(self)->callback_;
          callback();
        },
        this));
  }
  // event_add() counts from the loop's cached time, which may be old by now. Without this update, a
  // short delay could be over at once.
  event_base_update_cache_time(loop_.base());
  // Rounded up for the same reason.
  const auto micros =
      std::chrono::ceil<std::chrono::microseconds>(std::max(delay, std::chrono::nanoseconds(0)))
          .count();
  const timeval tv = {.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
  if (!event_ || event_add(event_.get(), &tv) != 0) std::abort();
}

void Timer::Stop() {
  if (event_) event_del(event_.get());
}

bool Timer::active() const {
  return event_ && event_pending(event_.get(), EV_TIMEOUT, nullptr) != 0;
}

}  // namespace ttrpc
