// SPDX-License-Identifier: Apache-2.0
//
// Signals: what the daemon does on each, as events of the main loop. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ttrpc/io_loop.h"

namespace proxyd {

class Signals {
 public:
  // `base` must outlive it.
  explicit Signals(event_base* base);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Instead of what the kernel would do. Once for each signal number.
  void On(int signal_number, std::function<void()> action);
  // On() could not have its way: that signal would be lost, and SIGTERM with it.
  bool failed() const { return failed_; }

 private:
  struct Handler;
  event_base* base_;
  bool failed_ = false;
  std::vector<std::unique_ptr<Handler>> handlers_;
};

}  // namespace proxyd
