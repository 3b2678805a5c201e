// SPDX-License-Identifier: Apache-2.0
//
// Interrupt: turns SIGINT and SIGTERM into callbacks on a loop, for a command that prints a result
// when it is interrupted.
#pragma once

#include <functional>

#include "ttrpc/event_loop.h"

namespace proxyd::ctl {

class Interrupt {
 public:
  // `callback` runs on the loop's thread for each signal. `loop` must outlive this object; after
  // its destruction the signals terminate the program again.
  Interrupt(ttrpc::EventLoop& loop, std::function<void()> callback);
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  std::function<void()> callback_;
  ttrpc::EventPtr interrupted_;
  ttrpc::EventPtr terminated_;
};

}  // namespace proxyd::ctl
