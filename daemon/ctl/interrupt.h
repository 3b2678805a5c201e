// SPDX-License-Identifier: Apache-2.0
//
// Interrupt: SIGINT and SIGTERM as calls on a loop, for who has something to say at its end.
#pragma once

#include <functional>

#include "ttrpc/event_loop.h"

namespace proxyd::ctl {

class Interrupt {
 public:
  // `loop` must outlive it. `callback`: for each of them, on the loop's thread. From its end on
  // they end the program again.
  Interrupt(ttrpc::EventLoop& loop, std::function<void()> callback);
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  std::function<void()> callback_;
  ttrpc::EventPtr interrupted_;
  ttrpc::EventPtr terminated_;
};

}  // namespace proxyd::ctl
