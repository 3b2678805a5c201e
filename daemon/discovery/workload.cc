// SPDX-License-Identifier: Apache-2.0
#include "discovery/workload.h"

namespace proxyd {

std::string PodOf(const Workload& workload) {
  if (!workload.annotations) return {};
  const Annotations& annotations = *workload.annotations;
  const auto name = annotations.find(std::string(kPodNameAnnotation));
  const auto name_space = annotations.find(std::string(kPodNamespaceAnnotation));
  if (name == annotations.end() || name_space == annotations.end()) return {};
  return name_space->second + "/" + name->second;
}

}  // namespace proxyd
