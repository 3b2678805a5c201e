// SPDX-License-Identifier: Apache-2.0
#include "discovery/front_path.h"

#include <algorithm>

#include "config/socket_template.h"

namespace proxyd {

using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

Status BadPath(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

// Returns the names in a path, from a position that is behind a slash.
std::vector<std::string> NamesFrom(std::string_view path, size_t begin) {
  std::vector<std::string> names;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    names.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

}  // namespace

FrontPath::FrontPath(const SocketTemplate& front)
    : front_(front), base_(FrontBaseOf(front)), parts_(NamesFrom(front.path, base_.size() + 1)) {
  if (base_.empty()) base_ = "/";
}

Result<std::vector<std::string>> FrontPath::NamesFor(const WorkloadKey& key) const {
  const std::string path = PathOf(front_, key.name_space, key.id);
  std::vector<std::string> names = NamesBelowBase(path);
  if (names.empty()) return BadPath("its name has a slash");
  for (const std::string& name : names) {
    if (name.empty() || name == "." || name == "..") {
      return BadPath("its socket would have the name \"" + name + "\"");
    }
  }
  if (names.front() == kLockFile) return BadPath("its socket would replace the lock file");
  if (path.size() > kMostBytes) {
    return BadPath("the path of its socket would have " + std::to_string(path.size()) +
                   " bytes; use an address that leaves more room, since a socket has at most " +
                   std::to_string(kMostBytes));
  }
  return names;
}

std::vector<std::string> FrontPath::NamesBelowBase(const std::string& path) const {
  const std::string above = base_ == "/" ? base_ : base_ + "/";
  if (!path.starts_with(above)) return {};
  std::vector<std::string> names = NamesFrom(path, above.size());
  if (names.size() != depth()) names.clear();
  return names;
}

bool FrontPath::MayBeOurs(size_t part, std::string_view name) const {
  const std::string_view text = parts_[part];
  const size_t open = text.find('{');
  if (open == std::string_view::npos) return name == text;
  const std::string_view begin = text.substr(0, open);
  const std::string_view end = text.substr(text.rfind('}') + 1);
  return name.size() > begin.size() + end.size() && name.starts_with(begin) && name.ends_with(end);
}

std::string JoinedPath(const std::string& base, const std::vector<std::string>& names) {
  std::string path = base == "/" ? "" : base;
  for (const std::string& name : names) path.append("/").append(name);
  return path;
}

}  // namespace proxyd
