// SPDX-License-Identifier: Apache-2.0
#include "run/places.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "config/file_writers.h"
#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

namespace {

using ttrpc::Address;
using ttrpc::Status;

constexpr char kJournal[] = "/run/systemd/journal/socket";

void AddFile(const Config& config, const std::string& section, const std::string& path,
             std::vector<Place>* places) {
  places->push_back({.position = {.file = config.file},
                     .label = section + " target file:" + path,
                     .path = path,
                     .is_socket = false});
}

void AddSocket(const SourcePosition& position, const std::string& owner, const Address& address,
               std::vector<Place>* places) {
  if (address.kind() != Address::Kind::kUnixPath) return;
  places->push_back({.position = position,
                     .label = owner + " " + address.ToString(),
                     .path = std::string(address.name()),
                     .is_socket = true});
}

// The same for each spelling of a path, also of one that is not there yet.
std::string KeyOf(const Place& place) {
  struct stat info {};
  // A file may have several names; whether there is a socket yet does not matter to its place.
  if (!place.is_socket && ::stat(place.path.c_str(), &info) == 0 && S_ISREG(info.st_mode))
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::weakly_canonical(FolderOf(place.path), error);
  const std::string name = place.path.substr(place.path.rfind('/') + 1);
  return ((error ? std::filesystem::path(FolderOf(place.path)) : folder) / name).string();
}

bool IsDeviceOrPipe(const Place& place) {
  struct stat info {};
  return !place.is_socket && ::stat(place.path.c_str(), &info) == 0 &&
         (S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode));
}

// Nobody but root, us and an entry's owner can rename or remove it there.
bool KeepsOthersEntries(const std::string& directory) {
  struct stat info {};
  return ::stat(directory.c_str(), &info) == 0 && (info.st_mode & S_ISVTX) != 0 &&
         (info.st_uid == 0 || info.st_uid == ::geteuid());
}

class PlaceLinter {
 public:
  void Check(const Place& place) {
    if (!place.is_socket) CheckFile(place);
    // By its real name, up to the root: who may rename a directory on the way decides what is
    // there.
    std::error_code error;
    std::filesystem::path directory =
        std::filesystem::weakly_canonical(FolderOf(place.path), error);
    if (error) return;
    CheckDirectory(place, directory.string());
    while (directory.has_relative_path()) {
      directory = directory.parent_path();
      if (!KeepsOthersEntries(directory.string())) CheckDirectory(place, directory.string());
    }
  }

  std::vector<ConfigError> Take() && { return std::move(warnings_); }

 private:
  static bool Denies(const Status& status) {
    return status.code() == ttrpc::StatusCode::kPermissionDenied;
  }

  void CheckFile(const Place& place) {
    struct stat info {};
    if (::stat(place.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
    const Status status = CheckWriters(place.path);
    if (Denies(status))
      warnings_.push_back({place.position, place.label + ": the file " + status.message()});
  }

  // Each once, since all that is in it has the same trouble.
  void CheckDirectory(const Place& place, const std::string& directory) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) != 0) return;
    const Status status = CheckWriters(directory);
    if (!Denies(status) || !reported_.emplace(directory, place.is_socket).second) return;
    warnings_.push_back(
        {place.position,
         place.label + ": directory " + directory + " " + status.message() +
             (place.is_socket ? ": whoever locks the socket's lock file in it keeps "
                                "the daemon from listening"
                              : ": whoever may write it can replace the file")});
  }

  std::set<std::pair<std::string, bool>> reported_;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<Place> PlacesOf(const Config& config) {
  std::vector<Place> places;
  if (config.log.target == LogConfig::Target::kFile)
    AddFile(config, "[log]", config.log.path, &places);
  if (config.audit.target == AuditConfig::Target::kFile)
    AddFile(config, "[audit]", config.audit.path, &places);
  for (const ListenerConfig& listener : config.listeners) {
    if (const auto* address = std::get_if<Address>(&listener.address))
      AddSocket(listener.position, "listener \"" + listener.name + "\"", *address, &places);
  }
  if (config.admin) AddSocket(config.admin->position, "[admin]", config.admin->address, &places);
  if (config.metrics) {
    if (const auto* address = std::get_if<Address>(&config.metrics->address))
      AddSocket(config.metrics->position, "[metrics]", *address, &places);
  }
  return places;
}

std::vector<ConfigError> CheckPlaces(const Config& config) {
  std::vector<ConfigError> errors;
  std::map<std::string, std::string> labels;  // by key
  for (const Place& place : PlacesOf(config)) {
    if (IsDeviceOrPipe(place)) continue;
    const auto [first, is_new] = labels.emplace(KeyOf(place), place.label);
    if (is_new) continue;
    errors.push_back({place.position, place.label + ": the same place as " + first->second +
                                          ", expected one of its own"});
  }
  return errors;
}

std::vector<ConfigError> LintPlaces(const Config& config) {
  PlaceLinter linter;
  for (const Place& place : PlacesOf(config)) linter.Check(place);
  std::vector<ConfigError> warnings = std::move(linter).Take();
  struct stat info {};
  if (config.log.target == LogConfig::Target::kJournal && ::stat(kJournal, &info) != 0) {
    warnings.push_back({{.file = config.file},
                        std::string("[log] target is \"journal\", and no journald listens at ") +
                            kJournal + " here"});
  }
  return warnings;
}

}  // namespace proxyd
