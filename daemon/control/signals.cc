// SPDX-License-Identifier: Apache-2.0
#include "control/signals.h"

#include <event2/event.h>

#include <utility>

namespace proxyd {

struct Signals::Handler {
  std::function<void()> action;
  ttrpc::EventPtr event;
};

Signals::Signals(event_base* base) : base_(base) {}

Signals::~Signals() = default;

void Signals::On(int signal_number, std::function<void()> action) {
  auto handler = std::make_unique<Handler>();
  handler->action = std::move(action);
  handler->event.reset(event_new(
      base_, signal_number, EV_SIGNAL | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Handler*>(self)->action(); },
      handler.get()));
  if (event_add(handler->event.get(), nullptr) != 0) failed_ = true;
  handlers_.push_back(std::move(handler));
}

}  // namespace proxyd
