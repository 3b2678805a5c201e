// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_rules.h"

#include <algorithm>
#include <string_view>

namespace proxyd {

namespace {

constexpr size_t kMaxNameLength = 256;
constexpr std::string_view kReservedPrefix = "ttrpc-proxy-";

constexpr bool IsWordCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool IsName(std::string_view name, bool dots) {
  return !name.empty() && name.size() <= kMaxNameLength &&
         std::all_of(name.begin(), name.end(),
                     [dots](char c) { return IsWordCharacter(c) || (dots && c == '.'); });
}

}  // namespace

ttrpc::Status CheckNames(const ttrpc::RequestView& request) {
  if (!IsName(request.service, true))
    return {ttrpc::StatusCode::kInvalidArgument, "invalid service name"};
  if (!IsName(request.method, false))
    return {ttrpc::StatusCode::kInvalidArgument, "invalid method name"};
  return {};
}

void DropReservedMetadata(ttrpc::RequestView* request) {
  std::erase_if(request->metadata, [](const ttrpc::MetadataEntry& entry) {
    return ttrpc::StartsWithIgnoringCase(entry.key, kReservedPrefix);
  });
}

void IdentityMetadata::AppendTo(ttrpc::RequestView* request) const {
  request->metadata.push_back({.key = "ttrpc-proxy-uid", .value = uid_});
  request->metadata.push_back({.key = "ttrpc-proxy-gid", .value = gid_});
  request->metadata.push_back({.key = "ttrpc-proxy-pid", .value = pid_});
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

}  // namespace proxyd
