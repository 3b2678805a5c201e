// SPDX-License-Identifier: Apache-2.0
#include "standard_output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace ttrpc::tool {

Status Write(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return ErrnoStatus(errno, "standard output");
    }
  }
  return {};
}

}  // namespace ttrpc::tool
