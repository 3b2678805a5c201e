// SPDX-License-Identifier: Apache-2.0
#include "run/front_directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <variant>

#include "config/socket_template.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

namespace {

using ttrpc::Status;
using ttrpc::UniqueFd;

UniqueFd OpenDirectory(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
  } while (fd < 0 && errno == EINTR);
  return UniqueFd(fd);
}

mode_t ModeFor(const SocketAccess& access) {
  return (access.mode & (S_IRWXG | S_IRWXO)) != 0 ? 0755 : 0711;
}

// Returns 0, or the errno of the failure.
int MakeOne(const std::string& path, mode_t mode) {
  struct stat info {};
  // Directories that exist are not made, since the sandbox would deny it.
  if (::stat(path.c_str(), &info) == 0) return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
  if (::mkdir(path.c_str(), 0700) != 0) return errno;
  // The process's umask may take bits of the mode away. A link that another user put in place of
  // the directory is not followed.
  const UniqueFd directory = OpenDirectory(path, O_NOFOLLOW);
  if (!directory || ::fchmod(directory.get(), mode) != 0) return errno;
  return 0;
}

// Returns 0, or the errno of the failure.
int MakeAll(const std::string& path, mode_t mode) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    if (const int error = MakeOne(path.substr(0, end), mode); error != 0) return error;
    if (end == std::string::npos) return 0;
  }
}

}  // namespace

Status MakeFrontDirectories(const Config& config) {
  for (const ListenerConfig& listener : config.listeners) {
    const auto* fronts = std::get_if<SocketTemplate>(&listener.address);
    if (fronts == nullptr) continue;
    const std::string base = FrontBaseOf(*fronts);
    const int error = MakeAll(base, ModeFor(listener.access));
    if (error == 0) continue;
    return ttrpc::ErrnoStatus(
        error, "listener \"" + listener.name + "\": directory " + base + " cannot be made");
  }
  return {};
}

}  // namespace proxyd
