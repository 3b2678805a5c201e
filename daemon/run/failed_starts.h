// SPDX-License-Identifier: Apache-2.0
//
// FailedStarts: how many starts of the daemon have failed in a row, counted in a file, and how long
// one that fails waits before its process ends. A service manager that starts the daemon again and
// again cannot make these pauses longer by itself (systemd can from version 254 on). One process at
// a time.
#pragma once

#include <chrono>
#include <string>

namespace proxyd {

class FailedStarts {
 public:
  // `file` may be there or not; nothing is ever written to a file that is there. Empty: nothing is
  // counted, and there are no pauses.
  explicit FailedStarts(std::string file) : file_(std::move(file)) {}

  // Counts one more. The pause before it ends: 0, 0.1, 0.5, 2, then 5 s. Counting starts from the
  // beginning where the file does not hold a count; no error keeps the daemon from ending.
  std::chrono::milliseconds Count() const;

  // A start has succeeded.
  void Forget() const;

 private:
  size_t Read() const;
  void Write(size_t count) const;

  const std::string file_;
};

// `failed-starts` in the first folder of $RUNTIME_DIRECTORY; empty where the service manager made
// none.
std::string FileOfFailedStarts();

}  // namespace proxyd
