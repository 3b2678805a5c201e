// SPDX-License-Identifier: Apache-2.0
#include "discovery/path_watch.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace proxyd {

namespace {

// Returns the names in an absolute path.
std::vector<std::string> PartsOf(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool IsAbsent(int error) { return error == ENOENT || error == ENOTDIR; }

}  // namespace

void PathWatch::Part::OnEvent(const Inotify::Event& event) {
  if (event.IsEndOfDirectory() || event.name == name) owner.changed_ = true;
}

ttrpc::UniqueFd PathWatch::Resolve() {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  changed_ = false;
  problem_ = {};
  // The old watches end after the new ones have begun, so that none is interrupted.
  std::vector<std::unique_ptr<Part>> parts;
  ttrpc::UniqueFd directory(::open("/", kFlags));
  int error = directory ? 0 : errno;
  ttrpc::Status unwatched;  // the last directory, if it cannot be watched
  for (const std::string& name : PartsOf(path_)) {
    if (!directory) break;
    auto part = std::make_unique<Part>(*this, name);
    auto watch = inotify_.Add(directory.get(), *part);
    unwatched = watch ? ttrpc::Status() : watch.error();
    if (watch) part->watch = *std::move(watch);
    parts.push_back(std::move(part));
    ttrpc::UniqueFd next(::openat(directory.get(), name.c_str(), kFlags));
    error = next ? 0 : errno;
    directory = std::move(next);
  }
  parts_ = std::move(parts);
  absent_ = !directory && IsAbsent(error);
  if (directory) return directory;
  if (!absent_) {
    problem_ = ttrpc::ErrnoStatus(error, path_);
  } else if (!unwatched.ok()) {
    problem_ = ttrpc::Status(unwatched.code(),
                             path_ + " is missing, and its directory " + unwatched.message());
  }
  return {};
}

}  // namespace proxyd
