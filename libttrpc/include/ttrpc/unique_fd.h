// SPDX-License-Identifier: Apache-2.0
//
// UniqueFd: the only owner of a file descriptor, which it closes when it is destroyed. Any thread
// may use one, one thread at a time. No function fails: the result of close(2) is ignored.
#pragma once

#include <unistd.h>

#include <utility>

namespace ttrpc {

class UniqueFd {
 public:
  UniqueFd() = default;
  // Owns `fd`. A negative number means none.
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  // Borrowed: valid until the UniqueFd is assigned to, reset, released or destroyed. -1: none.
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }

  // Releases ownership: the caller closes the descriptor. Returns -1 if there is none.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  // Closes the descriptor and owns `fd` instead. close(2) is not repeated after EINTR, because
  // Linux has released the descriptor by then.
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace ttrpc
