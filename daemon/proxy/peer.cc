// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proxy/answers.h"
#include "proxy/worker.h"
#include "ttrpc/codec.h"
#include "ttrpc/response.h"

namespace proxyd {

using ttrpc::MessageTooLong;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

// How long a peer that is to be closed may take to read what was still sent to it.
constexpr auto kLinger = std::chrono::seconds(30);

ttrpc::ConnectionOptions OptionsOf(const Worker& worker) {
  ttrpc::ConnectionOptions options;
  options.message_size = worker.config().limits.message_size;
  // End of file from a peer means that it is gone: its calls are cancelled at once.
  options.deliver_before_close = false;
  return options;
}

}  // namespace

Peer::Peer(Worker& worker, NewPeer peer, ttrpc::UniqueFd socket)
    : worker_(worker),
      identity_(peer.identity),
      audit_(worker.config(), worker.audit(), identity_),
      admission_(std::move(peer.admission)),
      connection_(worker.loop(), std::move(socket), this, OptionsOf(worker)),
      place_(std::move(peer.place)),
      timeouts_(worker.deadlines(identity_.listener), *this) {}

Peer::~Peer() = default;

void Peer::Start(std::list<Peer>::iterator position) {
  position_ = position;
  audit_.Connected();
  connection_.Start();
  timeouts_.AwaitFirstRequest();
}

// Memory.

void Peer::UpdateHeld() {
  size_t held = connection_.held();
  for (const auto& backend : backends_) held += backend->connection().held();
  const bool grew = held > place_.buffered();
  place_.SetBuffered(held);
  if (grew) worker_.pressure().OnGrowth(*this);
}

void Peer::HoldUp(bool held_up) {
  if (held_up_ == held_up) return;
  held_up_ = held_up;
  looks_ = 0;
  UpdateReading();
}

void Peer::CloseForLimit(Limit limit) {
  worker_.counters().CountRefusal(limit);
  audit_.Refused(StatusCode::kResourceExhausted);
  Close();
}

void Peer::OnTimeout() {
  ++worker_.counters().timed_out;
  Close();
}

const BackendConfig& Peer::ConfigOf(const BackendConnection& connection) const {
  return connection.backend().config();
}

// From the peer.

void Peer::OnMessage(const ttrpc::MessageHeader& header, std::string_view data) {
  switch (header.type) {
    case ttrpc::MessageType::kRequest:
      timeouts_.RequestCame();
      OnRequest(header, data);
      if (calls_.empty() && !linger_) timeouts_.AwaitRequest();
      break;
    case ttrpc::MessageType::kData:
      OnData(header, data);
      break;
    default:
      ++worker_.counters().peer_dropped;
  }
}

void Peer::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  const bool data = header.type == ttrpc::MessageType::kData;
  if (!data && header.type != ttrpc::MessageType::kRequest) {
    ++worker_.counters().peer_dropped;
    return;
  }
  const Status status = MessageTooLong(header.length, worker_.config().limits.message_size);
  const auto* call = data ? calls_.Find(header.stream_id) : nullptr;
  if (call != nullptr) {
    audit_.Refused(**call, status.code());
    ++worker_.counters().refused;
    AnswerCall(**call, status);
  } else {
    Refuse(header.stream_id, status);
  }
}

void Peer::OnRequest(const ttrpc::MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return Refuse(id, StreamIdMustBeOdd());
  if (calls_.Find(id) != nullptr) return Refuse(id, StreamIdInUse());

  const ListenerConfig& listener = worker_.config().listeners[identity_.listener];
  const auto unknown_fields = listener.unknown_fields == UnknownFields::kDrop
                                  ? ttrpc::UnknownFieldAction::kDrop
                                  : ttrpc::UnknownFieldAction::kRefuse;
  ttrpc::RequestView& request = worker_.request_buffer();
  Status status = ttrpc::ParseRequest(data, unknown_fields, &request);
  const uint32_t rate = worker_.config().limits.requests_per_second_per_user;
  over_rate_ =
      status.ok() && rate != 0 && !place_.account().TakeRequest(rate, UserAccount::Clock::now());
  const bool known = status.ok() && IsKnown(request);
  if (status.ok() && !known) status = CheckNames(request);
  if (!status.ok()) return Refuse(id, status);

  const AuditedRequest what = {.request = request, .flags = header.flags, .bytes = data.size()};
  if (status = CheckRequest(what); !status.ok()) {
    audit_.Refused(what, std::nullopt, status.code());
    ++worker_.counters().refused;
    return Answer(id, status);
  }

  if (known) return StartCall(id, what, &request, known_method_->rule);

  const Verdict verdict = worker_.policy().Check(admission_, request);
  audit_.Decided(what, verdict);
  if (!verdict.allowed) {
    ++worker_.counters().denied;
    return Answer(id, MayNotCall(identity_.uid, request));
  }
  Remember(request, verdict);
  StartCall(id, what, &request, *verdict.rule);
}

