// SPDX-License-Identifier: Apache-2.0
//
// Workloads and requests that name them, for tests without a follower.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "harness.h"
#include "proxy/workload_state.h"
#include "ttrpc/address.h"
#include "ttrpc/wire/request.h"

namespace proxyd::test {

inline constexpr std::string_view kTask = "containerd.task.v3.Task";

inline Workload WorkloadAt(std::string id, const std::string& path, std::string sandbox = {}) {
  return {.key = {.name_space = "k8s.io", .id = std::move(id)},
          .address = *ttrpc::Address::Parse("unix://" + path),
          .why = {},
          .sandbox = std::move(sandbox),
          .annotations = nullptr};
}

// Returns a state that is in the table.
inline Ref<WorkloadState> AddWorkload(WorkloadTable* table, Workload workload,
                                      bool at_shared_socket = false) {
  auto state = MakeRef<WorkloadState>();
  state->at_shared_socket = at_shared_socket;
  state->Set(std::move(workload));
  table->all[state->workload.key] = state;
  if (!state->workload.why.empty()) ++table->faulty;
  return state;
}

// Returns the message of a request that has this id, of at most 127 bytes.
inline std::string IdPayload(std::string_view id) {
  return std::string("\x0a") + static_cast<char>(id.size()) + std::string(id);
}

// Returns an encoded request for a method of the Task service.
inline std::string TaskRequest(std::string_view method, std::string_view payload,
                               std::string_view name_space = "k8s.io") {
  ttrpc::RequestView request;
  request.service = kTask;
  request.method = method;
  request.payload = payload;
  if (!name_space.empty())
    request.metadata = {{.key = "containerd-namespace-ttrpc", .value = name_space}};
  std::string data(ttrpc::EncodedRequestSize(request), '\0');
  ttrpc::EncodeRequest(request, data.data());
  return data;
}

}  // namespace proxyd::test
