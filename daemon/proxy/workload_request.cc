// SPDX-License-Identifier: Apache-2.0
#include "proxy/workload_request.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

constexpr WantedField kTaskId = {.number = 1, .name = "id"};
constexpr WantedField kSandboxId = {.number = 1, .name = "sandbox_id"};

// No id or namespace of containerd has more than 76 bytes.
constexpr size_t kLongestShownName = 128;

Status NamespaceMust(std::string_view what) {
  std::string message = "metadata " + std::string(kNamespaceMetadata) + " must ";
  return {StatusCode::kInvalidArgument, message.append(what)};
}

std::string TooLong() { return " is longer than " + std::to_string(kMaxWorkloadName) + " bytes"; }

// Cuts at the start of a character. The name is valid UTF-8.
std::string_view CutName(std::string_view name) {
  if (name.size() <= kLongestShownName) return name;
  size_t end = kLongestShownName;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0U) == 0x80U) --end;
  return name.substr(0, end);
}

void AppendName(std::string_view name, std::string* out) {
  const std::string_view shown = CutName(name);
  out->append(shown);
  if (shown.size() < name.size()) out->append("…");
}

}  // namespace

const WantedField* WorkloadFieldOf(std::string_view service) {
  if (service == "containerd.task.v2.Task" || service == "containerd.task.v3.Task") return &kTaskId;
  if (service == "containerd.runtime.sandbox.v1.Sandbox") return &kSandboxId;
  return nullptr;
}

Status ReadWorkloadId(const ttrpc::RequestView& request, const WantedField& field,
                      std::string_view* id) {
  Status status = ScanPayload(request.payload, {&field, 1}, {id, 1});
  if (!status.ok() || id->size() <= kMaxWorkloadName) return status;
  return {StatusCode::kInvalidArgument,
          "payload cannot be checked: " + std::string(field.name) + TooLong()};
}

Status ReadNamespace(std::span<const ttrpc::MetadataEntry> metadata, bool required,
                     std::string_view* name_space) {
  *name_space = {};
  size_t count = 0;
  for (const ttrpc::MetadataEntry& entry : metadata) {
    if (!ttrpc::EqualsIgnoringCase(entry.key, kNamespaceMetadata)) continue;
    if (++count > 1 || entry.key != kNamespaceMetadata)
      return NamespaceMust("appear once and in lower case");
    *name_space = entry.value;
  }
  if (required && count == 0) return NamespaceMust("name the namespace of the workload");
  if (name_space->size() <= kMaxWorkloadName) return {};
  return {StatusCode::kInvalidArgument, "metadata " + std::string(kNamespaceMetadata) + TooLong()};
}

std::string NameOfUnknownWorkload(std::string_view name_space, std::string_view id) {
  std::string name;
  AppendName(name_space, &name);
  if (!name.empty()) name += '/';
  AppendName(id, &name);
  return name;
}

}  // namespace proxyd
