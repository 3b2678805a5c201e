// SPDX-License-Identifier: Apache-2.0
#include "discovery/front_path.h"

#include <algorithm>

namespace proxyd {

using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

Status BadPath(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

// Replaces the placeholders, in one pass, so that a value never acts as a placeholder.
std::string Expanded(std::string_view part, const WorkloadKey& key) {
  std::string name;
  while (!part.empty()) {
    const size_t open = std::min(part.find('{'), part.size());
    name.append(part.substr(0, open));
    part.remove_prefix(open);
    const size_t close = part.find('}');
    if (part.empty() || close == std::string_view::npos) break;
    const std::string_view placeholder = part.substr(0, close + 1);
    name.append(placeholder == "{namespace}" ? key.name_space : key.id);
    part.remove_prefix(close + 1);
  }
  return name;
}

}  // namespace

FrontPath::FrontPath(const SocketTemplate& front) {
  const std::string& path = front.path;
  const size_t base = path.rfind('/', path.find('{'));
  base_ = base == 0 ? "/" : path.substr(0, base);
  for (size_t begin = base + 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts_.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
}

Result<std::vector<std::string>> FrontPath::NamesFor(const WorkloadKey& key) const {
  std::vector<std::string> names;
  for (const std::string& part : parts_) {
    names.push_back(Expanded(part, key));
    if (names.back().empty() || names.back() == "." || names.back() == "..") {
      return BadPath("its socket would have the name \"" + names.back() + "\"");
    }
  }
  if (names.front() == kLockFile) return BadPath("its socket would replace the lock file");
  if (const size_t size = JoinedPath(base_, names).size(); size > kMostBytes) {
    return BadPath("the path of its socket would have " + std::to_string(size) +
                   " bytes; use an address that leaves more room, since a socket has at most " +
                   std::to_string(kMostBytes));
  }
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
