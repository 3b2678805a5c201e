// SPDX-License-Identifier: Apache-2.0
//
// WorkloadState: a workload of one listener, as the loop knows it. The peers of its front and its
// calls in flight keep it after it is gone. It lives on its worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "discovery/workload.h"
#include "policy/policy.h"
#include "proxy/backend.h"
#include "proxy/ref.h"

namespace proxyd {

class Listener;

struct WorkloadState : RefCounted {
  Workload workload;
  bool gone = false;
  std::chrono::system_clock::time_point since;  // when it was found
  std::string front;                            // the path of its own socket; empty if it has none
  std::unique_ptr<Listener> listener;           // null if it has no front
  size_t peers = 0;                             // of its front
  // Its address as a backend, for each backend of the configuration that is `discovered` and was
  // needed: the configured one, and the one with the workload's address.
  std::vector<std::pair<Ref<Backend>, Ref<Backend>>> backends;

  WorkloadView view() const {
    return {.name_space = workload.key.name_space,
            .id = workload.key.id,
            .annotations = workload.annotations.get()};
  }
};

}  // namespace proxyd
