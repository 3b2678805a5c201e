// SPDX-License-Identifier: Apache-2.0
//
// BlockedSignals: blocks signals in threads that are started during its life, so that signals reach
// the thread that waits for them. It must be destroyed on the thread that created it.
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
    // Fault signals stay with the thread that caused them; blocking them would lose the trace.
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
