// SPDX-License-Identifier: Apache-2.0
#include "run/runtime_folder.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "ttrpc/unique_fd.h"

namespace proxyd {

namespace {

// Returns 0 or the errno of the failure.
int WriteNew(const std::string& path, std::string_view text) {
  // The text goes into a new file, so that a link at the path cannot redirect the write.
  ::unlink(path.c_str());
  const ttrpc::UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return errno;
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : ENOSPC;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

}  // namespace

std::string InRuntimeFolder(std::string_view name) {
  const char* folders = ::getenv("RUNTIME_DIRECTORY");
  const std::string_view list = folders != nullptr ? folders : "";
  const std::string_view first = list.substr(0, list.find(':'));
  if (!first.starts_with('/')) return {};
  return std::string(first).append("/").append(name);
}

void WriteVerdict(const std::string& path, const ReloadVerdict& verdict) {
  if (path.empty()) return;
  const std::string next = path + ".new";
  int error = WriteNew(next, FormatReloadVerdict(verdict));
  if (error == 0 && ::rename(next.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return;
  ::unlink(next.c_str());
  spdlog::warn("{}: cannot write the outcome of the reload: {}", path,
               std::generic_category().message(error));
}

void RemoveVerdict(const std::string& path) {
  if (!path.empty()) ::unlink(path.c_str());
}

}  // namespace proxyd
