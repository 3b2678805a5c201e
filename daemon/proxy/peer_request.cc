// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that forwards requests. CheckRequest() decides whether a request may pass. This
// code then reserves audit room and slots, rewrites the request, finds a backend and sends it
// there.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "proxy/answers.h"
#include "proxy/peer.h"
#include "ttrpc/wire/codec.h"

namespace proxyd {

void Peer::OnRequest(const ttrpc::MessageHeader& header, std::string_view data) {
  Outcome outcome = Check(header, data);
  const AuditedRequest what = {.request = context_.request_buffer,
                               .id = header.stream_id,
                               .flags = header.flags,
                               .bytes = data.size(),
                               .workload = outcome.workload_name(),
                               .pod = outcome.pod()};
  const bool within_rate = TakeRequest(outcome);
  if (outcome.decided()) outcomes_.Decided(what, outcome.verdict, outcome.other_workload);
  if (outcome.permitted()) StartCall(what, within_rate, &outcome);
  if (!outcome.permitted()) Conclude(what.id, outcome, &what);
}

Outcome Peer::Check(const ttrpc::MessageHeader& header, std::string_view data) {
  return CheckRequest(
      {.header = header, .data = data, .id_in_use = calls_.Find(header.stream_id) != nullptr},
      {.snapshot = generation_->snapshot(),
       .admission = admission_,
       .uid = identity_.uid,
       .unknown_fields = listener_->config.unknown_fields,
       .draining = context_.draining,
       .scope = scope()},
      &context_.request_buffer, &context_.guarded_values);
}

bool Peer::TakeRequest(const Outcome& outcome) {
  const uint32_t rate = context_.limits().requests_per_second_per_user;
  if (rate == 0 || !outcome.decoded()) return true;
  return slot_.account().TakeRequest(rate, UserAccount::Clock::now());
}

void Peer::StartCall(const AuditedRequest& what, bool within_rate, Outcome* outcome) {
  const RuleConfig& rule = *outcome->rule;
  CallSlots slots;
  if (!TakeSlots(what, within_rate, &slots, outcome)) return;
  ttrpc::RequestView& request = context_.request_buffer;
  const int64_t requested = request.timeout_nano;
  const std::optional<size_t> size = Rewrite(rule, &request, outcome);
  if (!size) return;
  const StreamState state(what.flags);
  BackendConnection* const connection = FindBackend(rule, state, outcome);
  if (connection == nullptr) return;

  auto call = context_.spare_calls.New(state);
  call->id = what.id;
  call->owner = this;
  call->generation = generation_;
  call->rule = *outcome->verdict.rule;
  call->workload = outcome->workload;
  call->start = context_.loop.Now();
  call->slot = std::move(slots.call);
  call->audit_reservation = std::move(slots.audit);
  connection->Add(call.get());
  StartDeadline(call.get(),
                std::chrono::nanoseconds(EnforcedTimeout(requested, request.timeout_nano)));
  outcomes_.Forwarded(what, outcome->verdict, call.get());
  Forward(what, *size, std::move(call));
}

bool Peer::TakeSlots(const AuditedRequest& what, bool within_rate, CallSlots* slots,
                     Outcome* outcome) {
  if (!audit_.Reserve(what, *outcome->rule, &slots->audit)) {
    outcome->Fail(Stage::kAudit,
                  {ttrpc::StatusCode::kUnavailable, "the audit cannot record this call"});
    return false;
  }
  const auto limit = within_rate ? TakeSlot(&slots->call) : Limit::kRequestsPerSecondPerUser;
  if (limit) outcome->Fail(*limit, LimitReached(*limit, context_.limits()));
  return !limit;
}

std::optional<Limit> Peer::TakeSlot(CallSlot* slot) {
  const LimitsConfig& limits = context_.limits();
  if (const auto limit = context_.accounting.Buffered(slot_.account(), limits)) return limit;
  if (calls_.size() >= limits.calls_per_connection) return Limit::kCallsPerConnection;
  if (!slot_.account().TakeCall(limits.calls_per_user, slot)) return Limit::kCallsPerUser;
  return std::nullopt;
}

std::optional<size_t> Peer::Rewrite(const RuleConfig& rule, ttrpc::RequestView* request,
                                    Outcome* outcome) {
  request->timeout_nano =
      EffectiveTimeout(request->timeout_nano, listener_->config.timeouts, rule.call_max);
  if (request->timeout_nano < 0) {
    outcome->Fail(Stage::kDeadline, DeadlineExceeded());
    return std::nullopt;
  }
  const BackendConfig& backend = config().backends[rule.backend];
  SetMetadata(backend, request);
  const size_t size = ttrpc::EncodedRequestSize(*request);
  const uint32_t limit = context_.limits().message_size;
  if (size <= limit) return size;
  outcome->Fail(Stage::kForwardedSize, TooLongToForward(size, limit, backend));
  return std::nullopt;
}

BackendConnection* Peer::FindBackend(const RuleConfig& rule, const StreamState& state,
                                     Outcome* outcome) {
  const Ref<Backend> backend = BackendOf(rule, *outcome);
  if (!backend) {
    outcome->FailAtBackend(AuditReason::kBackendUnreachable, {},
                           CannotBeReached(config().backends[rule.backend]));
    return nullptr;
  }
  const FoundBackend found = BackendFor(backend, state);
  if (const Limit* reached = std::get_if<Limit>(&found)) {
    outcome->Fail(*reached, BackendLimitStatus(*reached));
    return nullptr;
  }
  BackendConnection* const connection = std::get<BackendConnection*>(found);
  if (connection == nullptr)
    outcome->FailAtBackend(backend->reason(), backend->detail(),
                           CannotBeReached(backend->config()));
  return connection;
}

ttrpc::Status Peer::BackendLimitStatus(Limit limit) const {
  return limit == Limit::kBackendsPerPeer ? LimitReached(limit, context_.limits())
                                          : BackendLimitReached(limit, context_.backends.limits);
}

// Only the proxy may identify a peer to a backend.
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

// The memory of a call in flight, including its entries in two maps and the allocator's overhead.
size_t MemoryOf(const Call& call) {
  constexpr size_t kAllocation = 16;
  constexpr size_t kEntries = 2 * 4 * (sizeof(uint64_t) + sizeof(void*));
  constexpr size_t kTimer =
      sizeof(ttrpc::Timer) + 128 + 2 * kAllocation;  // includes libevent's part
  return sizeof(Call) + kAllocation + kEntries + call.label.memory() + (call.deadline ? kTimer : 0);
}

}  // namespace

// `size` is the encoded size of the rewritten request.
void Peer::Forward(const AuditedRequest& what, size_t size, std::unique_ptr<Call> call) {
  const ttrpc::RequestView& request = what.request;
  call->request_bytes = what.bytes;
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
  call->deadline = std::make_unique<ttrpc::Timer>(context_.loop, [this, call] {
    GiveUp(*call, DeadlineExceeded(),
           {.reason = AuditReason::kDeadline, .limit = {}, .detail = {}});
  });
  call->deadline->Start(timeout);
}

FoundBackend Peer::BackendFor(const Ref<Backend>& backend, const StreamState& state) {
  if (backend->config().connections == BackendConfig::Connections::kPerPeer)
    return backends_.ConnectionTo(backend, slot_);
  if (state.unary()) return Shared(backend).Connection(slot_);
  const FoundBackend found = backends_.ConnectionTo(backend, slot_);
  // The connection of a streaming call carries no other call, and is closed after it.
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
