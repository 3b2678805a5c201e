// SPDX-License-Identifier: Apache-2.0
#include "sandbox/capabilities.h"

#include <cap-ng.h>

#include <cerrno>
#include <set>
#include <utility>

namespace proxyd {

namespace {

using ttrpc::ErrnoStatus;
using ttrpc::Status;
using Capabilities = std::set<unsigned>;

// No kernel has this many; libcap-ng knows how many this one has.
constexpr unsigned kMostCapabilities = 64;

// Errors of capng_apply(3) for the bounding set.
constexpr int kDropFailed = -2;
constexpr int kNoSetpcap = -4;

// The capabilities that some configurations need, each with the member of the plan that needs it.
constexpr std::pair<unsigned, bool SandboxPlan::*> kNeeded[] = {
    {CAP_CHOWN, &SandboxPlan::owners},
    {CAP_DAC_OVERRIDE, &SandboxPlan::foreign_files},
    {CAP_FOWNER, &SandboxPlan::foreign_sockets},
    {CAP_NET_BIND_SERVICE, &SandboxPlan::tcp},
};

Capabilities CapabilitiesFor(const SandboxPlan& plan) {
  Capabilities kept;
  for (const auto& [capability, need] : kNeeded) {
    if (plan.*need) kept.insert(capability);
  }
  return kept;
}

// Whether the process has only capabilities that some configuration needs.
bool HasOnlyWhatMayBeNeeded() {
  SandboxPlan all;
  for (const auto& [capability, need] : kNeeded) all.*need = true;
  const Capabilities needed = CapabilitiesFor(all);
  for (unsigned capability = 0; capability < kMostCapabilities; ++capability) {
    if (!needed.contains(capability) && capng_have_capability(CAPNG_PERMITTED, capability) != 0)
      return false;
  }
  return true;
}

// Drops every capability of `set` that is not in `kept`. Returns whether there was one.
bool DropOthers(capng_type_t set, const Capabilities& kept) {
  bool dropped = false;
  for (unsigned capability = 0; capability < kMostCapabilities; ++capability) {
    if (kept.contains(capability) || capng_have_capability(set, capability) == 0) continue;
    capng_update(CAPNG_DROP, set, capability);
    dropped = true;
  }
  return dropped;
}

// A program of root's would get the bounding set on execve(2). Where the set cannot be lowered,
// no_new_privs keeps dropped capabilities from coming back. The securebits stay as they are, since
// an upgrade in place needs the capabilities that root gets on execve(2).
Status LowerBoundingSet(const Capabilities& kept) {
  if (!DropOthers(CAPNG_BOUNDING_SET, kept)) return {};
  const int result = capng_apply(CAPNG_SELECT_BOUNDS);
  if (result == 0 || result == kNoSetpcap || (result == kDropFailed && errno == EPERM)) return {};
  return ErrnoStatus(errno, "bounding set");
}

}  // namespace

Status DropCapabilities(const SandboxPlan& plan, std::vector<std::string>* warnings) {
  const Capabilities kept = CapabilitiesFor(plan);
  // capng_get_caps_process() reads /proc, so it can fail.
  if (capng_get_caps_process() != 0) return ErrnoStatus(errno, "reading capabilities");
  if (Status status = LowerBoundingSet(kept); !status.ok()) return status;
  const bool only_needed = HasOnlyWhatMayBeNeeded();
  bool dropped = false;
  for (const capng_type_t set : {CAPNG_EFFECTIVE, CAPNG_PERMITTED, CAPNG_INHERITABLE})
    dropped |= DropOthers(set, kept);
  // A service manager that grants only needed capabilities may also deny capset(2).
  if (!dropped || capng_apply(CAPNG_SELECT_CAPS) == 0) return {};
  const int error = errno;
  const Status status = ErrnoStatus(error, "capset");
  if (error != EPERM || !only_needed) return status;
  warnings->push_back("sandbox: " + status.message() +
                      ": capabilities that the configuration does not need are kept");
  return {};
}

void AddWhatNeedsNone(SandboxPlan* plan) {
  if (capng_get_caps_process() != 0) return;
  for (const auto& [capability, need] : kNeeded) {
    if (need != &SandboxPlan::tcp && capng_have_capability(CAPNG_EFFECTIVE, capability) == 0)
      plan->*need = true;
  }
}

bool HoldsWithoutOverride(const std::function<bool()>& look) {
  if (capng_get_caps_process() != 0) return false;
  Capabilities laid_down;
  for (const unsigned capability : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) {
    if (capng_have_capability(CAPNG_EFFECTIVE, capability) == 0) continue;
    capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, capability);
    laid_down.insert(capability);
  }
  if (laid_down.empty()) return look();
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return false;
  const bool holds = look();
  for (const unsigned capability : laid_down) capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, capability);
  return capng_apply(CAPNG_SELECT_CAPS) == 0 && holds;
}

}  // namespace proxyd
