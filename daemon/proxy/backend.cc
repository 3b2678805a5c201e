// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "ttrpc/unix_credentials.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

namespace {
constexpr auto kFirstBackOff = std::chrono::milliseconds(50);
constexpr auto kLongestBackOff = std::chrono::seconds(1);
// Clients can make attempts fail and succeed in turn (with a full backlog), and must not fill the
// log.
constexpr auto kLogEvery = std::chrono::seconds(1);
}  // namespace

bool Backend::LeadsWhere(const BackendConfig& other) const {
  return config_.name == other.name && config_.discovered == other.discovered &&
         config_.addresses == other.addresses && config_.users == other.users &&
         config_.connections == other.connections;
}

Backend::Backend(BackendConfig config, BackendCounters& counters)
    : config_(std::move(config)), counters_(counters), states_(config_.addresses.size()) {
  // Another backend may have had the same name before a reload.
  counters_.tried = counters_.up = false;
  counters_.last_error.clear();
}

Backend::Backend(Ref<Backend> configured, DiscoveredAddress where)
    : configured_(std::move(configured)),
      own_addresses_{std::move(where.address)},
      at_shared_socket_(where.at_shared_socket),
      counters_(configured_->counters_),
      states_(1) {}

size_t Backend::NextAddress() {
  if (config().balance == BackendConfig::Balance::kFirstAvailable) return 0;
  return std::exchange(next_, (next_ + 1) % states_.size());
}

bool Backend::MayTry(size_t address, Clock::time_point now) {
  AddressState& state = states_[address];
  if (now < state.next_attempt) return false;
  state.next_attempt = now + state.back_off;
  return true;
}

Status Backend::CheckOwner(int socket) const {
  const auto owner = ttrpc::ReadUnixCredentials(socket, {.groups = false});
  if (!owner) return {StatusCode::kUnauthenticated, owner.error().message()};
  // If a backend were one of our own listeners, each call would be forwarded to ourselves until no
  // descriptors are left.
  if (owner->pid == ::getpid())
    return {StatusCode::kUnauthenticated, "this daemon itself listens there"};
  const std::vector<uid_t>& users = config().users;
  if (std::find(users.begin(), users.end(), owner->uid) == users.end()) {
    return {StatusCode::kUnauthenticated,
            "uid " + std::to_string(owner->uid) + " listens there, but it is not in users"};
  }
  return {};
}

void Backend::NoteLastAttempt(const Status& how) {
  if (retired()) return;
  counters_.tried = true;
  counters_.up = how.ok();
  counters_.last_error = how.message();
}

void Backend::Failed(const Attempt& attempt, const Status& why, Clock::time_point now) {
  ++counters_.connects_failed;
  NoteLastAttempt(why);
  last_failed_ = attempt.address;
  AddressState& state = states_[attempt.address];
  if (why.code() == StatusCode::kNotFound) {
    state.back_off = {};
    state.next_attempt = {};
  } else if (why.code() != StatusCode::kResourceExhausted && attempt.begun > state.failed) {
    // Attempts that began together count as one failure.
    state.failed = now;
    state.back_off =
        std::clamp<Clock::duration>(state.back_off * 2, kFirstBackOff, kLongestBackOff);
    state.next_attempt = now + state.back_off;
  }
  state.last_failure = why;
  if (why == state.logged || now < state.log_again) return;
  state.logged = why;
  state.log_again = now + kLogEvery;
  spdlog::warn("backend \"{}\" ({}) cannot be reached: {}", config().name,
               addresses()[attempt.address].ToString(), why.message());
}

void Backend::Succeeded(size_t address) {
  ++counters_.connects;
  NoteLastAttempt({});
  AddressState& state = states_[address];
  state.back_off = {};
  state.next_attempt = {};
  state.last_failure = {};
  if (state.logged.ok()) return;
  state.logged = {};
  spdlog::info("backend \"{}\" ({}) can be reached again", config().name,
               addresses()[address].ToString());
}

AuditReason Backend::reason() const {
  return states_[last_failed_].last_failure.code() == StatusCode::kUnauthenticated
             ? AuditReason::kBackendOwner
             : AuditReason::kBackendUnreachable;
}

std::string Backend::detail() const {
  const Status& failure = states_[last_failed_].last_failure;
  if (failure.ok()) return {};
  return addresses()[last_failed_].ToString() + ": " + failure.message();
}

bool Backend::MayAppear() const {
  return std::any_of(states_.begin(), states_.end(), [](const AddressState& state) {
    const StatusCode code = state.last_failure.code();
    return code == StatusCode::kNotFound || code == StatusCode::kUnavailable;
  });
}

}  // namespace proxyd
