// SPDX-License-Identifier: Apache-2.0
//
// The life cycle of a Peer, and the dispatch of its messages.
#include "proxy/peer.h"

#include <string>
#include <utility>

#include "proxy/answers.h"
#include "ttrpc/wire/codec.h"

namespace proxyd {

using ttrpc::MessageTooLong;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

// How long a closing peer may take to read what was still sent to it.
constexpr auto kLinger = std::chrono::seconds(30);

ttrpc::ConnectionOptions OptionsOf(const PeerContext& context, uid_t uid) {
  ttrpc::ConnectionOptions options;
  options.group = uid;
  options.message_size = context.limits().message_size;
  // A peer that has closed its side counts as gone: its calls are cancelled at once.
  options.deliver_before_close = false;
  options.bytes = &context.counters.peer_bytes;
  return options;
}

}  // namespace

Peer::Peer(const PeerContext& context, NewPeer peer, ttrpc::UniqueFd socket)
    : context_(context),
      generation_(context.generation),
      listener_(std::move(peer.listener)),
      front_(std::move(peer.front)),
      identity_(peer.identity),
      audit_(config(), context.reports, identity_),
      outcomes_(context.counters, audit_, generation_, *listener_),
      groups_(std::move(peer.groups)),
      admission_(std::move(peer.admission)),
      connection_(context.loop, std::move(socket), this, OptionsOf(context, identity_.uid)),
      slot_(*std::move(peer.slot)),
      timeouts_(listener_->deadlines, *this),
      backends_(context.backends, identity_.uid, *this) {}

Peer::~Peer() = default;

void Peer::Start(std::list<Peer>::iterator position) {
  position_ = position;
  connected_ = context_.loop.Now();
  ++listener_->peers;
  if (front_) ++front_->peers;
  CountAsPeer(&generation_->listener_counters(*listener_));
  audit_.Connected();
  connection_.Start();
  timeouts_.AwaitFirstRequest();
  LearnUser();
  if (front_) ConnectAhead();
}

void Peer::CountAsPeer(ListenerCounters* counters) {
  if (counted_in_ != nullptr) --counted_in_->peers;
  counted_in_ = counters;
  if (counted_in_ != nullptr) ++counted_in_->peers;
}

// Messages.

void Peer::OnMessage(const ttrpc::MessageHeader& header, std::string_view data) {
  if (stale()) Reload();
  if (gone_) return;
  switch (header.type) {
    case ttrpc::MessageType::kRequest:
      timeouts_.RequestCame();
      OnRequest(header, data);
      if (calls_.empty() && !linger_) timeouts_.AwaitRequest();
      CountCalls();  // may close the peer
      break;
    case ttrpc::MessageType::kData:
      OnData(header, data);
      break;
    default:
      context_.counters.Count(ProtocolError::kPeerMessageType);
  }
}

void Peer::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  if (stale()) Reload();
  if (gone_) return;
  const bool data = header.type == ttrpc::MessageType::kData;
  if (!data && header.type != ttrpc::MessageType::kRequest) {
    context_.counters.Count(ProtocolError::kPeerMessageType);
    return;
  }
  Status status = MessageTooLong(header.length, context_.limits().message_size);
  const auto* call = data ? calls_.Find(header.stream_id) : nullptr;
  if (call != nullptr) {
    RefuseCall(**call, Stage::kTooLong, std::move(status));
  } else {
    Refuse(header.stream_id, Stage::kTooLong, std::move(status));
  }
}

void Peer::OnData(const ttrpc::MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return Refuse(id, Stage::kData, StreamIdMustBeOdd());
  const auto* found = calls_.Find(id);
  if (found == nullptr) return Refuse(id, Stage::kData, StreamNotActive());

  Call& call = **found;
  call.request_bytes += data.size();
  ttrpc::Connection& backend = call.backend->connection();
  const ttrpc::MessageHeader forwarded = {.stream_id = call.backend_id,
                                          .type = ttrpc::MessageType::kData};
  ttrpc::MessageHeader close = forwarded;
  close.flags = ttrpc::kFlagRemoteClosed | ttrpc::kFlagNoData;
  switch (call.state.OnPeerData(header.flags)) {
    case PeerData::kForward:
      audit_.Payload(call, false, data);
      backend.Send(forwarded, data);
      return StopIfFull(backend);
    case PeerData::kForwardThenClose:
      audit_.Payload(call, false, data);
      // Go's server treats a payload together with the close as an error.
      backend.Send(forwarded, data);
      backend.Send(close, {});
      return StopIfFull(backend);
    case PeerData::kClose:
      return backend.Send(close, {});
    case PeerData::kDrop:
      return;
    case PeerData::kRefuse:
      return RefuseCall(call, Stage::kData, StreamNotActive());
  }
}

// Reload.

bool Peer::lacks_groups() const {
  return stale() && !linger_ && !group_request_ && !context_.generation->Knows(groups_);
}

