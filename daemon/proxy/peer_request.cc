// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that takes a request from its message to a backend. CheckRequest() says whether
// it may go; here it takes what it needs (audit, places, a backend), is rewritten and forwarded.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "proxy/answers.h"
#include "proxy/peer.h"
#include "proxy/worker.h"
#include "ttrpc/codec.h"

namespace proxyd {

using ttrpc::MessageTooLong;

void Peer::OnRequest(const ttrpc::MessageHeader& header, std::string_view data) {
  const AuditedRequest what = {.request = worker_.request_buffer(),
                               .id = header.stream_id,
                               .flags = header.flags,
                               .bytes = data.size()};
  Outcome outcome = Check(header, data);
  const bool within_rate = TakeRequest(outcome);
  if (outcome.decided()) outcomes_.Decided(what, outcome.verdict);
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
       .draining = worker_.draining()},
      &worker_.request_buffer(), &worker_.guarded_values());
}

bool Peer::TakeRequest(const Outcome& outcome) {
  const uint32_t rate = worker_.limits().requests_per_second_per_user;
  if (rate == 0 || !outcome.decoded()) return true;
  return place_.account().TakeRequest(rate, UserAccount::Clock::now());
}

void Peer::StartCall(const AuditedRequest& what, bool within_rate, Outcome* outcome) {
  const size_t rule_index = *outcome->verdict.rule;
  const RuleConfig& rule = config().rules[rule_index];
  CallPlaces places;
  if (!TakePlaces(what, within_rate, &places, outcome)) return;
  ttrpc::RequestView& request = worker_.request_buffer();
  const int64_t requested = request.timeout_nano;
  const std::optional<size_t> size = Rewrite(rule, &request, outcome);
  if (!size) return;
  const StreamState state(what.flags);
  BackendConnection* const connection = FindBackend(rule, state, outcome);
  if (connection == nullptr) return;

  auto call = worker_.NewCall(state);
  call->id = what.id;
  call->peer = this;
  call->generation = generation_;
  call->rule = rule_index;
  call->start = worker_.loop().Now();
  call->place = std::move(places.call);
  call->audit_place = std::move(places.audit);
  connection->Add(call.get());
  StartDeadline(call.get(),
                std::chrono::nanoseconds(EnforcedTimeout(requested, request.timeout_nano)));
  outcomes_.Forwarded(what, outcome->verdict, call.get());
  Forward(what, *size, std::move(call));
}

bool Peer::TakePlaces(const AuditedRequest& what, bool within_rate, CallPlaces* places,
                      Outcome* outcome) {
  if (!audit_.TakePlace(what.request, *outcome->verdict.rule, &places->audit)) {
    outcome->Fail(Stage::kAudit, {ttrpc::StatusCode::kUnavailable, "audit is failing"});
    return false;
  }
  const auto limit = within_rate ? TakeCallPlace(&places->call) : Limit::kRequestsPerSecondPerUser;
  if (limit) outcome->Fail(*limit, LimitReached(*limit, worker_.limits()));
  return !limit;
}

std::optional<Limit> Peer::TakeCallPlace(CallPlace* place) {
  const LimitsConfig& limits = worker_.limits();
  if (const auto limit = worker_.accounting().Buffered(place_.account(), limits)) return limit;
  if (calls_.size() >= limits.calls_per_connection) return Limit::kCallsPerConnection;
  if (!place_.account().TakeCall(limits.calls_per_user, place)) return Limit::kCallsPerUser;
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
  SetMetadata(config().backends[rule.backend], request);
  const size_t size = ttrpc::EncodedRequestSize(*request);
  const uint32_t limit = worker_.limits().message_size;
  if (size <= limit) return size;
  outcome->Fail(Stage::kForwardedSize, MessageTooLong(size, limit));
  return std::nullopt;
}

BackendConnection* Peer::FindBackend(const RuleConfig& rule, const StreamState& state,
                                     Outcome* outcome) {
  const FoundBackend found = BackendFor(generation_->backend(rule.backend), state);
  if (const Limit* reached = std::get_if<Limit>(&found)) {
    outcome->Fail(*reached, BackendLimitReached(*reached, worker_.backend_limits()));
    return nullptr;
  }
  BackendConnection* const connection = std::get<BackendConnection*>(found);
  if (connection == nullptr)
    outcome->Fail(Stage::kBackend, CannotBeReached(config().backends[rule.backend]));
  return connection;
}

// Only the proxy may name a peer to a backend.
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
  call->request_bytes = what.bytes;
  const ttrpc::MessageHeader header = {
      .length = static_cast<uint32_t>(size),
      .stream_id = call->backend_id,
      .type = ttrpc::MessageType::kRequest,
      .flags = RequestFlagsToBackend(what.flags, request.payload.empty())};
  ttrpc::Connection& backend = call->backend->connection();
  ttrpc::EncodeRequest(request, backend.Begin(header));
  StopIfFull(backend);
  call->bytes = MemoryOf(*call);
  call_bytes_ += call->bytes;
  const uint32_t id = call->id;
  calls_.Insert(id, std::move(call));
}

void Peer::StartDeadline(Call* call, std::chrono::nanoseconds timeout) {
  if (timeout.count() == 0) return;
  call->deadline = std::make_unique<ttrpc::Timer>(
      worker_.loop(), [this, call] { GiveUp(*call, DeadlineExceeded()); });
  call->deadline->Start(timeout);
}

FoundBackend Peer::BackendFor(const Ref<Backend>& backend, const StreamState& state) {
  if (backend->config().connections == BackendConfig::Connections::kPerPeer)
    return OwnBackend(backend);
  if (state.unary()) return Shared(backend).Connection(place_);
  const FoundBackend found = OwnBackend(backend);
  // Of this call alone: it takes no other, and goes with it.
  auto* const* connection = std::get_if<BackendConnection*>(&found);
  if (connection != nullptr && *connection != nullptr) (*connection)->RetireAfterNext();
  return found;
}

// Of its own connections to the backend, the one that takes calls.
FoundBackend Peer::OwnBackend(const Ref<Backend>& backend) {
  for (const auto& connection : backends_) {
    if (&connection->backend() == backend.get() && connection->takes_calls())
      return connection.get();
  }
  BackendPlace place;
  if (const auto limit = place_.TakeBackend(worker_.backend_limits(), &place)) return *limit;
  auto connection = BackendConnection::Open(worker_, backend, *this, std::move(place));
  if (!connection) return nullptr;
  return backends_.emplace_back(std::move(connection)).get();
}

SharedBackend& Peer::Shared(const Ref<Backend>& backend) {
  for (SharedBackend* shared : shared_) {
    if (&shared->backend() == backend.get()) return *shared;
  }
  return *shared_.emplace_back(&worker_.shared_backends().Join(*this, backend));
}

}  // namespace proxyd
