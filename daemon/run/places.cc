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
#include "config/socket_template.h"
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
                     .kind = Place::Kind::kFile});
}

void AddSocket(const SourcePosition& position, const std::string& owner, const Address& address,
               std::vector<Place>* places) {
  if (address.kind() != Address::Kind::kUnixPath) return;
  places->push_back({.position = position,
                     .label = owner + " " + address.ToString(),
                     .path = std::string(address.name()),
                     .kind = Place::Kind::kSocket});
}

void AddListener(const ListenerConfig& listener, std::vector<Place>* places) {
  const std::string owner = "listener \"" + listener.name + "\"";
  if (const auto* address = std::get_if<Address>(&listener.address))
    AddSocket(listener.position, owner, *address, places);
  if (const auto* fronts = std::get_if<SocketTemplate>(&listener.address)) {
    places->push_back({.position = listener.position,
                       .label = owner + " " + ToString(listener.address),
                       .path = FrontBaseOf(*fronts),
                       .kind = Place::Kind::kFronts});
  }
  if (!listener.discovery) return;
  const bool in_bundles = listener.discovery->source == DiscoverySource::kContainerd;
  for (const std::string& folder : listener.discovery->directories) {
    places->push_back({.position = listener.position,
                       .label = owner + " discovers in " + folder,
                       .path = in_bundles ? folder + "/io.containerd.runtime.v2.task" : folder,
                       .kind = Place::Kind::kSource});
  }
}

bool IsDirectory(const Place& place) {
  return place.kind == Place::Kind::kFronts || place.kind == Place::Kind::kSource;
}

// Returns the directory that a place is or is in.
std::string DirectoryOf(const Place& place) {
  return IsDirectory(place) ? place.path : FolderOf(place.path);
}

// Returns the same key for each spelling of a path, whether or not the path exists. The key of a
// path, but not of a file with several names, begins with that of its directory.
std::string KeyOf(const Place& place) {
  struct stat info {};
  // A file may have several names (hard links). A socket's place is its path, even if none exists.
  if (place.kind == Place::Kind::kFile && ::stat(place.path.c_str(), &info) == 0 &&
      S_ISREG(info.st_mode))
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  std::error_code error;
  const std::string spelled = DirectoryOf(place);
  std::filesystem::path folder = std::filesystem::weakly_canonical(spelled, error);
  if (error) folder = spelled;
  if (IsDirectory(place)) return folder.string();
  return (folder / place.path.substr(place.path.rfind('/') + 1)).string();
}

bool IsDeviceOrPipe(const Place& place) {
  struct stat info {};
  return place.kind == Place::Kind::kFile && ::stat(place.path.c_str(), &info) == 0 &&
         (S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode));
}

// Whether only root, the daemon's user and an entry's owner can rename or remove it there.
bool KeepsOthersEntries(const std::string& directory) {
  struct stat info {};
  return ::stat(directory.c_str(), &info) == 0 && (info.st_mode & S_ISVTX) != 0 &&
         (info.st_uid == 0 || info.st_uid == ::geteuid());
}

// Returns the place of fronts whose directory is above the key, or null.
const Place* FrontsAround(const std::string& key, const std::map<std::string, Place>& places) {
  for (size_t slash = key.rfind('/'); slash != key.npos && slash > 0;
       slash = key.rfind('/', slash - 1)) {
    const auto found = places.find(key.substr(0, slash));
    if (found != places.end() && found->second.kind == Place::Kind::kFronts) return &found->second;
  }
  return nullptr;
}

class PlaceLinter {
 public:
  void Check(const Place& place) {
    if (place.kind == Place::Kind::kFile) CheckFile(place);
    // Check the real path up to the root: a user who may rename a directory on the way chooses what
    // is at the place.
    std::error_code error;
    std::filesystem::path directory = std::filesystem::weakly_canonical(DirectoryOf(place), error);
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
    if (Denies(status)) Warn(place, "the file " + status.message());
  }

  // Reports a directory once for each kind of place, however many of them are in it.
  void CheckDirectory(const Place& place, const std::string& directory) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) != 0) return;
    const Status status = CheckWriters(directory);
    if (!Denies(status) || !reported_.emplace(directory, place.kind).second) return;
    Warn(place, "directory " + directory + " " + status.message() +
                    "; otherwise another user can " + HarmOf(place.kind));
  }

  static std::string HarmOf(Place::Kind kind) {
    switch (kind) {
      case Place::Kind::kSocket:
        return "lock the socket's lock file and keep the daemon from listening";
      case Place::Kind::kFronts:
        return "replace the sockets of workloads";
      case Place::Kind::kSource:
        return "add workloads and choose their names";
      case Place::Kind::kFile:
        break;
    }
    return "replace the file";
  }

  void Warn(const Place& place, const std::string& what) {
    warnings_.push_back(ConfigWarning(place.position, place.label + ": " + what));
  }

  std::set<std::pair<std::string, Place::Kind>> reported_;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<Place> PlacesOf(const Config& config) {
  std::vector<Place> places;
  if (config.log.target == LogConfig::Target::kFile)
    AddFile(config, "[log]", config.log.path, &places);
  if (config.audit.target == AuditConfig::Target::kFile)
    AddFile(config, "[audit]", config.audit.path, &places);
  for (const ListenerConfig& listener : config.listeners) AddListener(listener, &places);
  if (config.admin) AddSocket(config.admin->position, "[admin]", config.admin->address, &places);
  if (config.metrics) {
    if (const auto* address = std::get_if<Address>(&config.metrics->address))
      AddSocket(config.metrics->position, "[metrics]", *address, &places);
  }
  return places;
}

std::vector<ConfigError> CheckPlaces(const Config& config) {
  const std::vector<Place> places = PlacesOf(config);
  std::vector<ConfigError> errors;
  std::map<std::string, Place> first;  // by key
  for (const Place& place : places) {
    if (place.kind == Place::Kind::kSource || IsDeviceOrPipe(place)) continue;
    const auto [earlier, is_new] = first.emplace(KeyOf(place), place);
    if (is_new) continue;
    errors.push_back({place.position, place.label + " is at the same place as " +
                                          earlier->second.label + "; use another path"});
  }
  for (const auto& [key, place] : first) {
    const Place* const around = FrontsAround(key, first);
    if (around == nullptr) continue;
    errors.push_back({place.position, place.label + " is in the directory of the sockets of " +
                                          around->label + "; use another path"});
  }
  // The daemon would take its own sockets for workloads.
  for (const Place& place : places) {
    if (place.kind != Place::Kind::kSource) continue;
    const Place* const around = FrontsAround(KeyOf(place) + "/", first);
    if (around == nullptr) continue;
    errors.push_back({place.position, place.label + ", which has the sockets of " + around->label +
                                          "; use another path"});
  }
  return errors;
}

std::vector<ConfigError> LintPlaces(const Config& config) {
  PlaceLinter linter;
  for (const Place& place : PlacesOf(config)) linter.Check(place);
  std::vector<ConfigError> warnings = std::move(linter).Take();
  struct stat info {};
  if (config.log.target == LogConfig::Target::kJournal && ::stat(kJournal, &info) != 0) {
    warnings.push_back(
        ConfigWarning({.file = config.file},
                      std::string("[log] target is \"journal\", but no journald listens at ") +
                          kJournal + "; start journald or use another target"));
  }
  return warnings;
}

}  // namespace proxyd
