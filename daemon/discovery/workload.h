// SPDX-License-Identifier: Apache-2.0
//
// Workload: a container, a sandbox or a service whose socket was found, as plain values. Any
// thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "ttrpc/address.h"

namespace proxyd {

using Annotations = std::map<std::string, std::string>;

// The annotations under which CRI stores the name and the namespace of the pod.
inline constexpr std::string_view kPodNameAnnotation = "io.kubernetes.cri.sandbox-name";
inline constexpr std::string_view kPodNamespaceAnnotation = "io.kubernetes.cri.sandbox-namespace";

// The key of a workload among those of one listener.
struct WorkloadKey {
  std::string name_space = {};  // containerd's; empty for the other sources
  std::string id = {};          // the name of the socket, for DiscoverySource::kDirectory

  friend bool operator==(const WorkloadKey&, const WorkloadKey&) = default;
  friend bool operator<(const WorkloadKey& a, const WorkloadKey& b) {
    return std::tie(a.name_space, a.id) < std::tie(b.name_space, b.id);
  }
  // `NAMESPACE/ID`, or `ID` without a namespace, for messages, lists and the audit.
  std::string ToString() const { return name_space.empty() ? id : name_space + "/" + id; }
};

struct Workload {
  WorkloadKey key = {};
  // None if the workload has no usable address; `why` then has the reason.
  std::optional<ttrpc::Address> address = {};
  // The problem of the workload, a sentence without a full stop; empty if it has none. A workload
  // with a problem gets no front and no calls.
  std::string why = {};
  // The id of the sandbox whose shim serves it; empty if it has a shim of its own.
  std::string sandbox = {};
  // The annotations in config.json that rules name, and those of the pod; null if there are none.
  std::shared_ptr<const Annotations> annotations = {};
  // Why there are no annotations, although there is a config.json; for the log. The workload is
  // still served.
  std::string config_problem = {};

  friend bool operator==(const Workload& a, const Workload& b) {
    return a.key == b.key && a.address == b.address && a.why == b.why && a.sandbox == b.sandbox &&
           a.config_problem == b.config_problem &&
           (a.annotations == b.annotations ||
            (a.annotations && b.annotations && *a.annotations == *b.annotations));
  }
};

// Returns `NAMESPACE/NAME` of the pod, or "" if the annotations do not have both.
std::string PodOf(const Workload& workload);

}  // namespace proxyd
