// SPDX-License-Identifier: Apache-2.0
//
// FailedStarts: counts in a file how many starts of the daemon have failed in a row. The count sets
// how long the next failed start waits before its process exits, since not every service manager
// has pauses that grow (systemd has them from version 254 on). For one process at a time.
#pragma once

#include <chrono>
#include <string>

namespace proxyd {

class FailedStarts {
 public:
  // `file` is a path, which need not exist; an existing file is replaced, never written to. If the
  // path is empty, nothing is counted and there are no pauses.
  explicit FailedStarts(std::string file) : file_(std::move(file)) {}

  // Counts one more failure, and returns the pause before the process exits: 0, 0.1, 0.5, 2, then
  // 5 s. A file that does not hold a count is read as 0, and a failed write is ignored.
  std::chrono::milliseconds Count() const;

  // Resets the count after a successful start.
  void Forget() const;

 private:
  size_t Read() const;
  void Write(size_t count) const;

  const std::string file_;
};

// The path of `failed-starts` in the first directory of $RUNTIME_DIRECTORY, or an empty path if the
// service manager has made no such directory.
std::string FileOfFailedStarts();

}  // namespace proxyd
