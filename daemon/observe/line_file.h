// SPDX-License-Identifier: Apache-2.0
//
// LineFile: a descriptor that whole lines are written to: a file of our own, or stderr. A file
// contains only whole lines, even after the disk was full. One thread at a time may use it; writing
// may block.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// The deadline for writes that wait for a pipe, a terminal or a socket. There is none at first. It
// may be set on any thread, and then also ends a write that is waiting.
class WriteDeadline {
 public:
  void Set(std::chrono::steady_clock::time_point deadline) {
    ticks_ = deadline.time_since_epoch().count();
  }
  bool passed() const {
    return std::chrono::steady_clock::now().time_since_epoch().count() >= ticks_;
  }
  // Returns false if the deadline passed first. If it has passed already, checks once and does not
  // wait.
  bool WaitUntilWritable(int fd) const;

 private:
  using Ticks = std::chrono::steady_clock::rep;
  std::atomic<Ticks> ticks_ =
      std::chrono::steady_clock::time_point::max().time_since_epoch().count();
};

class LineFile {
 public:
  // Opens `path` for appending, and creates it with mode 0640. A symbolic link is not followed,
  // since the directory may belong to a user with fewer rights than ours. `deadline` must outlive
  // the LineFile.
  static ttrpc::Result<LineFile> Open(std::string path, const WriteDeadline& deadline);
  // Returns a duplicate of this process's stderr.
  static ttrpc::Result<LineFile> Stderr(const WriteDeadline& deadline);

  // Returns "" for stderr.
  const std::string& path() const { return path_; }

  // Returns 0, or the errno of a failure; ETIMEDOUT means that the deadline passed. After a failure
  // the file contains none of `lines`, unless they could not be removed again (from a pipe, or
  // because another process also writes). Then `kept`, if given, is the size of the whole lines in
  // the file, and a cut line is ended before the next one.
  int Append(std::string_view lines, size_t* kept = nullptr);

  // Opens the path again and closes the old file. If that fails, the old file stays in use. Does
  // nothing for stderr.
  ttrpc::Status Reopen();

 private:
  LineFile(ttrpc::UniqueFd fd, std::string path, const WriteDeadline& deadline)
      : fd_(std::move(fd)), path_(std::move(path)), deadline_(&deadline) {}

  int WriteAll(std::string_view bytes, size_t* written);
  bool TakeBack(size_t written);

  ttrpc::UniqueFd fd_;
  std::string path_;
  const WriteDeadline* deadline_;
  bool cut_ = false;  // the last byte written is not a newline
};

}  // namespace proxyd
