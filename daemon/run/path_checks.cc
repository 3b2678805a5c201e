// SPDX-License-Identifier: Apache-2.0
#include "run/path_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include "run/places.h"
#include "run/service_unit.h"

namespace proxyd {

namespace {

using ttrpc::Status;

// RuntimeDirectory= and LogsDirectory= of the unit.
constexpr std::array<std::string_view, 2> kMadeBySystemd = {"/run/ttrpc-proxy",
                                                            "/var/log/ttrpc-proxy"};

int AccessError(const std::string& path, int mode) {
  return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0 ? 0 : errno;
}

// The errno of making something in `directory`, or 0.
int ErrorOfMakingIn(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return errno;
  return S_ISDIR(info.st_mode) ? AccessError(directory, W_OK | X_OK) : ENOTDIR;
}

// Those that do not pass by themselves. Any other shows when the daemon does what was looked at.
bool IsLasting(int error) {
  constexpr std::array kLasting = {EACCES,  EISDIR, ELOOP, ENAMETOOLONG, ENOENT,
                                   ENOTDIR, ENXIO,  EPERM, EROFS};
  return std::find(kLasting.begin(), kLasting.end(), error) != kLasting.end();
}

// Also of a directory that is yet to be made: what it would be made in is looked at.
bool IsReadOnly(std::string directory) {
  for (;;) {
    const int error = AccessError(directory, W_OK);
    if (error != ENOENT || directory == "/") return error == EROFS;
    directory = FolderOf(directory);
  }
}

std::string DropIn(const std::vector<std::string>& directories) {
  std::string paths;
  for (const std::string& directory : directories) {
    if (IsReadOnly(directory)) paths.append(paths.empty() ? "" : " ").append(directory);
  }
  if (paths.empty()) return {};
  return "the service needs ReadWritePaths=" + paths +
         " in a drop-in (systemctl edit ttrpc-proxy.service)";
}

class PathChecker {
 public:
  explicit PathChecker(PathsFor purpose) : purpose_(purpose) {}

  void Check(const Place& place) {
    if (place.is_socket) {
      Socket(place);
    } else {
      File(place);
    }
  }

  void Add(std::vector<ConfigError> errors) {
    std::move(errors.begin(), errors.end(), std::back_inserter(errors_));
  }

  PathErrors Take() && { return {.errors = std::move(errors_), .drop_in = DropIn(directories_)}; }

 private:
  // Lines are appended to it. Where it exists its directory does not matter.
  void File(const Place& place) {
    struct stat info {};
    if (::lstat(place.path.c_str(), &info) != 0) return Directory(place);
    int error = 0;
    if (S_ISLNK(info.st_mode)) {
      error = ELOOP;  // it is not followed
    } else if (S_ISDIR(info.st_mode)) {
      error = EISDIR;
    } else if (S_ISSOCK(info.st_mode)) {
      error = ENXIO;
    } else {
      error = AccessError(place.path, W_OK);
    }
    const std::string what = place.label + ": the file cannot be written: ";
    if (Add(place.position, what, error)) Remember(FolderOf(place.path));
  }

  // A start finds out for itself, and what is there may be gone until then.
  void Socket(const Place& place) {
    struct stat info {};
    if (purpose_ == PathsFor::kCheck && ::lstat(place.path.c_str(), &info) == 0 &&
        !S_ISSOCK(info.st_mode)) {
      errors_.push_back({place.position, place.label +
                                             ": what is there is not a socket, expected a socket "
                                             "or nothing"});
      return;
    }
    Directory(place);
  }

  void Directory(const Place& place) {
    const std::string directory = FolderOf(place.path);
    const int error = ErrorOfMakingIn(directory);
    if (error == ENOENT && IsMadeBySystemd(directory)) return;
    const std::string what = place.label + ": directory " + directory + " cannot be written: ";
    if (Add(place.position, what, error)) Remember(directory);
  }

  // When the service is started, if there is one.
  bool IsMadeBySystemd(const std::string& directory) const {
    return purpose_ == PathsFor::kCheck &&
           std::find(kMadeBySystemd.begin(), kMadeBySystemd.end(), directory) !=
               kMadeBySystemd.end() &&
           FindServiceUnit(UnitDirectories());
  }

  void Remember(const std::string& directory) {
    if (std::find(directories_.begin(), directories_.end(), directory) == directories_.end())
      directories_.push_back(directory);
  }

  bool Add(const SourcePosition& position, const std::string& what, int error) {
    if (!IsLasting(error)) return false;
    const bool of_rights = error == EACCES || error == EPERM;
    if (of_rights && purpose_ == PathsFor::kCheck && ::geteuid() != 0) return false;
    errors_.push_back({position, what + std::generic_category().message(error)});
    return true;
  }

  const PathsFor purpose_;
  std::vector<ConfigError> errors_;
  std::vector<std::string> directories_;  // of what cannot be written, each once
};

}  // namespace

PathErrors CheckPaths(const Config& config, PathsFor purpose) {
  PathChecker checker(purpose);
  for (const Place& place : PlacesOf(config)) checker.Check(place);
  checker.Add(CheckPlaces(config));
  return std::move(checker).Take();
}

Status CheckCoversOrAdvise(const SandboxPlan& left, const SandboxPlan& needed) {
  const Status status = CheckCovers(left, needed);
  if (status.ok()) return status;
  const std::string drop_in = DropIn(FoldersOutside(left, needed));
  return drop_in.empty() ? status : Status(status.code(), status.message() + "; " + drop_in);
}

}  // namespace proxyd
