// SPDX-License-Identifier: Apache-2.0
#include "proxy/workload_state.h"

#include "proxy/front.h"

namespace proxyd {

WorkloadState::WorkloadState() = default;

WorkloadState::~WorkloadState() = default;

const Ref<Backend>& WorkloadState::BackendOf(const Ref<Backend>& configured) {
  for (const auto& [of, own] : backends) {
    if (of == configured) return own;
  }
  // A reload has replaced these, and their connections are retired.
  std::erase_if(backends, [](const auto& pair) { return pair.first->retired(); });
  auto own = MakeRef<Backend>(configured, DiscoveredAddress{.address = *workload.address,
                                                            .at_shared_socket = at_shared_socket});
  return backends.emplace_back(configured, std::move(own)).second;
}

std::string WorkloadState::front() const { return listener ? listener->path() : std::string(); }

std::string WorkloadState::problem() const {
  if (!workload.why.empty()) return workload.why;
  for (const auto& [of, own] : backends) {
    if (!own->retired() && own->reason() == AuditReason::kBackendOwner) return own->detail();
  }
  return {};
}

bool WorkloadState::Set(Workload next) {
  const bool moved = workload.address != next.address;
  if (moved) RetireBackends();
  workload = std::move(next);
  name = workload.key.ToString();
  // Calls in flight have reserved room for an audit line with the pod that they found.
  if (pod.empty()) pod = PodOf(workload);
  return moved;
}

void WorkloadState::RetireBackends() {
  for (const auto& [of, own] : backends) own->Retire();
  backends.clear();
}

}  // namespace proxyd