void Peer::AwaitGroups() {
  group_request_ = context_.group_reader.Read(identity_.uid, socket(),
                                              context_.generation->policy().group_filter(),
                                              [this](ttrpc::Result<PeerGroups> groups) {
                                                group_request_.reset();
                                                if (!groups) return Close();
                                                groups_ = *std::move(groups);
                                                // Another reload in between may need more groups.
                                                if (lacks_groups()) return AwaitGroups();
                                                UpdateReading();
                                                Reload();
                                              });
  UpdateReading();
}

bool Peer::ReadGroups() {
  const GroupFilterPtr& filter = context_.generation->policy().group_filter();
  if (lacks_groups()) {
    auto groups = context_.group_reader.ReadNow(socket(), filter);
    if (!groups) return false;
    groups_ = *std::move(groups);
  } else if (groups_.filter != filter && !filter->empty()) {
    groups_ = {.groups = filter->Reduce(groups_.groups), .filter = filter};
  }
  return true;
}

void Peer::Reload() {
  if (!stale() || linger_ || group_request_ || gone_) return;
  // The groups of a peer with many were requested before: see AwaitGroups().
  if (!ReadGroups()) return Close();
  generation_ = context_.generation;
  const Policy& policy = generation_->policy();
  admission_ = policy.Admit(listener_->index.value_or(policy.no_listener()),
                            {.uid = identity_.uid, .gid = identity_.gid, .groups = groups_.groups});
  outcomes_.Reset();
  CountAsPeer(&generation_->listener_counters(*listener_));
  audit_.SetConfig(config());
  if (!admission_.admitted()) {
    const AuditCause cause = {.reason = AuditReason::kNotAdmitted, .limit = {}, .detail = {}};
    audit_.Refused(StatusCode::kPermissionDenied, cause);
    return Close(cause);
  }
  connection_.SetMessageSize(context_.limits().message_size);
  // The user may have got a name since. A message that is being handled counts as one of a user
  // without a name until it is known.
  if (user_ && user_->empty()) user_.reset();
  LearnUser();
  RetireOldBackends();
}

void Peer::RetireOldBackends() {
  backends_.Reload();
  std::erase_if(shared_, [this](SharedBackend* shared) {
    bool in_use = generation_->Has(shared->backend());
    calls_.ForEach([&](const auto& call) { in_use |= shared->Carries(*call); });
    if (!in_use) context_.shared_backends.Leave(*this, *shared);
    return !in_use;
  });
  UpdateReading();  // the peer may have waited for one of their queues
}

// Closing.

void Peer::OnTimeout(PeerTimeout timeout) {
  ++context_.counters.timed_out;
  ++counted_in_->timeouts[static_cast<size_t>(timeout)];
  const std::string_view name = kPeerTimeoutNames[static_cast<size_t>(timeout)];
  const std::string detail = "timeout " + std::string(name) + " expired";
  Close({.reason = AuditReason::kDeadline, .limit = {}, .detail = detail});
}

void Peer::CloseForLimit(Limit limit) {
  const ttrpc::Status status = LimitReached(limit, context_.limits());
  const AuditCause cause = {
      .reason = AuditReason::kLimit, .limit = NameOf(limit), .detail = status.message()};
  outcomes_.Closed(limit, cause);
  Close(cause);
}

void Peer::LoseBackend(const BackendConfig& backend) {
  const Status status = Disconnected(backend);
  EndAllCalls(StatusCode::kUnavailable,
              {.reason = AuditReason::kBackendLost, .limit = {}, .detail = status.message()});
  CloseAfterFlush();
}

void Peer::EndDrain() {
  calls_.ForEach([this](const auto& call) { Answer(call->id, Draining()); });
  EndAllCalls(StatusCode::kUnavailable,
              {.reason = AuditReason::kDraining, .limit = {}, .detail = {}});
  CloseAfterFlush();
}

// The peer may still read what was sent to it, for a while; its backend connections are closed now.
void Peer::CloseAfterFlush() {
  if (linger_) return;
  backends_.Close();
  LeaveShared();
  UpdateHeld();
  timeouts_.RequestCame();  // no further request is awaited
  connection_.CloseAfterFlush();
  linger_ = std::make_unique<ttrpc::Timer>(context_.loop, [this] { Close(); });
  linger_->Start(kLinger);
}

void Peer::Close(const AuditCause& cause) {
  connection_.Close();
  TearDown(cause);
}

void Peer::OnClosed(ttrpc::CloseReason reason, int) {
  AuditCause cause;
  if (reason == ttrpc::CloseReason::kProtocolError) {
    context_.counters.Count(ProtocolError::kPeerHeader);
    cause = {.reason = AuditReason::kMalformed,
             .limit = {},
             .detail = "the first byte of a message header is not zero"};
  }
  TearDown(cause);
}

void Peer::TearDown(const AuditCause& cause) {
  gone_ = true;
  group_request_.reset();
  user_request_.reset();
  --listener_->peers;
  if (front_) --front_->peers;
  CountAsPeer(nullptr);
  EndAllCalls(StatusCode::kCancelled, cause);
  backends_.Close();
  LeaveShared();
  // These timers could still fire before the peer is destroyed.
  if (linger_) linger_->Stop();
  timeouts_.Stop();
  slot_.SetBuffered(0);
  audit_.Disconnected(cause);
  context_.owner.OnPeerClosed(*this);
}

}  // namespace proxyd
