// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox_plan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <variant>

#include "config/socket_template.h"

namespace proxyd {

namespace {

using ttrpc::Address;
using ttrpc::Status;

void AddOnce(const std::string& folder, std::vector<std::string>* folders) {
  if (std::find(folders->begin(), folders->end(), folder) == folders->end())
    folders->push_back(folder);
}

void AddFolderOf(const std::string& path, std::vector<std::string>* folders) {
  AddOnce(FolderOf(path), folders);
}

void AddAccess(const SocketAccess& access, SandboxPlan* plan) {
  const bool given_away = access.owner && *access.owner != ::geteuid();
  plan->owners |= given_away || (access.group && *access.group != ::getegid());
  plan->foreign_sockets |= given_away;
  // A start connects to the socket that a killed daemon left behind, to see that nobody listens.
  plan->foreign_files |= given_away || (access.mode & S_IWUSR) == 0;
}

void AddSocket(const Address& address, const SocketAccess& access, SandboxPlan* plan) {
  if (address.kind() != Address::Kind::kUnixPath) return;
  AddFolderOf(address.name(), &plan->socket_folders);
  AddAccess(access, plan);
}

void AddSource(const DiscoveryConfig& source, SandboxPlan* plan) {
  plan->discovery = true;
  // Only the files of a containerd bundle are read. The other sources are names of sockets.
  std::vector<std::string>& folders =
      source.source == DiscoverySource::kContainerd ? plan->read_folders : plan->list_folders;
  for (const std::string& folder : source.directories) AddOnce(folder, &folders);
  // A shim or an agent may say that its address is in a virtual machine.
  plan->vsock |= source.source != DiscoverySource::kDirectory;
}

void AddListener(const ListenerConfig& listener, SandboxPlan* plan) {
  if (const auto* address = std::get_if<Address>(&listener.address))
    AddSocket(*address, listener.access, plan);
  if (const auto* fronts = std::get_if<SocketTemplate>(&listener.address)) {
    AddOnce(FrontBaseOf(*fronts), &plan->front_folders);
    AddAccess(listener.access, plan);
  }
  if (listener.discovery) AddSource(*listener.discovery, plan);
}

void AddBackend(const BackendConfig& backend, SandboxPlan* plan) {
  for (const Address& address : backend.addresses)
    plan->vsock |= address.kind() == Address::Kind::kVsock;
  // The sockets of workloads are not known yet, and a shim makes its directory with mode 0600,
  // which even root cannot enter without a capability.
  plan->foreign_files |= backend.discovered;
  plan->foreign_files |= std::any_of(backend.users.begin(), backend.users.end(),
                                     [](uid_t uid) { return uid != ::geteuid(); });
}

bool IsIn(std::string_view folder, std::string_view other) {
  if (other == "/" || folder == other) return true;
  return folder.starts_with(other) && folder[other.size()] == '/';
}

bool IsInAny(const std::string& folder, const std::vector<std::string>& others) {
  return std::any_of(others.begin(), others.end(),
                     [&folder](const std::string& other) { return IsIn(folder, other); });
}

Status OutsideOf(const std::string& what) {
  return {ttrpc::StatusCode::kFailedPrecondition,
          "needs a restart: " + what + " outside the sandbox"};
}

}  // namespace

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_not_of('/', path.rfind('/'));
  return slash == path.npos ? "/" : path.substr(0, slash + 1);
}

SandboxPlan PlanSandbox(const Config& config) {
  SandboxPlan plan;
  if (config.log.target == LogConfig::Target::kFile)
    AddFolderOf(config.log.path, &plan.log_folders);
  if (config.audit.target == AuditConfig::Target::kFile)
    AddFolderOf(config.audit.path, &plan.log_folders);
  for (const ListenerConfig& listener : config.listeners) AddListener(listener, &plan);
  if (config.admin) AddSocket(config.admin->address, config.admin->access, &plan);
  if (config.metrics) {
    const auto* address = std::get_if<Address>(&config.metrics->address);
    if (address != nullptr) AddSocket(*address, config.metrics->access, &plan);
    plan.tcp = address == nullptr;
  }
  for (const BackendConfig& backend : config.backends) AddBackend(backend, &plan);
  return plan;
}

std::vector<std::string> FoldersOutside(const SandboxPlan& left, const SandboxPlan& needed) {
  std::vector<std::string> outside;
  const auto makes_directories = [&left](const std::string& folder) {
    return IsInAny(folder, left.front_folders);
  };
  const auto makes_sockets = [&](const std::string& folder) {
    return IsInAny(folder, left.socket_folders) || makes_directories(folder);
  };
  for (const std::string& folder : needed.log_folders) {
    if (!IsInAny(folder, left.log_folders) && !makes_sockets(folder)) AddOnce(folder, &outside);
  }
  for (const std::string& folder : needed.socket_folders) {
    if (!makes_sockets(folder)) AddOnce(folder, &outside);
  }
  for (const std::string& folder : needed.front_folders) {
    if (!makes_directories(folder)) AddOnce(folder, &outside);
  }
  return outside;
}

Status CheckCovers(const SandboxPlan& left, const SandboxPlan& needed) {
  const std::vector<std::string> folders = FoldersOutside(left, needed);
  if (!folders.empty()) return OutsideOf(folders.front() + " is");
  for (const std::string& folder : needed.read_folders) {
    if (!IsInAny(folder, left.read_folders)) return OutsideOf(folder + " is");
  }
  for (const std::string& folder : needed.list_folders) {
    if (!IsInAny(folder, left.list_folders) && !IsInAny(folder, left.read_folders))
      return OutsideOf(folder + " is");
  }
  if (needed.discovery && !left.discovery) return OutsideOf("discovery is");
  if (needed.vsock && !left.vsock) return OutsideOf("vsock sockets are");
  if (needed.tcp && !left.tcp) return OutsideOf("tcp sockets are");
  if ((needed.owners && !left.owners) || (needed.foreign_sockets && !left.foreign_sockets))
    return OutsideOf("owners of sockets are");
  if (needed.foreign_files && !left.foreign_files) return OutsideOf("files of other users are");
  return {};
}

}  // namespace proxyd
