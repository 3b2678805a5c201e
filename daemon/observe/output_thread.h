// SPDX-License-Identifier: Apache-2.0
//
// OutputThread: writes to an output on a thread of its own, so that nobody waits for a disk, a pipe
// or a journald. Its mutex is never held while anything is opened, written or closed. Log lines
// wait in a bounded queue, the oldest of which is lost first; one caller at a time has records
// of the audit written, and waits for that.
//
// A write that hangs is given up once the output is replaced, the caller gives up, or the end has
// come: if the write cannot be ended, its thread is left to itself with the output and goes when
// the write returns; another thread goes on. What it held is offered to the next output. There may
// be kMostStuck such threads; then outputs are not replaced any more.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "config/config.h"
#include "observe/log_line.h"
#include "observe/log_output.h"

namespace proxyd {

class OutputThread {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kQueueLines = 512;  // 4 MiB, if each is as long as it may be
  static constexpr size_t kMostStuck = 16;
  // What a write has to return in, once it is told to: more than LineFile sleeps.
  static constexpr std::chrono::milliseconds kGrace{250};

  OutputThread();
  // The thread ends after what it is writing, and is not waited for.
  ~OutputThread();
  OutputThread(const OutputThread&) = delete;
  OutputThread& operator=(const OutputThread&) = delete;

  // Any thread; these never wait for a write.
  void Replace(std::unique_ptr<LogOutput> output);  // also the first one
  void SetFormat(LogFormat format);
  void Push(LogLine line);
  void Reopen();
  void GiveUp();  // makes a Write() that waits look at its `given_up`

  // Has the output write these records, of which there may be none, and waits until it has,
  // `given_up` was set and announced by GiveUp(), or Stop() has ended: then the error is ECANCELED,
  // and `kept` what the output is known to have. One thread at a time.
  WriteResult Write(std::string_view lines, const std::atomic<bool>& given_up);

  // Writes what is queued until `deadline`, and ends the thread. False: it hangs, and is left to
  // itself. What is handed over later is lost.
  bool Stop(Clock::time_point deadline);

  // How many threads of this process were left to themselves and still hang. While there are any,
  // the process must end by _exit(2): they use what a return from main() would destroy.
  static size_t stuck();
  // An error if that is as many as there may be.
  static ttrpc::Status CheckReplaceable();

 private:
  class Core;
  // Owned by this, or once this has gone, by its last thread.
  Core* core_;
};

}  // namespace proxyd
