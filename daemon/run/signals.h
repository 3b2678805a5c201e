// SPDX-License-Identifier: Apache-2.0
//
// Signals: what the daemon does on each, as events of the main loop. On the loop's thread.
//
// Until the loop runs, a signal must not do what the kernel would. Requests are held back from the
// first statement of `main` on, and are answered once the loop runs. A stop ends the process at
// once, since whatever keeps a start waiting (a user database) may do so for minutes, but is held
// back, too, while sockets are made.
#pragma once

#include <signal.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "ttrpc/io_loop.h"

namespace proxyd {

inline constexpr std::array<int, 3> kRequestSignals = {SIGHUP, SIGUSR1, SIGUSR2};
inline constexpr std::array<int, 2> kStopSignals = {SIGTERM, SIGINT};

// Blocks them for this thread, and for those that it starts from then on.
void HoldBack(std::span<const int> signal_numbers);
// Unblocks them for this thread, which at once handles what came meanwhile.
void Release(std::span<const int> signal_numbers);

// From here on a stop ends the process with status 0: nothing exists yet that has to be drained.
void ExitOnStop();

// Waits. False: a stop came first. Stops must be held back.
bool WaitUnlessStopped(std::chrono::milliseconds time);

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
