// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that takes a request through its checks, in the order of the contract: id,
// envelope, names, metadata, flags, policy, streams, draining, limits; the first that fails
// answers.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "proxy/answers.h"
#include "proxy/peer.h"
#include "ttrpc/wire/codec.h"

namespace proxyd {

using ttrpc::MessageTooLong;
using ttrpc::Status;
using ttrpc::StatusCode;

void Peer::OnRequest(const ttrpc::MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return Refuse(id, StreamIdMustBeOdd(), ProtocolError::kPeerStreamId);
  if (calls_.Find(id) != nullptr) return Refuse(id, StreamIdInUse(), ProtocolError::kPeerStreamId);

  const ListenerConfig& listener = listener_->config;
  const auto unknown_fields = listener.unknown_fields == UnknownFields::kDrop
                                  ? ttrpc::UnknownFieldAction::kDrop
                                  : ttrpc::UnknownFieldAction::kRefuse;
  ttrpc::RequestView& request = context_.request_buffer;
  Status status = ttrpc::ParseRequest(data, unknown_fields, &request);
  const uint32_t rate = context_.limits().requests_per_second_per_user;
  over_rate_ =
      status.ok() && rate != 0 && !slot_.account().TakeRequest(rate, UserAccount::Clock::now());
  const bool known = status.ok() && IsKnown(request);
  if (status.ok() && !known) status = CheckNames(request);
  if (!status.ok()) return Refuse(id, status, ProtocolError::kPeerEnvelope);

  const AuditedRequest what = {
      .request = request, .id = id, .flags = header.flags, .bytes = data.size()};
  if (status = CheckRequest(what); !status.ok()) {
    context_.counters.Count(ProtocolError::kPeerEnvelope);
    audit_.Refused(what, std::nullopt, status.code());
    ++context_.counters.refused;
    generation_
        ->method_tally(*listener_, std::nullopt,
                       generation_->policy().LabelsOf(admission_, request))
        .Count(status.code());
    return Answer(id, status);
  }

  if (known) {
    ++known_method_->rule_tally->decisions;
    return StartCall(what, &request, known_method_->permit);
  }

  const Verdict verdict = Decide(what);
  MethodTally& tally = generation_->method_tally(
      *listener_, verdict.allowed ? verdict.rule : std::nullopt, verdict.labels);
  if (!verdict.allowed) {
    ++context_.counters.denied;
    tally.Count(StatusCode::kPermissionDenied);
    return Answer(id, MayNotCall(identity_.uid, request));
  }
  const Permit permit = {.rule = *verdict.rule, .tally = &tally};
  Remember(request, verdict, permit);
  StartCall(what, &request, permit);
}

Verdict Peer::Decide(const AuditedRequest& what) {
  Verdict verdict = generation_->policy().Check(admission_, what.request, context_.guarded_values);
  for (const size_t shadow : verdict.shadows)
    ++generation_->rule_tally(*listener_, shadow).decisions;
  ++generation_->rule_tally(*listener_, verdict.rule).decisions;
  audit_.Decided(what, verdict);
  return verdict;
}

bool Peer::IsKnown(const ttrpc::RequestView& request) const {
  return known_method_ != nullptr && request.method == known_method_->method &&
         request.service == known_method_->service;
}

// `verdict` allows.
void Peer::Remember(const ttrpc::RequestView& request, const Verdict& verdict,
                    const Permit& permit) {
  if (!verdict.by_names_alone || !verdict.shadows.empty()) return;
  if (!known_method_) known_method_ = std::make_unique<KnownMethod>();
  known_method_->service = request.service;
  known_method_->method = request.method;
  known_method_->permit = permit;
  known_method_->rule_tally = &generation_->rule_tally(*listener_, verdict.rule);
}

// Metadata, then flags.
Status Peer::CheckRequest(const AuditedRequest& what) const {
  if (Status status = generation_->policy().CheckGuardedMetadata(admission_, what.request.metadata,
                                                                 &context_.guarded_values);
      !status.ok()) {
    return status;
  }
  constexpr uint8_t kBoth = ttrpc::kFlagRemoteClosed | ttrpc::kFlagRemoteOpen;
  if ((what.flags & kBoth) == kBoth) {
    return {StatusCode::kInvalidArgument, "remote closed and remote open exclude each other"};
  }
  return {};
}

// An allowed request: streams, draining, limits, then its backend.
void Peer::StartCall(const AuditedRequest& what, ttrpc::RequestView* request,
                     const Permit& permit) {
  const RuleConfig& rule = config().rules[permit.rule];
  const auto refuse = [&](const Status& status) {
    audit_.Refused(what, permit.rule, status.code());
    ++context_.counters.refused;
    permit.tally->Count(status.code());
    Answer(what.id, status);
  };
  const auto end = [&](const Status& status) {
    audit_.Ended(what, permit.rule, status.code());
    permit.tally->Count(status.code());
    Answer(what.id, status);
  };

  if ((what.flags & ttrpc::kFlagRemoteOpen) != 0 && !rule.streams) {
    return refuse({StatusCode::kInvalidArgument, FullMethod(*request) + " may not stream"});
  }
  if (context_.draining) return end(Draining());
  AuditReservation audit_reservation;
  if (!audit_.Reserve(*request, permit.rule, &audit_reservation))
    return end({StatusCode::kUnavailable, "audit is failing"});

  CallSlot slot;
  if (const auto limit = TakeSlot(&slot)) {
    context_.counters.Count(*limit);
    return refuse(LimitReached(*limit, context_.limits()));
  }

  const ListenerConfig& listener = listener_->config;
  const int64_t requested = request->timeout_nano;
  request->timeout_nano = EffectiveTimeout(requested, listener.timeouts, rule.call_max);
  if (request->timeout_nano < 0) return end(DeadlineExceeded());

  const BackendConfig& backend = config().backends[rule.backend];
  SetMetadata(backend, request);
  const size_t size = ttrpc::EncodedRequestSize(*request);
  const uint32_t limit = context_.limits().message_size;
  if (size > limit) return refuse(MessageTooLong(size, limit));

  const StreamState state(what.flags);
  const FoundBackend found = BackendFor(generation_->backend(rule.backend), state);
  if (const Limit* reached = std::get_if<Limit>(&found)) {
    context_.counters.Count(*reached);
    return refuse(BackendLimitReached(*reached, context_.backends.limits));
  }
  BackendConnection* const connection = std::get<BackendConnection*>(found);
  if (connection == nullptr) return end(CannotBeReached(backend));

  auto call = context_.spare_calls.New(state);
  call->id = what.id;
  call->owner = this;
  call->generation = generation_;
  call->rule = permit.rule;
  call->tally = permit.tally;
  call->start = context_.loop.Now();
  call->slot = std::move(slot);
  call->audit_reservation = std::move(audit_reservation);
  connection->Add(call.get());
  StartDeadline(call.get(),
                std::chrono::nanoseconds(EnforcedTimeout(requested, request->timeout_nano)));
  Forward(what, size, std::move(call));
}

std::optional<Limit> Peer::TakeSlot(CallSlot* slot) {
  const LimitsConfig& limits = context_.limits();
  if (over_rate_) return Limit::kRequestsPerSecondPerUser;
  if (const auto limit = context_.accounting.Buffered(slot_.account(), limits)) return limit;
  if (calls_.size() >= limits.calls_per_connection) return Limit::kCallsPerConnection;
  if (!slot_.account().TakeCall(limits.calls_per_user, slot)) return Limit::kCallsPerUser;
  return std::nullopt;
}

// What only the proxy may say of a peer.
void Peer::SetMetadata(const BackendConfig& backend, ttrpc::RequestView* request) {
  DropReservedMetadata(request);
  if (!backend.forward_identity) return;
  if (!identity_metadata_) {
    identity_metadata_ =
        std::make_unique<IdentityMetadata>(identity_.uid, identity_.gid, identity_.pid);
  }
  identity_metadata_->AppendTo(request);
}

namespace {

// What a call in flight takes up, the entries in two maps of calls and the allocator's own share
// included.
size_t MemoryOf(const Call& call) {
  constexpr size_t kAllocation = 16;
  constexpr size_t kEntries = 2 * 4 * (sizeof(uint64_t) + sizeof(void*));
  constexpr size_t kTimer = sizeof(ttrpc::Timer) + 128 + 2 * kAllocation;  // with libevent's part
  return sizeof(Call) + kAllocation + kEntries + call.label.service.capacity() +
         call.label.method.capacity() + call.label.traceparent.capacity() +
         (call.deadline ? kTimer : 0);
}

}  // namespace

// `size`: of the request as it is written.
void Peer::Forward(const AuditedRequest& what, size_t size, std::unique_ptr<Call> call) {
  const ttrpc::RequestView& request = what.request;
  ++context_.counters.calls;
  call->request_bytes = what.bytes;
  audit_.Label(what, call.get());
  audit_.Payload(*call, false, request.payload);
  call->backend->SendRequest(*call, request, size,
                             RequestFlagsToBackend(what.flags, request.payload.empty()));
  StopIfFull(call->backend->connection());
  call->bytes = MemoryOf(*call);
  call_bytes_ += call->bytes;
  const uint32_t id = call->id;
  calls_.Insert(id, std::move(call));
}

void Peer::StartDeadline(Call* call, std::chrono::nanoseconds timeout) {
  if (timeout.count() == 0) return;
  call->deadline = std::make_unique<ttrpc::Timer>(
      context_.loop, [this, call] { GiveUp(*call, DeadlineExceeded()); });
  call->deadline->Start(timeout);
}

FoundBackend Peer::BackendFor(const Ref<Backend>& backend, const StreamState& state) {
  if (backend->config().connections == BackendConfig::Connections::kPerPeer)
    return backends_.ConnectionTo(backend, slot_);
  if (state.unary()) return Shared(backend).Connection(slot_);
  const FoundBackend found = backends_.ConnectionTo(backend, slot_);
  // A connection for a stream carries no other call, and is dropped after it.
  auto* const* connection = std::get_if<BackendConnection*>(&found);
  if (connection != nullptr && *connection != nullptr) (*connection)->RetireAfterNext();
  return found;
}

SharedBackend& Peer::Shared(const Ref<Backend>& backend) {
  for (SharedBackend* shared : shared_) {
    if (&shared->backend() == backend.get()) return *shared;
  }
  return *shared_.emplace_back(&context_.shared_backends.Join(*this, slot_, backend));
}

}  // namespace proxyd
