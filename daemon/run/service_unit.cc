// SPDX-License-Identifier: Apache-2.0
#include "run/service_unit.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <sstream>
#include <string_view>
#include <system_error>

namespace proxyd {

namespace {

namespace fs = std::filesystem;

constexpr char kUnit[] = "ttrpc-proxy.service";
constexpr const char* kDirectories[] = {
    "/etc/systemd/system.control",   "/run/systemd/system.control",  "/run/systemd/transient",
    "/etc/systemd/system",           "/etc/systemd/system.attached", "/run/systemd/system",
    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",      "/lib/systemd/system",
};

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Parses `LIMIT` or `SOFT:HARD`. Returns nothing if the value is neither.
std::optional<uint64_t> ParseHardLimit(std::string_view value) {
  if (const size_t colon = value.find(':'); colon != value.npos) value.remove_prefix(colon + 1);
  if (value == "infinity") return std::numeric_limits<uint64_t>::max();
  uint64_t limit = 0;
  const char* const end = value.data() + value.size();
  const auto [last, error] = std::from_chars(value.data(), end, limit);
  return error == std::errc() && last == end ? std::optional(limit) : std::nullopt;
}

// A value that is not a number leaves the limit as it is; systemd ignores it, too.
void ReadUnitFile(const fs::path& path, ServiceUnit* unit) {
  constexpr std::string_view kKey = "LimitNOFILE";
  std::ifstream file(path);
  bool in_service = false;
  for (std::string text; std::getline(file, text);) {
    const std::string_view line = Trimmed(text);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') in_service = line == "[Service]";
    const size_t equals = line.find('=');
    if (!in_service || equals == line.npos || Trimmed(line.substr(0, equals)) != kKey) continue;
    const std::string_view value = Trimmed(line.substr(equals + 1));
    if (value.empty()) {
      unit->most_descriptors.reset();
    } else if (const auto limit = ParseHardLimit(value)) {
      unit->most_descriptors = limit;
    }
  }
}

// Returns drop-ins by name. If several directories have one name, the first directory's counts.
std::map<std::string, fs::path> DropIns(const std::vector<std::string>& directories) {
  std::map<std::string, fs::path> drop_ins;
  for (const std::string& directory : directories) {
    for (const std::string& folder : {std::string(kUnit) + ".d", std::string("service.d")}) {
      std::error_code ignored;
      for (fs::directory_iterator entry(fs::path(directory) / folder, ignored), end; entry != end;
           entry.increment(ignored)) {
        if (entry->path().extension() == ".conf")
          drop_ins.emplace(entry->path().filename().string(), entry->path());
      }
    }
  }
  return drop_ins;
}

}  // namespace

std::vector<std::string> UnitDirectories() {
  std::vector<std::string> directories;
  const char* given = std::getenv("SYSTEMD_UNIT_PATH");  // NOLINT(concurrency-mt-unsafe)
  std::istringstream list(given != nullptr ? given : "");
  for (std::string directory; std::getline(list, directory, ':');) {
    if (!directory.empty()) directories.push_back(directory);
  }
  // A colon at the end adds the usual ones.
  if (given == nullptr || std::string_view(given).empty() || std::string_view(given).back() == ':')
    directories.insert(directories.end(), std::begin(kDirectories), std::end(kDirectories));
  return directories;
}

std::optional<ServiceUnit> FindServiceUnit(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    const fs::path path = fs::path(directory) / kUnit;
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    if (!fs::is_regular_file(path, error)) return std::nullopt;  // masked: a link to /dev/null
    ServiceUnit unit;
    ReadUnitFile(path, &unit);
    for (const auto& [name, drop_in] : DropIns(directories)) ReadUnitFile(drop_in, &unit);
    return unit;
  }
  return std::nullopt;
}

}  // namespace proxyd
