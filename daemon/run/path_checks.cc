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

// systemd makes these for the unit, as its RuntimeDirectory= and LogsDirectory= name them.
constexpr std::array<std::string_view, 2> kMadeBySystemd = {"/run/ttrpc-proxy",
                                                            "/var/log/ttrpc-proxy"};

int AccessError(const std::string& path, int mode) {
  return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0 ? 0 : errno;
}

// Returns the errno with which making a file in `directory` would fail, or 0.
int ErrorOfMakingIn(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return errno;
  return S_ISDIR(info.st_mode) ? AccessError(directory, W_OK | X_OK) : ENOTDIR;
}

// Whether an error stays until somebody acts. The daemon reports any other when it meets it.
bool IsLasting(int error) {
  constexpr std::array kLasting = {EACCES,  EISDIR, ELOOP, ENAMETOOLONG, ENOENT,
                                   ENOTDIR, ENXIO,  EPERM, EROFS};
  return std::find(kLasting.begin(), kLasting.end(), error) != kLasting.end();
}

// Returns the setting that makes those of `directories` writable that are read-only, or "". A
// directory that does not exist is not named: with it in the setting, systemd would not start the
// service at all.
std::string DropIn(const std::vector<std::string>& directories) {
  std::string paths;
  for (const std::string& directory : directories) {
    if (AccessError(directory, W_OK) == EROFS)
      paths.append(paths.empty() ? "" : " ").append(directory);
  }
  if (paths.empty()) return {};
  return "ReadWritePaths=" + paths + " in a drop-in (systemctl edit ttrpc-proxy.service)";
}

// Returns what to do about a lasting error of using a path.
std::string AdviceFor(int error) {
  switch (error) {
    case ENOENT:
      return "create it";
    case EACCES:
    case EPERM:
      return "change its owner or its mode";
    case EROFS:
      return "make it writable";
    default:
      return "use another path";
  }
}

class PathChecker {
 public:
  explicit PathChecker(PathsFor purpose) : purpose_(purpose) {}

  void Check(const Place& place) {
    switch (place.kind) {
      case Place::Kind::kFile:
        return File(place);
      case Place::Kind::kSocket:
        return Socket(place);
      case Place::Kind::kFronts:
        return Fronts(place);
      case Place::Kind::kSource:
        return;  // it may be made at any time
    }
  }

  void Add(std::vector<ConfigError> errors) {
    std::move(errors.begin(), errors.end(), std::back_inserter(errors_));
  }

  PathErrors Take() && {
    const std::string drop_in = DropIn(directories_);
    return {.errors = std::move(errors_),
            .drop_in = drop_in.empty() ? "" : "the service needs " + drop_in};
  }

 private:
  // The daemon appends to a file that exists, so its directory need not be writable.
  void File(const Place& place) {
    struct stat info {};
    if (::lstat(place.path.c_str(), &info) != 0) return Directory(place);
    int error = 0;
    if (S_ISLNK(info.st_mode)) {
      error = ELOOP;  // the daemon does not follow links
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

  // A start does not check for other files at the path: it fails when it binds the socket.
  void Socket(const Place& place) {
    struct stat info {};
    if (purpose_ == PathsFor::kCheck && ::lstat(place.path.c_str(), &info) == 0 &&
        !S_ISSOCK(info.st_mode)) {
      errors_.push_back({place.position, place.label +
                                             ": the path exists and is not a socket; remove it or "
                                             "use another path"});
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

  // The daemon makes this directory and those above it, so the nearest one that exists counts.
  void Fronts(const Place& place) {
    std::string above = place.path;
    while (above != "/" && AccessError(above, F_OK) == ENOENT) above = FolderOf(above);
    const int error = ErrorOfMakingIn(above);
    const std::string what = place.label + ": directory " + place.path + " cannot be " +
                             (AccessError(place.path, F_OK) == 0 ? "written: " : "made: ");
    // To make all of the directory above writable would be too much.
    const bool read_only = error == EROFS && above != place.path;
    const std::string advice = read_only ? "use a directory below /run/ttrpc-proxy" : "";
    if (Add(place.position, what, error, advice) && !read_only) Remember(above);
  }

  // Whether systemd will make the directory when it starts the installed service.
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

  bool Add(const SourcePosition& position, const std::string& what, int error,
           const std::string& advice = "") {
    if (!IsLasting(error)) return false;
    const bool of_rights = error == EACCES || error == EPERM;
    if (of_rights && purpose_ == PathsFor::kCheck && ::geteuid() != 0) return false;
    errors_.push_back({position, what + std::generic_category().message(error) + "; " +
                                     (advice.empty() ? AdviceFor(error) : advice)});
    return true;
  }

  const PathsFor purpose_;
  std::vector<ConfigError> errors_;
  std::vector<std::string> directories_;  // those that cannot be written, each once
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
  const std::vector<std::string> outside = FoldersOutside(left, needed);
  const std::vector<std::string>& made = needed.front_folders;  // the daemon makes these itself
  for (const std::string& directory : outside) {
    const bool is_made = std::find(made.begin(), made.end(), directory) != made.end();
    if (!is_made && AccessError(directory, F_OK) == ENOENT)
      return {status.code(), "directory " + directory + " does not exist; create it"};
  }
  const std::string drop_in = DropIn(outside);
  return drop_in.empty()
             ? status
             : Status(status.code(), status.message() + "; the service needs " + drop_in);
}

}  // namespace proxyd
