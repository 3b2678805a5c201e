// SPDX-License-Identifier: Apache-2.0
#include "discovery/bundle.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "discovery/bundle_json.h"
#include "discovery/found_text.h"
#include "discovery/trusted_file.h"

namespace proxyd {

using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

constexpr const char* kBootstrap = "bootstrap.json";
constexpr const char* kAddress = "address";
constexpr const char* kSandbox = "sandbox";
constexpr const char* kConfigJson = "config.json";

// Both name the sandbox of a task of containerd 1.x. CRI writes the first one.
constexpr std::array<const char*, 2> kGroupKeys = {"io.kubernetes.cri.sandbox-id",
                                                   "io.containerd.runc.v2.group"};

// The errors of a shortage, of descriptors for example, are those without a code of their own.
bool IsShortage(const Status& status) { return status.code() == StatusCode::kUnknown; }

bool IsMissing(const Status& status) { return status.code() == StatusCode::kNotFound; }

// An empty file counts as missing: its writer has created it, but has not written to it yet.
Result<std::string> ReadWritten(int directory, const char* name) {
  Result<std::string> content = ReadTrustedFile(directory, name, kMostBundleFile);
  if (content && WithoutSpace(*content).empty()) {
    return Status(StatusCode::kNotFound, std::string(name) + " is empty");
  }
  return content;
}

// Returns the text of the address and the file that has it.
Result<std::string> ReadAddressText(int directory, const char** file) {
  *file = kBootstrap;
  Result<std::string> bootstrap = ReadWritten(directory, kBootstrap);
  if (bootstrap) {
    Result<std::string> text = ParseBootstrap(*bootstrap);
    if (text) return text;
    return Status(text.error().code(), std::string(kBootstrap) + ": " + text.error().message());
  }
  if (!IsMissing(bootstrap.error())) return bootstrap;
  *file = kAddress;
  return ReadWritten(directory, kAddress);
}

// The files of a directory count only if nobody else can replace them.
Status CheckDirectory(int directory) {
  struct stat info {};
  if (::fstat(directory, &info) != 0) return ttrpc::ErrnoStatus(errno, "the bundle");
  return CheckTrusted(info, "the bundle");
}

// Reads config.json. `group` becomes the id of the sandbox whose shim of containerd 1.x serves the
// task, or "".
bool ReadAnnotations(int directory, const std::set<std::string>& wanted, Workload* workload,
                     std::string* group) {
  const Result<std::string> content = ReadTrustedFile(directory, kConfigJson, kMostConfigJson);
  if (!content) {
    if (!IsMissing(content.error())) workload->config_problem = content.error().message();
    return IsShortage(content.error());
  }
  std::set<std::string> keys = wanted;
  keys.emplace(kPodNameAnnotation);
  keys.emplace(kPodNamespaceAnnotation);
  keys.insert(kGroupKeys.begin(), kGroupKeys.end());
  Result<Annotations> found = ParseAnnotations(*content, keys);
  if (!found) {
    workload->config_problem = std::string(kConfigJson) + ": " + found.error().message();
    return false;
  }
  for (const char* key : kGroupKeys) {
    const auto entry = found->find(key);
    if (entry == found->end()) continue;
    if (group->empty()) *group = entry->second;
    if (!wanted.contains(key)) found->erase(entry);
  }
  if (!found->empty()) {
    workload->annotations = std::make_shared<const Annotations>(*std::move(found));
  }
  return false;
}

// Reads the id of the sandbox. `group` counts if there is no file with it.
Status ReadSandbox(int directory, const std::string& group, Workload* workload) {
  const Result<std::string> written = ReadWritten(directory, kSandbox);
  if (!written && !IsMissing(written.error())) return written.error();
  std::string sandbox = written ? std::string(WithoutSpace(*written)) : group;
  if (sandbox == workload->key.id) return {};
  if (!sandbox.empty() && !ProblemOfName(sandbox).empty()) {
    return {StatusCode::kInvalidArgument, "its sandbox " + ShownText(sandbox) + " is not an id"};
  }
  workload->sandbox = std::move(sandbox);
  return {};
}

// Returns whether a resource ran out. The workload cannot be used because of `problem`.
bool Refuse(Workload* workload, const Status& problem) {
  workload->address.reset();
  workload->why = problem.message();
  return IsShortage(problem);
}

}  // namespace

bool IsBundleFile(std::string_view name) {
  return name == kBootstrap || name == kAddress || name == kSandbox || name == kConfigJson;
}

bool ReadBundle(int directory, const std::set<std::string>& wanted, Workload* workload) {
  if (Status status = CheckDirectory(directory); !status.ok()) return Refuse(workload, status);
  const char* file = nullptr;
  const Result<std::string> text = ReadAddressText(directory, &file);
  if (!text && IsMissing(text.error())) return false;
  std::string group;
  const bool again = ReadAnnotations(directory, wanted, workload, &group);
  if (!text) return Refuse(workload, text.error()) || again;
  Result<ttrpc::Address> address = ParseFoundAddress(*text);
  if (!address) {
    return Refuse(workload, {StatusCode::kInvalidArgument, std::string(file) + ": address " +
                                                               ShownText(WithoutSpace(*text)) +
                                                               ": " + address.error().message()}) ||
           again;
  }
  workload->address = *std::move(address);
  // The group counts only for shims that write no bootstrap.json. containerd writes `sandbox`
  // before that file, so it is read after it.
  if (file != kAddress) group.clear();
  const Status sandbox = ReadSandbox(directory, group, workload);
  return (!sandbox.ok() && Refuse(workload, sandbox)) || again;
}

}  // namespace proxyd
