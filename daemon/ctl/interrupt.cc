// SPDX-License-Identifier: Apache-2.0
#include "ctl/interrupt.h"

#include <event2/event.h>
#include <signal.h>

#include <utility>

namespace proxyd::ctl {

Interrupt::Interrupt(ttrpc::EventLoop& loop, std::function<void()> callback)
    : callback_(std::move(callback)) {
  const auto call = [](evutil_socket_t, short, void* self) {
    static_cast<Interrupt*>(self)->callback_();
  };
  interrupted_.reset(evsignal_new(loop.base(), SIGINT, call, this));
  terminated_.reset(evsignal_new(loop.base(), SIGTERM, call, this));
  event_add(interrupted_.get(), nullptr);
  event_add(terminated_.get(), nullptr);
}

}  // namespace proxyd::ctl
