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
  // Ends the loop as its last act after the task has ended, unless the loop is not running yet.
  struct State {
    bool ended = false;
    bool looping = false;
  };
  struct Ender {
    static Task<void> Run(Task<void> inner, State* state, event_base* base) {
      co_await std::move(inner);
      state->ended = true;
      if (state->looping) event_base_loopexit(base, nullptr);
    }
  };
  State state;
  TaskGroup tasks;
  tasks.Spawn(Ender::Run(std::move(task), &state, base_.get()));
  while (!state.ended) {
    state.looping = true;
    // A negative result means that the loop is already running: the task could never end.
    if (event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY) < 0) std::abort();
  }
}

void EventLoop::RunForever() { event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY); }

// loopbreak would drop messages that the caller has just sent; loopexit writes them first.
void EventLoop::Stop() { event_base_loopexit(base_.get(), nullptr); }

}  // namespace ttrpc
