// SPDX-License-Identifier: Apache-2.0
#include "sandbox/reach.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <variant>
#include <vector>

#include "sandbox/sandbox_plan.h"

namespace proxyd {

namespace {

using ttrpc::Address;

// Returns 0, or the errno with which an access of `mode` to `path` fails.
int ErrorOf(const std::string& path, int mode) {
  return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0 ? 0 : errno;
}

bool IsDenied(int error) { return error == EACCES || error == EPERM; }

// Any other error would remain even with more rights.
bool MayUse(const std::string& path, int mode) { return !IsDenied(ErrorOf(path, mode)); }

bool ReachesBackend(const Address& address, Missing missing) {
  const bool at_path =
      address.kind() == Address::Kind::kUnixPath || address.kind() == Address::Kind::kHybridVsock;
  if (!at_path) return true;
  const int error = ErrorOf(address.name(), W_OK);
  if (error == 0) return true;
  return !IsDenied(error) && missing == Missing::kIsReached;
}

bool ReachesOldSocket(const Address* address) {
  if (address == nullptr || address->kind() != Address::Kind::kUnixPath) return true;
  return MayUse(address->name(), W_OK);
}

}  // namespace

bool ReachesOldSockets(const Config& config) {
  return std::all_of(config.listeners.begin(), config.listeners.end(),
                     [](const ListenerConfig& listener) {
                       return ReachesOldSocket(std::get_if<Address>(&listener.address));
                     }) &&
         (!config.admin || ReachesOldSocket(&config.admin->address)) &&
         (!config.metrics || ReachesOldSocket(std::get_if<Address>(&config.metrics->address)));
}

bool Reaches(const Config& config, const std::string& config_path, Missing missing) {
  const SandboxPlan plan = PlanSandbox(config);
  const auto may_make_in = [](const std::string& folder) { return MayUse(folder, W_OK | X_OK); };
  const auto may_read = [](const std::string& folder) { return MayUse(folder, R_OK | X_OK); };
  const bool folders =
      std::all_of(plan.log_folders.begin(), plan.log_folders.end(), may_make_in) &&
      std::all_of(plan.socket_folders.begin(), plan.socket_folders.end(), may_make_in) &&
      std::all_of(plan.front_folders.begin(), plan.front_folders.end(), may_make_in) &&
      std::all_of(plan.read_folders.begin(), plan.read_folders.end(), may_read) &&
      std::all_of(plan.list_folders.begin(), plan.list_folders.end(), may_read);
  const bool files = (config.log.path.empty() || MayUse(config.log.path, W_OK)) &&
                     (config.audit.path.empty() || MayUse(config.audit.path, W_OK));
  const std::filesystem::path more = std::filesystem::path(config_path).parent_path() / "conf.d";
  const bool configuration = MayUse(config_path, R_OK) && MayUse(more.string(), R_OK | X_OK);
  return folders && files && configuration &&
         std::all_of(config.backends.begin(), config.backends.end(),
                     [missing](const BackendConfig& backend) {
                       return std::all_of(backend.addresses.begin(), backend.addresses.end(),
                                          [missing](const Address& address) {
                                            return ReachesBackend(address, missing);
                                          });
                     });
}

}  // namespace proxyd
