// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/event_loop.h"

#include <event2/event.h>

#include <cstdlib>

namespace ttrpc {

void EventLoop::BaseDeleter::operator()(event_base* base) const { event_base_free(base); }

EventLoop::EventLoop() : base_(event_base_new()) {
  if (!base_) std::abort();
  io_ = std::make_unique<IoLoop>(base_.get());
}

EventLoop::~EventLoop() = default;

void EventLoop::RunVoid(Task<void> task) {
  // Ends the loop when the task has: as its last act, from within the loop or before it began.
  struct Ender {
    static Task<void> Run(Task<void> inner, bool* ended, event_base* base) {
      co_await std::move(inner);
      *ended = true;
      event_base_loopbreak(base);
    }
  };
  bool ended = false;
  TaskGroup tasks;
  tasks.Spawn(Ender::Run(std::move(task), &ended, base_.get()));
  while (!ended) {
    // It runs already: within it, nothing would ever end the task.
    if (event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY) < 0) std::abort();
  }
}

void EventLoop::RunForever() { event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY); }

void EventLoop::Stop() { event_base_loopbreak(base_.get()); }

}  // namespace ttrpc
