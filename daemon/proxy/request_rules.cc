// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_rules.h"

#include <chrono>
#include <limits>
#include <vector>

#include "config/rpc_names.h"

namespace proxyd {

namespace {

constexpr int64_t kGrace = std::chrono::nanoseconds(std::chrono::milliseconds(20)).count();

}  // namespace

ttrpc::Status CheckNames(const ttrpc::RequestView& request) {
  if (!IsServiceName(request.service))
    return {ttrpc::StatusCode::kInvalidArgument, "invalid service name"};
  if (!IsMethodName(request.method))
    return {ttrpc::StatusCode::kInvalidArgument, "invalid method name"};
  return {};
}

void DropReservedMetadata(ttrpc::RequestView* request) {
  std::erase_if(request->metadata,
                [](const ttrpc::MetadataEntry& entry) { return IsReservedMetadata(entry.key); });
}

void IdentityMetadata::AppendTo(ttrpc::RequestView* request) const {
  request->metadata.push_back({.key = kUidMetadata, .value = uid_});
  request->metadata.push_back({.key = kGidMetadata, .value = gid_});
  request->metadata.push_back({.key = kPidMetadata, .value = pid_});
}

int64_t EffectiveTimeout(int64_t requested, const TimeoutsConfig& timeouts,
                         std::optional<Duration> rule_call_max) {
  int64_t timeout = requested != 0 ? requested : timeouts.call.count();
  for (const int64_t longest :
       {timeouts.call_max.count(), rule_call_max.value_or(Duration(0)).count()}) {
    if (longest != 0 && (timeout == 0 || timeout > longest)) timeout = longest;
  }
  return timeout;
}

int64_t EnforcedTimeout(int64_t requested, int64_t effective) {
  if (requested != effective || effective <= 0) return effective;
  return effective > std::numeric_limits<int64_t>::max() - kGrace
             ? std::numeric_limits<int64_t>::max()
             : effective + kGrace;
}

}  // namespace proxyd
