// SPDX-License-Identifier: Apache-2.0
#include "harness/workload_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "harness/daemon_process.h"
#include "harness/io.h"

namespace integration {

namespace {

using nlohmann::json;

std::string TextOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::vector<ListedWorkload> ListWorkloadsAt(const std::string& admin) {
  const char* program = std::getenv("TTRPC_PROXYCTL");
  if (program == nullptr) {
    ADD_FAILURE() << "TTRPC_PROXYCTL does not name the program to test";
    return {};
  }
  const CommandResult result =
      RunCommand({.args = {program, "--address", "unix://" + admin, "--json", "workloads"}});
  EXPECT_EQ(result.status, 0) << result.err;
  const json reply = json::parse(result.out, nullptr, false);
  if (!reply.is_object() || !reply.contains("workloads")) {
    ADD_FAILURE() << "this is no list of workloads: " << result.out;
    return {};
  }
  std::vector<ListedWorkload> listed;
  for (const json& entry : reply["workloads"]) {
    const std::string name_space = TextOf(entry, "namespace");
    listed.push_back({.listener = TextOf(entry, "listener"),
                      .name = (name_space.empty() ? "" : name_space + "/") + TextOf(entry, "id"),
                      .address = TextOf(entry, "address"),
                      .front = TextOf(entry, "front"),
                      .pod = TextOf(entry, "pod"),
                      .problem = TextOf(entry, "problem")});
  }
  return listed;
}

void AwaitListedAt(const std::string& admin, const std::string& name,
                   const ::testing::Matcher<std::string>& problem) {
  std::vector<ListedWorkload> listed;
  const bool found = Eventually([&] {
    listed = ListWorkloadsAt(admin);
    for (const ListedWorkload& entry : listed) {
      if (entry.name == name) return problem.Matches(entry.problem);
    }
    return false;
  });
  if (found) return;
  std::string text;
  for (const ListedWorkload& entry : listed)
    text.append("\n").append(entry.name).append(": ").append(entry.problem);
  ADD_FAILURE() << name << " is not listed with a problem that "
                << ::testing::DescribeMatcher<std::string>(problem) << "; the list is:" << text;
}

}  // namespace integration
