// SPDX-License-Identifier: Apache-2.0
//
// The workloads that a daemon lists, as `ttrpc-proxyctl workloads` prints them. Any thread.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace integration {

struct ListedWorkload {
  std::string listener;
  std::string name;  // NAMESPACE/ID, or ID without a namespace
  std::string address;
  std::string front;
  std::string pod;
  std::string problem;
};

// Runs ttrpc-proxyctl (the program that the environment variable TTRPC_PROXYCTL names) against the
// admin socket at this path. The test fails if that fails.
std::vector<ListedWorkload> ListWorkloadsAt(const std::string& admin);

// Waits until the list has a workload of this name whose problem matches.
void AwaitListedAt(const std::string& admin, const std::string& name,
                   const ::testing::Matcher<std::string>& problem);

}  // namespace integration
