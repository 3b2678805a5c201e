// SPDX-License-Identifier: Apache-2.0
//
// LineFile: a descriptor that whole lines are written to: a file of our own that is appended to, or
// stderr. What stands in it is whole lines, also after the disk was full.
// One thread at a time; writing may block.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// Until when writes may wait for a pipe, a terminal or a socket that takes nothing. Starts as "for
// ever"; may be set on any thread, also for a write that is waiting already.
class WriteDeadline {
 public:
  void Set(std::chrono::steady_clock::time_point deadline) {
    ticks_ = deadline.time_since_epoch().count();
  }
  bool passed() const {
    return std::chrono::steady_clock::now().time_since_epoch().count() >= ticks_;
  }
  // False: the deadline passed first. With one that has passed already, looks once and does not
  // wait.
  bool WaitUntilWritable(int fd) const;

 private:
  using Ticks = std::chrono::steady_clock::rep;
  std::atomic<Ticks> ticks_ =
      std::chrono::steady_clock::time_point::max().time_since_epoch().count();
};

class LineFile {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kRetryEvery{1};

  // Opens `path` for appending, created with mode 0640. A symbolic link is not followed: the folder
  // may belong to a user with fewer rights than ours. `deadline` is borrowed for the LineFile's
  // life.
  static ttrpc::Result<LineFile> Open(std::string path, const WriteDeadline& deadline);
  // A duplicate of this process's stderr.
  static ttrpc::Result<LineFile> Stderr(const WriteDeadline& deadline);

  // "" for stderr.
  const std::string& path() const { return path_; }

  // 0, or the errno of the failure. Then none of `lines` stand in the file, but for what could not
  // be taken back (a pipe, or another process writes to the file too); a line that was cut there is
  // ended before the next one. ETIMEDOUT: the deadline passed. `kept`, if given, becomes the number
  // of bytes of whole lines that stand there.
  int Append(std::string_view lines, size_t* kept = nullptr);

  // Opens the path again, and closes the file from before. If that fails, the old file stays in use
  // until TryAgain() succeeds. For stderr there is nothing to do.
  ttrpc::Status Reopen(Clock::time_point now);
  // After a Reopen() that failed, tries again if the last attempt is kRetryEvery ago. OK: the file
  // is open.
  ttrpc::Status TryAgain(Clock::time_point now);
  // The errno with which the path could not be opened again; 0: the file in use is the one to use.
  int reopen_error() const { return reopen_error_; }
  // False: the file in use was removed, and nobody will find what is written to it.
  bool has_name() const;

 private:
  LineFile(ttrpc::UniqueFd fd, std::string path, const WriteDeadline& deadline)
      : fd_(std::move(fd)), path_(std::move(path)), deadline_(&deadline) {}

  int WriteAll(std::string_view bytes, size_t* written);
  bool TakeBack(size_t written);

  ttrpc::UniqueFd fd_;
  std::string path_;
  const WriteDeadline* deadline_;
  bool cut_ = false;  // the last byte written is not a newline
  int reopen_error_ = 0;
  Clock::time_point retry_at_{};
};

}  // namespace proxyd