bool Peer::IsKnown(const ttrpc::RequestView& request) const {
  return known_method_ != nullptr && request.method == known_method_->method &&
         request.service == known_method_->service;
}

// `verdict` allows.
void Peer::Remember(const ttrpc::RequestView& request, const Verdict& verdict) {
  if (!verdict.by_names_alone || !verdict.shadows.empty()) return;
  if (!known_method_) known_method_ = std::make_unique<KnownMethod>();
  known_method_->service = request.service;
  known_method_->method = request.method;
  known_method_->rule = *verdict.rule;
}

// Metadata, then flags.
Status Peer::CheckRequest(const AuditedRequest& what) const {
  if (Status status = worker_.policy().CheckGuardedMetadata(admission_, what.request.metadata);
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
void Peer::StartCall(uint32_t id, const AuditedRequest& what, ttrpc::RequestView* request,
                     size_t rule_index) {
  const RuleConfig& rule = worker_.config().rules[rule_index];
  const auto refuse = [&](const Status& status) {
    audit_.Refused(what, rule_index, status.code());
    ++worker_.counters().refused;
    Answer(id, status);
  };
  const auto end = [&](const Status& status) {
    audit_.Ended(what, rule_index, status.code());
    Answer(id, status);
  };

  if ((what.flags & ttrpc::kFlagRemoteOpen) != 0 && !rule.streams) {
    return refuse({StatusCode::kInvalidArgument, FullMethod(*request) + " may not stream"});
  }
  if (worker_.draining()) return end(Draining());
  if (worker_.audit().refusing_calls()) return end({StatusCode::kUnavailable, "audit is failing"});

  CallPlace place;
  if (const auto limit = TakePlace(&place)) {
    worker_.counters().CountRefusal(*limit);
    return refuse(LimitReached(*limit, worker_.config().limits));
  }

  const ListenerConfig& listener = worker_.config().listeners[identity_.listener];
  request->timeout_nano = EffectiveTimeout(request->timeout_nano, listener.timeouts, rule.call_max);
  if (request->timeout_nano < 0) return end(DeadlineExceeded());

  const BackendConfig& backend = worker_.config().backends[rule.backend];
  DropReservedMetadata(request);
  if (backend.forward_identity) {
    if (!identity_metadata_) {
      identity_metadata_ =
          std::make_unique<IdentityMetadata>(identity_.uid, identity_.gid, identity_.pid);
    }
    identity_metadata_->AppendTo(request);
  }
  const size_t size = ttrpc::EncodedRequestSize(*request);
  const uint32_t limit = worker_.config().limits.message_size;
  if (size > limit) return refuse(MessageTooLong(size, limit));

  BackendConnection* connection = BackendFor(rule.backend);
  if (connection == nullptr)
    return end(BackendStatus(StatusCode::kUnavailable, backend, "cannot be reached"));

  auto call = worker_.NewCall(StreamState(what.flags));
  call->id = id;
  call->rule = rule_index;
  call->place = std::move(place);
  connection->Add(call.get());
  Forward(what, size, std::move(call));
}

std::optional<Limit> Peer::TakePlace(CallPlace* place) {
  const LimitsConfig& limits = worker_.config().limits;
  if (over_rate_) return Limit::kRequestsPerSecondPerUser;
  if (const auto limit = worker_.accounting().Buffered(place_.account(), limits)) return limit;
  if (calls_.size() >= limits.calls_per_connection) return Limit::kCallsPerConnection;
  if (!place_.account().TakeCall(limits.calls_per_user, place)) return Limit::kCallsPerUser;
  return std::nullopt;
}

// `size`: of the request as it is written.
void Peer::Forward(const AuditedRequest& what, size_t size, std::unique_ptr<Call> call) {
  const ttrpc::RequestView& request = what.request;
  ++worker_.counters().calls;
  call->request_bytes = what.bytes;
  audit_.Label(what, call.get());
  if (request.timeout_nano != 0) {
    call->deadline = std::make_unique<ttrpc::Timer>(
        worker_.loop(), [this, late = call.get()] { AnswerCall(*late, DeadlineExceeded()); });
    call->deadline->Start(std::chrono::nanoseconds(request.timeout_nano));
  }
  const ttrpc::MessageHeader header = {
      .length = static_cast<uint32_t>(size),
      .stream_id = call->backend_id,
      .type = ttrpc::MessageType::kRequest,
      .flags = RequestFlagsToBackend(what.flags, request.payload.empty())};
  ttrpc::Connection& backend = call->backend->connection();
  ttrpc::EncodeRequest(request, backend.Begin(header));
  StopIfFull(backend);
  const uint32_t id = call->id;
  calls_.Insert(id, std::move(call));
}

BackendConnection* Peer::BackendFor(size_t backend) {
  const Ref<Backend>& target = worker_.backend(backend);
  for (const auto& connection : backends_) {
    if (&connection->backend() == target.get() && connection->takes_calls())
      return connection.get();
  }
  auto connection = BackendConnection::Open(worker_, target, *this);
  if (!connection) return nullptr;
  return backends_.emplace_back(std::move(connection)).get();
}

void Peer::OnData(const ttrpc::MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return Refuse(id, StreamIdMustBeOdd());
  const auto* found = calls_.Find(id);
  if (found == nullptr) return Refuse(id, StreamNotActive());

  Call& call = **found;
  call.request_bytes += data.size();
  ttrpc::Connection& backend = call.backend->connection();
  const ttrpc::MessageHeader forwarded = {.stream_id = call.backend_id,
                                          .type = ttrpc::MessageType::kData};
  ttrpc::MessageHeader close = forwarded;
  close.flags = ttrpc::kFlagRemoteClosed | ttrpc::kFlagNoData;
  switch (call.state.OnPeerData(header.flags)) {
    case PeerData::kForward:
      backend.Send(forwarded, data);
      return StopIfFull(backend);
    case PeerData::kForwardThenClose:
      // Go's server takes a payload and the close together for an error.
      backend.Send(forwarded, data);
      backend.Send(close, {});
      return StopIfFull(backend);
    case PeerData::kClose:
      return backend.Send(close, {});
    case PeerData::kDrop:
      ++worker_.counters().peer_dropped;
      return;
    case PeerData::kRefuse:
      audit_.Refused(call, StatusCode::kInvalidArgument);
      ++worker_.counters().refused;
      return AnswerCall(call, StreamNotActive());
  }
}

void Peer::OnClosed(ttrpc::CloseReason reason, int) {
  if (reason == ttrpc::CloseReason::kProtocolError) ++worker_.counters().protocol_errors;
  EndAllCalls(StatusCode::kCancelled);
  for (const auto& backend : backends_) backend->Close();
  // Or they might still fire before this is destroyed.
  if (linger_) linger_->Stop();
  timeouts_.Stop();
  place_.SetBuffered(0);
  audit_.Disconnected();
  worker_.Bury(this);
}

// From a backend.

void Peer::OnBackendMessage(Call& call, const ttrpc::MessageHeader& header, std::string_view data) {
  call.response_bytes += data.size();
  if (header.type == ttrpc::MessageType::kResponse) {
    ForwardToPeer(call, header, data);
    EndCall(call, call.label.start ? CodeForAudit(data) : StatusCode::kOk);
  } else {
    switch (call.state.OnBackendData(header.flags)) {
      case BackendMessage::kForward:
        ForwardToPeer(call, header, data);
        break;
      case BackendMessage::kForwardAndEnd:
        ForwardToPeer(call, header, data);
        EndCall(call, StatusCode::kOk);
        break;
      case BackendMessage::kRefuse:
        AnswerCall(call, BackendStatus(StatusCode::kInternal, ConfigOf(*call.backend),
                                       "sent data on a unary call"));
        break;
    }
  }
}

void Peer::ForwardToPeer(const Call& call, ttrpc::MessageHeader header, std::string_view data) {
  header.stream_id = call.id;
  connection_.Send(header, data);
  StopIfFull(connection_);
}

void Peer::OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) {
  AnswerCall(call, MessageTooLong(header.length, worker_.config().limits.message_size));
}

void Peer::OnBackendUnreachable(BackendConnection& connection) {
  AnswerCallsOf(connection,
                BackendStatus(StatusCode::kUnavailable, ConfigOf(connection), "cannot be reached"));
}

void Peer::OnBackendStuck(BackendConnection& connection) {
  ++worker_.counters().timed_out;
  AnswerCallsOf(connection,
                BackendStatus(StatusCode::kUnavailable, ConfigOf(connection), "takes no requests"));
}

void Peer::OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) {
  const BackendConfig& config = ConfigOf(connection);
  if (reason == ttrpc::CloseReason::kProtocolError) {
    ++worker_.counters().protocol_errors;
    AnswerCallsOf(connection,
                  BackendStatus(StatusCode::kUnavailable, config, "broke the protocol"));
  } else if (config.on_disconnect == BackendConfig::OnDisconnect::kFailCalls) {
    AnswerCallsOf(connection, BackendStatus(StatusCode::kUnavailable, config, "disconnected"));
  } else {
    EndAllCalls(StatusCode::kUnavailable);
    CloseAfterFlush();
  }
}

