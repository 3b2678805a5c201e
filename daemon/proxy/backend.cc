// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

namespace proxyd {

namespace {
constexpr auto kFirstBackOff = std::chrono::milliseconds(50);
constexpr auto kLongestBackOff = std::chrono::seconds(1);
}  // namespace

bool Backend::LeadsWhere(const BackendConfig& other) const {
  return config_.name == other.name && config_.address == other.address &&
         config_.users == other.users && config_.connections == other.connections;
}

ttrpc::Status Backend::CheckOwner(int socket) const {
  const auto owner = ttrpc::ReadUnixCredentials(socket);
  if (!owner) return owner.error();
  // A configuration whose backend is one of our own listeners would feed each call to itself until
  // descriptors run out.
  if (owner->pid == ::getpid())
    return {ttrpc::StatusCode::kFailedPrecondition, "it is this daemon itself"};
  if (std::find(config_.users.begin(), config_.users.end(), owner->uid) == config_.users.end()) {
    return {ttrpc::StatusCode::kPermissionDenied,
            "uid " + std::to_string(owner->uid) + " listens there"};
  }
  return {};
}

void Backend::Failed(Failure kind, const std::string& why, Clock::time_point now) {
  // Attempts begun together that fail one after another are one failure.
  if (kind == Failure::kCostly && MayTry(now)) {
    back_off_ = std::clamp<Clock::duration>(back_off_ * 2, kFirstBackOff, kLongestBackOff);
    next_attempt_ = now + back_off_;
  }
  if (why == last_failure_) return;
  last_failure_ = why;
  spdlog::warn("backend \"{}\" ({}) cannot be reached: {}", config_.name,
               config_.address.ToString(), why);
}

void Backend::Succeeded() {
  back_off_ = {};
  next_attempt_ = {};
  if (last_failure_.empty()) return;
  last_failure_.clear();
  spdlog::info("backend \"{}\" can be reached again", config_.name);
}

}  // namespace proxyd
