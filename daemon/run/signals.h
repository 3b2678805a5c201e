// SPDX-License-Identifier: Apache-2.0
//
// Signals: calls what the daemon does on a signal, as an event of the main loop. On the loop's
// thread.
//
// Before the loop runs, the kernel's default would end the process. Requests are held back from the
// first statement of `main` on and are served once the loop runs. A stop ends the process at once,
// since a user database may keep a start waiting for minutes; it is held back only while sockets
// are made, which would be left behind.
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

// Has a stop end the process with status 0, as long as there is nothing to drain.
void ExitOnStop();

// Waits, and returns false if a stop came first. Stops must be held back.
bool WaitUnlessStopped(std::chrono::milliseconds time);

class Signals {
 public:
  // `base` must outlive it.
  explicit Signals(event_base* base);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Replaces what the kernel would do. Once for each signal number.
  void On(int signal_number, std::function<void()> action);
  // Whether On() has failed for a signal, which would then be lost.
  bool failed() const { return failed_; }

 private:
  struct Handler;
  event_base* base_;
  bool failed_ = false;
  std::vector<std::unique_ptr<Handler>> handlers_;
};

}  // namespace proxyd