// Answers and ends.

void Peer::Answer(uint32_t id, const Status& status) {
  const ttrpc::MessageHeader header = {
      .length = static_cast<uint32_t>(ttrpc::EncodedResponseSize(status)),
      .stream_id = id,
      .type = ttrpc::MessageType::kResponse};
  ttrpc::EncodeResponse(status, connection_.Begin(header));
  StopIfFull(connection_);
}

void Peer::Refuse(uint32_t id, const Status& status) {
  audit_.Refused(status.code());
  ++worker_.counters().refused;
  Answer(id, status);
}

// The backend may still be at work on it: nothing but the end of its connection tells it to stop.
void Peer::AnswerCall(Call& call, const Status& status) {
  Answer(call.id, status);
  call.backend->Retire();
  EndCall(call, status.code());
}

void Peer::AnswerCallsOf(BackendConnection& connection, const Status& status) {
  connection.Retire();
  if (connection.calls() == 0) Drop(connection);
  // The last EndCall() drops the connection, which stays until this wake-up's callbacks are done.
  std::vector<Call*> answered;
  calls_.ForEach([&](const auto& call) {
    if (call->backend == &connection) answered.push_back(call.get());
  });
  for (Call* call : answered) AnswerCall(*call, status);
}

void Peer::EndCall(Call& call, StatusCode code) {
  audit_.Ended(call, code);
  BackendConnection& backend = *call.backend;
  backend.Remove(call);
  worker_.Recycle(calls_.Take(call.id));
  if (backend.retired() && backend.calls() == 0) Drop(backend);
  if (!calls_.empty()) return;
  if (worker_.draining()) return CloseAfterFlush();
  if (!linger_) timeouts_.AwaitRequest();
}

