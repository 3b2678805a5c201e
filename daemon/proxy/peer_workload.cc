// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that deals with the workloads of a listener that discovers: which of them a
// request may name, the connections to them, and what follows when one is gone. It also looks up
// the name of the user, which rules about workloads may need.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/answers.h"
#include "proxy/peer.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

WorkloadScope Peer::scope() const {
  const std::optional<DiscoveryConfig>& discovery = listener_->config.discovery;
  if (!discovery) return {};
  return {.table = &listener_->workloads,
          .front = front_.get(),
          .named = discovery->source == DiscoverySource::kContainerd};
}

Ref<Backend> Peer::BackendOf(const RuleConfig& rule, const Outcome& outcome) const {
  const Ref<Backend>& configured = generation_->backend(rule.backend);
  if (!configured->config().discovered) return configured;
  // The calls of a sandbox's members at its front share the connection to its shim.
  WorkloadState* const workload = front_ ? front_.get() : outcome.workload.get();
  if (workload == nullptr || !workload->workload.address) return {};
  return workload->BackendOf(configured);
}

// A client at a workload's front then sees what it would see at the workload itself: a closed
// connection if the workload cannot be reached, or when it ends.
void Peer::ConnectAhead() {
  if (!front_->serves()) {
    return Close(
        {.reason = AuditReason::kBackendUnreachable, .limit = {}, .detail = front_->workload.why});
  }
  std::vector<size_t> wanted;
  generation_->policy().ForEachBackend(admission_, [this, &wanted](size_t backend) {
    if (config().backends[backend].discovered) wanted.push_back(backend);
  });
  for (const size_t index : wanted) {
    const Ref<Backend> backend = front_->BackendOf(generation_->backend(index));
    const FoundBackend found = backends_.ConnectAhead(backend, slot_);
    if (const Limit* reached = std::get_if<Limit>(&found)) {
      const Status status = BackendLimitStatus(*reached);
      const AuditCause cause = {
          .reason = AuditReason::kLimit, .limit = NameOf(*reached), .detail = status.message()};
      outcomes_.Closed(*reached, cause);
      return Close(cause);
    }
    if (std::get<BackendConnection*>(found) == nullptr) {
      const std::string detail = backend->detail();
      return Close({.reason = backend->reason(), .limit = {}, .detail = detail});
    }
  }
}

// The calls have no answer of ours: the client finds the end of the connection, as at the
// workload's own address.
void Peer::OnAheadUnreachable(BackendConnection& connection) {
  const Backend& backend = connection.backend();
  const std::string detail = backend.detail();
  const AuditCause cause = {.reason = backend.reason(), .limit = {}, .detail = detail};
  EndAllCalls(StatusCode::kUnavailable, cause);
  if (connection_.send_queue_size() == 0) return Close(cause);
  CloseAfterFlush();  // the peer still has to read what else was answered
}

void Peer::OnWorkloadsChanged() {
  // A listener that does not discover any more still has peers with connections to workloads.
  if (gone_ || linger_) return;
  if (front_ && front_->gone) Drain();
  if (linger_) return;
  backends_.Reload();
  UpdateReading();  // the peer may have waited for one of their queues
}

void Peer::EndGone() {
  if (linger_) return;
  const Status status(StatusCode::kUnavailable, "workload " + front_->name + " is gone");
  calls_.ForEach([this, &status](const auto& call) { Answer(call->id, status); });
  EndAllCalls(StatusCode::kUnavailable,
              {.reason = AuditReason::kBackendLost, .limit = {}, .detail = status.message()});
  CloseAfterFlush();
}

// The name.

void Peer::LearnUser() {
  if (!generation_->policy().NeedsUser(admission_)) {
    user_request_.reset();
    return;
  }
  if (!user_) {
    if (auto name = context_.user_names.ReadNow(identity_.uid))
      user_ = std::make_unique<std::string>(*std::move(name));
  }
  if (user_) {
    user_request_.reset();
    return admission_.SetUser(*user_);
  }
  if (!user_request_) {
    user_request_ = context_.user_names.Read(identity_.uid,
                                             [this](std::string name) { OnUser(std::move(name)); });
  }
  UpdateReading();
}

void Peer::OnUser(std::string name) {
  user_request_.reset();
  user_ = std::make_unique<std::string>(std::move(name));
  // A reload may have come meanwhile, after which no rule needs the name.
  if (!stale()) admission_.SetUser(*user_);
  UpdateReading();
}

}  // namespace proxyd
