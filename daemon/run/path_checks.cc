// SPDX-License-Identifier: Apache-2.0
#include "run/path_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace proxyd {

namespace {

using ttrpc::Address;
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

  // A file that lines are appended to. Where it exists its directory does not matter.
  void File(const SourcePosition& position, const std::string& label, const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
      return Directory(position, label + " file:" + path, FolderOf(path));
    }
    int error = 0;
    if (S_ISLNK(info.st_mode)) {
      error = ELOOP;  // it is not followed
    } else if (S_ISDIR(info.st_mode)) {
      error = EISDIR;
    } else if (S_ISSOCK(info.st_mode)) {
      error = ENXIO;
    } else {
      error = AccessError(path, W_OK);
    }
    const std::string what = label + " file:" + path + ": the file cannot be written: ";
    if (Add(position, what, error)) Remember(FolderOf(path));
  }

  void Socket(const SourcePosition& position, const std::string& label, const Address& address) {
    if (address.kind() == Address::Kind::kUnixPath)
      Directory(position, label + " " + address.ToString(), FolderOf(address.name()));
  }

  PathErrors Take() && { return {.errors = std::move(errors_), .drop_in = DropIn(directories_)}; }

 private:
  void Directory(const SourcePosition& position, const std::string& what,
                 const std::string& directory) {
    const int error = ErrorOfMakingIn(directory);
    if (error == ENOENT && purpose_ == PathsFor::kCheck &&
        std::find(kMadeBySystemd.begin(), kMadeBySystemd.end(), directory) != kMadeBySystemd.end())
      return;
    if (Add(position, what + ": directory " + directory + " cannot be written: ", error))
      Remember(directory);
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
  const SourcePosition whole = {.file = config.file};
  if (config.log.target == LogConfig::Target::kFile)
    checker.File(whole, "[log] target", config.log.path);
  if (config.audit.target == AuditConfig::Target::kFile)
    checker.File(whole, "[audit] target", config.audit.path);
  for (const ListenerConfig& listener : config.listeners) {
    if (const auto* address = std::get_if<Address>(&listener.address))
      checker.Socket(listener.position, "listener \"" + listener.name + "\"", *address);
  }
  if (config.admin) checker.Socket(config.admin->position, "[admin]", config.admin->address);
  if (config.metrics) {
    if (const auto* address = std::get_if<Address>(&config.metrics->address))
      checker.Socket(config.metrics->position, "[metrics]", *address);
  }
  return std::move(checker).Take();
}

Status CheckCoversOrAdvise(const SandboxPlan& left, const SandboxPlan& needed) {
  const Status status = CheckCovers(left, needed);
  if (status.ok()) return status;
  const std::string drop_in = DropIn(FoldersOutside(left, needed));
  return drop_in.empty() ? status : Status(status.code(), status.message() + "; " + drop_in);
}

}  // namespace proxyd
