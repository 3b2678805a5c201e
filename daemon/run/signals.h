// SPDX-License-Identifier: Apache-2.0
//
// Signals: runs the daemon's action for a signal as an event of the main loop. On the loop's
// thread.
//
// Before the loop runs, the kernel's default would end the process. Request signals are blocked
// from the first statement of `main` on, and are served once the loop runs. A stop signal ends the
// process at once, since a user database may delay a start for minutes. Stop signals are blocked
// only while the daemon makes sockets, which it would otherwise leave behind.
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

// Blocks the signals for this thread and for each thread that it starts from then on.
void HoldBack(std::span<const int> signal_numbers);
// Unblocks the signals for this thread, which at once handles those that came meanwhile.
void Release(std::span<const int> signal_numbers);

// Makes a stop signal end the process with status 0. For use while there is nothing to drain.
void ExitOnStop();

// Waits for `time`. Returns false early if a stop signal arrives; these must be blocked.
bool WaitUnlessStopped(std::chrono::milliseconds time);

class Signals {
 public:
  // `base` must outlive this object.
  explicit Signals(event_base* base);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Runs `action` instead of the kernel's default. Must be called at most once for each signal
  // number.
  void On(int signal_number, std::function<void()> action);
  // Whether On() has failed for a signal, whose action would then not run.
  bool failed() const { return failed_; }

 private:
  struct Handler;
  event_base* base_;
  bool failed_ = false;
  std::vector<std::unique_ptr<Handler>> handlers_;
};

}  // namespace proxyd
