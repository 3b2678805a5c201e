// SPDX-License-Identifier: Apache-2.0
#include "proxy/workload_request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace proxyd {
namespace {

// Returns the namespace, or the message of the error.
std::string NamespaceIn(const std::vector<ttrpc::MetadataEntry>& metadata, bool required = true) {
  std::string_view name_space = "before";
  const ttrpc::Status status = ReadNamespace(metadata, required, &name_space);
  if (status.ok()) return std::string(name_space);
  EXPECT_EQ(status.code(), ttrpc::StatusCode::kInvalidArgument);
  return status.message();
}

TEST(WorkloadRequestTest, TheNamespaceMustAppearOnceAndInLowerCase) {
  const ttrpc::MetadataEntry name_space = {.key = "containerd-namespace-ttrpc", .value = "k8s.io"};
  const ttrpc::MetadataEntry upper = {.key = "Containerd-Namespace-TTRPC", .value = "k8s.io"};
  const ttrpc::MetadataEntry other = {.key = "containerd-namespace", .value = "default"};
  const std::string once = "metadata containerd-namespace-ttrpc must appear once and in lower case";
  const std::string missing =
      "metadata containerd-namespace-ttrpc must name the namespace of the workload";
  EXPECT_EQ(NamespaceIn({name_space}), "k8s.io");
  EXPECT_EQ(NamespaceIn({other, name_space}), "k8s.io");
  EXPECT_EQ(NamespaceIn({}), missing);
  EXPECT_EQ(NamespaceIn({other}), missing);
  EXPECT_EQ(NamespaceIn({upper}), once);
  EXPECT_EQ(NamespaceIn({name_space, name_space}), once);
  EXPECT_EQ(NamespaceIn({name_space, upper}), once);
  EXPECT_EQ(NamespaceIn({upper, name_space}), once);
}

TEST(WorkloadRequestTest, TheNamespaceMayBeLeftOutWhereItIsNotRequired) {
  const ttrpc::MetadataEntry name_space = {.key = "containerd-namespace-ttrpc", .value = "k8s.io"};
  const ttrpc::MetadataEntry upper = {.key = "Containerd-namespace-ttrpc", .value = "k8s.io"};
  const std::string once = "metadata containerd-namespace-ttrpc must appear once and in lower case";
  EXPECT_EQ(NamespaceIn({}, false), "");
  EXPECT_EQ(NamespaceIn({name_space}, false), "k8s.io");
  EXPECT_EQ(NamespaceIn({upper}, false), once);
  EXPECT_EQ(NamespaceIn({name_space, name_space}, false), once);
}

// The policy compares names with patterns, which takes a while for megabytes.
TEST(WorkloadRequestTest, NamesThatNoWorkloadCanHaveAreRefused) {
  const std::string longest(kMaxWorkloadName, 'n');
  const std::string longer = longest + "n";
  const ttrpc::MetadataEntry good = {.key = kNamespaceMetadata, .value = longest};
  const ttrpc::MetadataEntry bad = {.key = kNamespaceMetadata, .value = longer};
  EXPECT_EQ(NamespaceIn({good}), longest);
  for (const bool required : {true, false}) {
    EXPECT_EQ(NamespaceIn({bad}, required),
              "metadata containerd-namespace-ttrpc is longer than 255 bytes");
  }
  const WantedField& field = *WorkloadFieldOf("containerd.runtime.sandbox.v1.Sandbox");
  std::string payload = "\x0a\xff\x01" + longest;
  ttrpc::RequestView request;
  request.payload = payload;
  std::string_view id;
  ASSERT_TRUE(ReadWorkloadId(request, field, &id).ok());
  EXPECT_EQ(id, longest);
  payload = "\x0a\x80\x02" + longer;
  request.payload = payload;
  const ttrpc::Status status = ReadWorkloadId(request, field, &id);
  EXPECT_EQ(status.code(), ttrpc::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "payload cannot be checked: sandbox_id is longer than 255 bytes");
}

TEST(WorkloadRequestTest, TaskAndSandboxNameAWorkload) {
  for (const char* service : {"containerd.task.v2.Task", "containerd.task.v3.Task"}) {
    ASSERT_NE(WorkloadFieldOf(service), nullptr);
    EXPECT_EQ(WorkloadFieldOf(service)->name, "id");
  }
  const WantedField* const sandbox = WorkloadFieldOf("containerd.runtime.sandbox.v1.Sandbox");
  ASSERT_NE(sandbox, nullptr);
  EXPECT_EQ(sandbox->name, "sandbox_id");
  for (const char* service : {"", "containerd.task.v4.Task", "containerd.task.v3.task",
                              "containerd.task.v3.Task.x", "grpc.health.v1.Health"}) {
    EXPECT_EQ(WorkloadFieldOf(service), nullptr) << service;
  }
}

TEST(WorkloadRequestTest, ReadsTheId) {
  const WantedField& field = *WorkloadFieldOf("containerd.task.v3.Task");
  ttrpc::RequestView request;
  std::string_view id = "before";
  ASSERT_TRUE(ReadWorkloadId(request, field, &id).ok());
  EXPECT_EQ(id, "");
  request.payload = "\x0a\x03web";
  ASSERT_TRUE(ReadWorkloadId(request, field, &id).ok());
  EXPECT_EQ(id, "web");
  request.payload = "\x0a\x03web\x0a\x03web";
  EXPECT_EQ(ReadWorkloadId(request, field, &id).message(),
            "payload cannot be checked: id repeated");
}

TEST(WorkloadRequestTest, AnUnknownNameIsCut) {
  EXPECT_EQ(NameOfUnknownWorkload("k8s.io", "web"), "k8s.io/web");
  EXPECT_EQ(NameOfUnknownWorkload("", "web"), "web");
  EXPECT_EQ(NameOfUnknownWorkload("k8s.io", std::string(128, 'x')),
            "k8s.io/" + std::string(128, 'x'));
  EXPECT_EQ(NameOfUnknownWorkload("n", std::string(4000000, 'x')),
            "n/" + std::string(128, 'x') + "…");
  // A character is not cut in two.
  EXPECT_EQ(NameOfUnknownWorkload("n", std::string(127, 'x') + "ééé"),
            "n/" + std::string(127, 'x') + "…");
}

}  // namespace
}  // namespace proxyd
