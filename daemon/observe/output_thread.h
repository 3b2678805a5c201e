// SPDX-License-Identifier: Apache-2.0
//
// OutputThread: writes to an output on a separate thread, so that nobody waits for a disk, a pipe
// or journald. Its mutex is never held while something is opened, written or closed. Log lines wait
// in a bounded queue, which drops the oldest first. One caller at a time may write records of the
// audit, and waits until they are written.
//
// A hanging write is given up when the output is replaced, when the caller gives up, or at the end.
// If the write cannot be interrupted, its thread is abandoned with the output, and ends when the
// write returns. A new thread goes on, and offers the unwritten lines to the next output. Once
// kMostStuck threads are abandoned, outputs can no longer be replaced.
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
  static constexpr size_t kQueueLines = 512;  // 4 MiB, if each is as long as possible
  static constexpr size_t kMostStuck = 16;
  // How long an interrupted write may take to return: more than the poll interval of LineFile.
  static constexpr std::chrono::milliseconds kGrace{250};

  OutputThread();
  // The thread ends after its present write, and is not waited for.
  ~OutputThread();
  OutputThread(const OutputThread&) = delete;
  OutputThread& operator=(const OutputThread&) = delete;

  // These may be called on any thread, and never wait for a write.
  void Replace(std::unique_ptr<LogOutput> output);  // also sets the first output
  void SetFormat(LogFormat format);
  void Push(LogLine line);
  void Reopen();
  void GiveUp();  // makes a waiting Write() check its `given_up`

  // Makes the output write these records or lines, and waits for that. The error is ECANCELED if
  // `given_up` was set and GiveUp() called, or Stop() has ended; `kept` is then the number of bytes
  // known to be written. One thread at a time may call it.
  WriteResult Write(std::string_view lines, const std::atomic<bool>& given_up);

  // Writes what is queued until `deadline`, and ends the thread. Returns false if the thread hangs
  // and was abandoned. Later lines are lost.
  bool Stop(Clock::time_point deadline);

  // Returns how many abandoned threads of this process still hang. While there are any, the process
  // must end with _exit(2), since they use what returning from main() would destroy.
  static size_t stuck();
  // Returns an error if kMostStuck threads hang.
  static ttrpc::Status CheckReplaceable();

 private:
  class Core;
  // Owned by this object, and after its destruction by the last thread.
  Core* core_;
};

}  // namespace proxyd