void Peer::EndAllCalls(StatusCode code) {
  calls_.ForEach([&](const auto& call) {
    audit_.Ended(*call, code);
    call->backend->Remove(*call);
  });
  calls_.Clear();
}

void Peer::Drop(BackendConnection& connection) {
  const auto found =
      std::find_if(backends_.begin(), backends_.end(),
                   [&connection](const auto& owned) { return owned.get() == &connection; });
  if (found == backends_.end()) return;
  connection.Close();
  worker_.Bury(std::move(*found));
  backends_.erase(found);
  UpdateReading();  // its full queue may be what the peer was waiting for
  UpdateHeld();
}

void Peer::EndDrain() {
  calls_.ForEach([this](const auto& call) { Answer(call->id, Draining()); });
  EndAllCalls(StatusCode::kUnavailable);
  CloseAfterFlush();
}

void Peer::Close() {
  connection_.Close();
  OnClosed(ttrpc::CloseReason::kFlushed, 0);
}

// The peer reads what was sent to it, if it does so in time; the backends' connections end now.
void Peer::CloseAfterFlush() {
  if (linger_) return;
  for (const auto& backend : backends_) backend->Close();
  UpdateHeld();
  timeouts_.RequestCame();  // none is awaited any more
  connection_.CloseAfterFlush();
  linger_ = std::make_unique<ttrpc::Timer>(worker_.loop(), [this] { Close(); });
  linger_->Start(kLinger);
}

void Peer::StopIfFull(const ttrpc::Connection& queue) {
  if (queue.send_queue_full()) UpdateReading();
}

// Who is not read while a send queue is full: the peer, if it is a backend's; the backends, if it
// is the peer's. The answers of our own to a peer that does not read are bounded, too, but far
// above, so that no reply stops requests.
void Peer::UpdateReading() {
  bool backend_full = false;
  for (const auto& backend : backends_) backend_full |= backend->connection().send_queue_full();
  const size_t most =
      size_t{worker_.config().limits.message_size} + 2 * ttrpc::ConnectionOptions().send_queue_high;
  const bool peer_full = connection_.send_queue_full();
  if (held_up_ || backend_full || (peer_full && connection_.send_queue_size() > most)) {
    connection_.PauseReading();
  } else {
    connection_.ResumeReading();
  }
  for (const auto& backend : backends_) {
    if (held_up_ || peer_full) {
      backend->connection().PauseReading();
    } else {
      backend->connection().ResumeReading();
    }
  }
}

}  // namespace proxyd
