// SPDX-License-Identifier: Apache-2.0
//
// The workload that a request of containerd's services names: its namespace in the metadata, and
// its id in the payload. The functions are pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "policy/payload_scanner.h"
#include "ttrpc/metadata.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// The metadata in which containerd's clients send the namespace.
inline constexpr std::string_view kNamespaceMetadata = "containerd-namespace-ttrpc";

// The most bytes of a namespace or an id that a request may name. A longer one cannot be the name
// of a directory, so that there is no such workload. Without this bound, a peer could make the
// policy compare each pattern of its rules with megabytes.
inline constexpr size_t kMaxWorkloadName = 255;

// Returns the field of this service's requests that has the id of a workload, or null if its
// requests name none. Every method of the Task and Sandbox services has it as field 1.
const WantedField* WorkloadFieldOf(std::string_view service);

// Sets `id` to the id that the request names, "" if it has none. `field` is WorkloadFieldOf() its
// service. Returns what ScanPayload() returns, and INVALID_ARGUMENT if the id is too long.
ttrpc::Status ReadWorkloadId(const ttrpc::RequestView& request, const WantedField& field,
                             std::string_view* id);

// Sets `name_space` to the value of kNamespaceMetadata, "" if it is missing and not required.
// Returns INVALID_ARGUMENT if it is missing although it is required, repeated, not in lower case or
// too long.
ttrpc::Status ReadNamespace(std::span<const ttrpc::MetadataEntry> metadata, bool required,
                            std::string_view* name_space);

// Returns `NAMESPACE/ID` of a workload that is not known, for answers and the audit. Names of the
// peer's choice are cut.
std::string NameOfUnknownWorkload(std::string_view name_space, std::string_view id);

}  // namespace proxyd
