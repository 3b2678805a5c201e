// SPDX-License-Identifier: Apache-2.0
//
// WorkloadState: a workload of one listener, as the loop knows it, and WorkloadTable, those of one
// listener. The peers of a workload's front and its calls in flight keep it after it is gone. They
// live on their worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "discovery/workload.h"
#include "policy/policy.h"
#include "proxy/backend.h"
#include "proxy/ref.h"

namespace proxyd {

class Front;

struct WorkloadState : RefCounted {
  WorkloadState();
  ~WorkloadState();

  Workload workload;
  bool gone = false;
  bool calls_over = false;  // it has been gone for so long that its last calls must end
  // Whether one socket serves all workloads of the listener.
  bool at_shared_socket = false;
  std::chrono::system_clock::time_point since;  // when it was found
  std::string name;                             // NAMESPACE/ID, as the audit shows it
  std::string pod;  // NAMESPACE/NAME of its pod, or empty; never changes once it is known
  std::unique_ptr<Front> listener;  // null if it has no front
  size_t peers = 0;                 // connected to its own socket
  // Its address as a backend, for each backend of the configuration that is `discovered` and was
  // needed: the configured one, and the one with the workload's address.
  std::vector<std::pair<Ref<Backend>, Ref<Backend>>> backends;

  WorkloadView view() const {
    return {.name_space = workload.key.name_space,
            .id = workload.key.id,
            .annotations = workload.annotations.get()};
  }
  // Returns whether calls may go to it: it has an address, and no problem.
  bool serves() const { return !gone && workload.why.empty() && workload.address.has_value(); }

  // Returns the path of its own socket, or "" if it has none.
  std::string front() const;

  // Returns what is wrong with it, or "". Its files may be good while its socket is that of a user
  // who may not listen there, which shows only when it is dialled.
  std::string problem() const;

  // Returns the backend with the workload's address and all else of `configured`, which is
  // `discovered`. The workload must have an address. The result is valid until the next call.
  const Ref<Backend>& BackendOf(const Ref<Backend>& configured);
  // Sets the workload. If its address changed, the connections to the old one take no more calls
  // once their pools are reloaded. Returns whether that is so.
  bool Set(Workload next);
  // Takes no more calls.
  void RetireBackends();
};

// Compares keys with views of keys, so that a look-up allocates nothing.
struct WorkloadKeyLess {
  using is_transparent = void;
  using View = std::tuple<std::string_view, std::string_view>;  // namespace and id

  static View ViewOf(const WorkloadKey& key) { return {key.name_space, key.id}; }
  static View ViewOf(const View& view) { return view; }
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return ViewOf(a) < ViewOf(b);
  }
};

class WorkloadTable {
 public:
  using Map = std::map<WorkloadKey, Ref<WorkloadState>, WorkloadKeyLess>;

  // Returns null if there is none.
  WorkloadState* Find(std::string_view name_space, std::string_view id) const {
    const auto found = all.find(WorkloadKeyLess::View(name_space, id));
    return found == all.end() ? nullptr : found->second.get();
  }

  Map all;
  size_t faulty = 0;  // the workloads with a problem
};

}  // namespace proxyd
