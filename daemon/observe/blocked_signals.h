// SPDX-License-Identifier: Apache-2.0
//
// BlockedSignals: a thread that is started while one lives takes no signals, so that they reach the
// thread that waits for them. Only on the thread that made it.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <initializer_list>

namespace proxyd {

class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    // Faults belong to the thread that makes them, and blocking them would take the trace away.
    for (const int fault : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP}) {
      sigdelset(&blocked, fault);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace proxyd
