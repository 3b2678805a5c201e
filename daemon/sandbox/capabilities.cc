// SPDX-License-Identifier: Apache-2.0
#include "sandbox/capabilities.h"

#include <cap-ng.h>

#include <cerrno>
#include <set>

namespace proxyd {

namespace {

using ttrpc::ErrnoStatus;
using ttrpc::Status;
using Capabilities = std::set<unsigned>;

// More than any kernel has; libcap-ng knows how many this one has.
constexpr unsigned kMostCapabilities = 64;

// Errors of capng_apply(3) for the bounding set.
constexpr int kDropFailed = -2;
constexpr int kNoSetpcap = -4;

// A configuration can give sockets an owner and a group, and can have logs, sockets and backends in
// folders that belong to other users.
Capabilities CapabilitiesFor(const SandboxPlan& plan) {
  Capabilities kept = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER};
  if (plan.tcp) kept.insert(CAP_NET_BIND_SERVICE);
  return kept;
}

// Returns whether `set` had any others.
bool DropOthers(capng_type_t set, const Capabilities& kept) {
  bool dropped = false;
  for (unsigned capability = 0; capability < kMostCapabilities; ++capability) {
    if (kept.contains(capability) || capng_have_capability(set, capability) == 0) continue;
    capng_update(CAPNG_DROP, set, capability);
    dropped = true;
  }
  return dropped;
}

// The bounding set is what a program of root's would get on execve(2). Where it cannot be lowered,
// no_new_privs keeps them from coming back. The securebits stay: a root without rights of its own
// would leave an upgrade in place none.
Status LowerBoundingSet(const Capabilities& kept) {
  if (!DropOthers(CAPNG_BOUNDING_SET, kept)) return {};
  const int result = capng_apply(CAPNG_SELECT_BOUNDS);
  if (result == 0 || result == kNoSetpcap || (result == kDropFailed && errno == EPERM)) return {};
  return ErrnoStatus(errno, "bounding set");
}

}  // namespace

Status DropCapabilities(const SandboxPlan& plan) {
  const Capabilities kept = CapabilitiesFor(plan);
  // It reads /proc, too.
  if (capng_get_caps_process() != 0) return ErrnoStatus(errno, "reading capabilities");
  if (Status status = LowerBoundingSet(kept); !status.ok()) return status;
  bool dropped = false;
  for (const capng_type_t set : {CAPNG_EFFECTIVE, CAPNG_PERMITTED, CAPNG_INHERITABLE})
    dropped |= DropOthers(set, kept);
  // A service manager that left us no more than this may well have left us no capset(2) either.
  if (dropped && capng_apply(CAPNG_SELECT_CAPS) != 0) return ErrnoStatus(errno, "capset");
  return {};
}

}  // namespace proxyd
