// SPDX-License-Identifier: Apache-2.0
//
// FailedStarts: counts in a file how many starts of the daemon have failed in a row, and says how
// long the next one that fails waits before its process ends. A service manager cannot make its own
// pauses grow (systemd can from version 254 on). One process at a time.
#pragma once

#include <chrono>
#include <string>

namespace proxyd {

class FailedStarts {
 public:
  // `file` need not exist; an existing file is replaced, never written to. If it is empty, nothing
  // is counted and there are no pauses.
  explicit FailedStarts(std::string file) : file_(std::move(file)) {}

  // Counts one more, and returns the pause before the process ends: 0, 0.1, 0.5, 2, then 5 s. A
  // file that holds no count counts as none; no error keeps the process from ending.
  std::chrono::milliseconds Count() const;

  // Called when a start has succeeded.
  void Forget() const;

 private:
  size_t Read() const;
  void Write(size_t count) const;

  const std::string file_;
};

// `failed-starts` in the first folder of $RUNTIME_DIRECTORY, or empty if the service manager has
// made none.
std::string FileOfFailedStarts();

}  // namespace proxyd
