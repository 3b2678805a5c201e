// SPDX-License-Identifier: Apache-2.0
#include "discovery/bundle.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string_view>
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

}  // namespace

bool IsBundleFile(std::string_view name) {
  return name == kBootstrap || name == kAddress || name == kSandbox || name == kConfigJson;
}

BundleAnnotations ReadBundleAnnotations(int directory, const std::set<std::string>& wanted) {
  BundleAnnotations result;
  if (!CheckDirectory(directory).ok()) return result;  // the address says what is wrong
  const Result<std::string> content = ReadTrustedFile(directory, kConfigJson, kMostConfigJson);
  if (!content) {
    if (!IsMissing(content.error())) result.problem = content.error().message();
    result.again = IsShortage(content.error());
    return result;
  }
  std::set<std::string> keys = wanted;
  keys.emplace(kPodNameAnnotation);
  keys.emplace(kPodNamespaceAnnotation);
  keys.insert(kGroupKeys.begin(), kGroupKeys.end());
  Result<Annotations> found = ParseAnnotations(*content, keys);
  if (!found) {
    result.problem = std::string(kConfigJson) + ": " + found.error().message();
    return result;
  }
  for (const char* key : kGroupKeys) {
    const auto group = found->find(key);
    if (group == found->end()) continue;
    if (result.group.empty()) result.group = group->second;
    if (!wanted.contains(key)) found->erase(group);
  }
  if (!found->empty()) result.wanted = std::make_shared<const Annotations>(*std::move(found));
  return result;
}

BundleAddress ReadBundleAddress(int directory, const std::string& id, const std::string& group) {
  BundleAddress result;
  if (Status status = CheckDirectory(directory); !status.ok()) {
    result.why = status.message();
    return result;
  }
  const char* file = nullptr;
  const Result<std::string> text = ReadAddressText(directory, &file);
  if (!text) {
    if (!IsMissing(text.error())) result.why = text.error().message();
    result.again = IsShortage(text.error());
    return result;
  }
  Result<ttrpc::Address> address = ParseFoundAddress(*text);
  if (!address) {
    result.why = std::string(file) + ": address " + ShownText(WithoutSpace(*text)) + ": " +
                 address.error().message();
    return result;
  }
  // containerd writes `sandbox` before bootstrap.json, so it is read after it.
  const Result<std::string> sandbox = ReadWritten(directory, kSandbox);
  if (sandbox) {
    result.sandbox = WithoutSpace(*sandbox);
  } else if (!IsMissing(sandbox.error())) {
    result.why = sandbox.error().message();
    result.again = IsShortage(sandbox.error());
    return result;
  } else if (file == kAddress) {
    result.sandbox = group;
  }
  if (result.sandbox == id) result.sandbox.clear();
  if (!result.sandbox.empty() && !ProblemOfName(result.sandbox).empty()) {
    result.why = "its sandbox " + ShownText(result.sandbox) + " is not an id";
    result.sandbox.clear();
    return result;
  }
  result.address = *std::move(address);
  return result;
}

}  // namespace proxyd
