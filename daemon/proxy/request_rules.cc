// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_rules.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <string_view>

namespace proxyd {

namespace {

constexpr size_t kMaxNameLength = 256;
constexpr std::string_view kReservedPrefix = "ttrpc-proxy-";
constexpr int64_t kGrace = std::chrono::nanoseconds(std::chrono::milliseconds(20)).count();

// For each byte: may it stand in a method's name (1), in a service's (2), or in both (3).
constexpr std::array<uint8_t, 256> kNameBytes = [] {
  std::array<uint8_t, 256> table = {};
  for (const std::string_view bytes :
       {"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789", "_"}) {
    for (const char c : bytes) table[static_cast<unsigned char>(c)] = 3;
  }
  table['.'] = 2;
  return table;
}();
constexpr uint8_t kMethodByte = 1;
constexpr uint8_t kServiceByte = 2;

bool IsName(std::string_view name, uint8_t byte_class) {
  if (name.empty() || name.size() > kMaxNameLength) return false;
  uint8_t common = byte_class;
  for (const char c : name) common &= kNameBytes[static_cast<unsigned char>(c)];
  return common != 0;
}

}  // namespace

ttrpc::Status CheckNames(const ttrpc::RequestView& request) {
  if (!IsName(request.service, kServiceByte))
    return {ttrpc::StatusCode::kInvalidArgument, "invalid service name"};
  if (!IsName(request.method, kMethodByte))
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

int64_t EnforcedTimeout(int64_t requested, int64_t effective) {
  if (requested != effective || effective <= 0) return effective;
  return effective > std::numeric_limits<int64_t>::max() - kGrace
             ? std::numeric_limits<int64_t>::max()
             : effective + kGrace;
}

}  // namespace proxyd
