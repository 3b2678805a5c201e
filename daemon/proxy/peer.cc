// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proxy/worker.h"
#include "ttrpc/response.h"

namespace proxyd {

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

Status StreamIdMustBeOdd() {
  return {StatusCode::kInvalidArgument, "StreamID must be odd for client initiated streams"};
}

Status StreamNotActive() { return {StatusCode::kInvalidArgument, "StreamID is no longer active"}; }

Status Draining() { return {StatusCode::kUnavailable, "draining"}; }

Status MessageTooLong(size_t length, uint32_t limit) {
  return {StatusCode::kResourceExhausted, "message length " + std::to_string(length) +
                                              " exceed maximum message size of " +
                                              std::to_string(limit)};
}

std::string FullMethod(const ttrpc::RequestView& request) {
  return std::string("/").append(request.service).append("/").append(request.method);
}

Status BackendStatus(StatusCode code, const BackendConfig& backend, std::string_view what) {
  return {code, "backend \"" + backend.name + "\" " + std::string(what)};
}

}  // namespace

Peer::Peer(Worker& worker, const PeerIdentity& identity, Admission admission,
           ttrpc::UniqueFd socket)
    : worker_(worker),
      identity_(identity),
      audit_(worker.config(), worker.audit(), identity_),
      admission_(std::move(admission)),
      connection_(worker.loop(), std::move(socket), this, OptionsOf(worker)) {}

Peer::~Peer() = default;

void Peer::Start(std::list<Peer>::iterator position) {
  position_ = position;
  audit_.Connected();
  connection_.Start();
}

const BackendConfig& Peer::ConfigOf(const BackendConnection& connection) const {
  return worker_.config().backends[connection.backend()];
}

// From the peer.

void Peer::OnMessage(const ttrpc::MessageHeader& header, std::string_view data) {
  switch (header.type) {
    case ttrpc::MessageType::kRequest:
      OnRequest(header, data);
      break;
    case ttrpc::MessageType::kData:
      OnData(header, data);
      break;
    default:
      ++worker_.counters().peer_dropped;
      return;
  }
  UpdateReading();
}

void Peer::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  const bool data = header.type == ttrpc::MessageType::kData;
  if (!data && header.type != ttrpc::MessageType::kRequest) {
    ++worker_.counters().peer_dropped;
    return;
  }
  const Status status = MessageTooLong(header.length, worker_.config().limits.message_size);
  const auto call = data ? calls_.find(header.stream_id) : calls_.end();
  if (call != calls_.end()) {
    audit_.Refused(call->second, status.code());
    ++worker_.counters().refused;
    AnswerCall(call->second, status);
  } else {
    Refuse(header.stream_id, status);
  }
  UpdateReading();
}

void Peer::OnRequest(const ttrpc::MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return Refuse(id, StreamIdMustBeOdd());
  if (calls_.contains(id))
    return Refuse(id, {StatusCode::kInvalidArgument, "StreamID cannot be re-used"});

  const ListenerConfig& listener = worker_.config().listeners[identity_.listener];
  const auto unknown_fields = listener.unknown_fields == UnknownFields::kDrop
                                  ? ttrpc::UnknownFieldAction::kDrop
                                  : ttrpc::UnknownFieldAction::kRefuse;
  ttrpc::RequestView& request = worker_.request_buffer();
  Status status = ttrpc::ParseRequest(data, unknown_fields, &request);
  if (status.ok()) status = CheckNames(request);
  if (!status.ok()) return Refuse(id, status);

  const AuditedRequest what = {.request = request, .flags = header.flags, .bytes = data.size()};
  if (status = CheckRequest(what); !status.ok()) {
    audit_.Refused(what, std::nullopt, status.code());
    ++worker_.counters().refused;
    return Answer(id, status);
  }

  const Verdict verdict = worker_.policy().Check(admission_, request);
  audit_.Decided(what, verdict);
  if (!verdict.allowed) {
    ++worker_.counters().denied;
    return Answer(id, {StatusCode::kPermissionDenied, "uid " + std::to_string(identity_.uid) +
                                                          " may not call " + FullMethod(request)});
  }
  StartCall(id, what, &request, *verdict.rule);
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

  const ListenerConfig& listener = worker_.config().listeners[identity_.listener];
  request->timeout_nano = EffectiveTimeout(request->timeout_nano, listener.timeouts, rule.call_max);
  if (request->timeout_nano < 0) return end({StatusCode::kDeadlineExceeded, "deadline exceeded"});

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

  Call& call = calls_.try_emplace(id, StreamState(what.flags)).first->second;
  call.id = id;
  call.rule = rule_index;
  connection->Add(&call);
  Forward(what, *request, &call);
}

void Peer::Forward(const AuditedRequest& what, const ttrpc::RequestView& request, Call* call) {
  ++worker_.counters().calls;
  call->start = std::chrono::steady_clock::now();
  call->request_bytes = what.bytes;
  call->label = audit_.LabelOf(request, call->rule);
  if (request.timeout_nano != 0) {
    call->deadline = std::make_unique<ttrpc::Timer>(worker_.loop(), [this, id = call->id] {
      AnswerCall(calls_.at(id), {StatusCode::kDeadlineExceeded, "deadline exceeded"});
    });
    call->deadline->Start(std::chrono::nanoseconds(request.timeout_nano));
  }
  const ttrpc::MessageHeader header = {
      .length = static_cast<uint32_t>(ttrpc::EncodedRequestSize(request)),
      .stream_id = call->backend_id,
      .type = ttrpc::MessageType::kRequest,
      .flags = RequestFlagsToBackend(what.flags, request.payload.empty())};
  ttrpc::EncodeRequest(request, call->backend->connection().Begin(header));
}

BackendConnection* Peer::BackendFor(size_t backend) {
  for (const auto& connection : backends_) {
    if (connection->backend() == backend && connection->takes_calls()) return connection.get();
  }
  auto connection = BackendConnection::Open(worker_, backend, *this);
  if (!connection) return nullptr;
  return backends_.emplace_back(std::move(connection)).get();
}

void Peer::OnData(const ttrpc::MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return Refuse(id, StreamIdMustBeOdd());
  const auto found = calls_.find(id);
  if (found == calls_.end()) return Refuse(id, StreamNotActive());

  Call& call = found->second;
  call.request_bytes += data.size();
  ttrpc::Connection& backend = call.backend->connection();
  const ttrpc::MessageHeader forwarded = {.stream_id = call.backend_id,
                                          .type = ttrpc::MessageType::kData};
  ttrpc::MessageHeader close = forwarded;
  close.flags = ttrpc::kFlagRemoteClosed | ttrpc::kFlagNoData;
  switch (call.state.OnPeerData(header.flags)) {
    case PeerData::kForward:
      return backend.Send(forwarded, data);
    case PeerData::kForwardThenClose:
      // Go's server takes a payload and the close together for an error.
      backend.Send(forwarded, data);
      return backend.Send(close, {});
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
  if (linger_) linger_->Stop();  // or it might still fire before this is destroyed
  audit_.Disconnected();
  worker_.Bury(this);
}

// From a backend.

void Peer::OnBackendMessage(Call& call, const ttrpc::MessageHeader& header, std::string_view data) {
  call.response_bytes += data.size();
  if (header.type == ttrpc::MessageType::kResponse) {
    ForwardToPeer(call, header, data);
    ttrpc::ResponseView response;
    // A response that cannot be read is the peer's to judge: it goes as it came, and the audit says
    // UNKNOWN.
    const Status parsed = ttrpc::ParseResponse(data, &response);
    EndCall(call, parsed.ok() ? response.code : parsed.code());
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
  UpdateReading();
}

void Peer::ForwardToPeer(const Call& call, ttrpc::MessageHeader header, std::string_view data) {
  header.stream_id = call.id;
  connection_.Send(header, data);
}

void Peer::OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) {
  AnswerCall(call, MessageTooLong(header.length, worker_.config().limits.message_size));
  UpdateReading();
}

void Peer::OnBackendUnreachable(BackendConnection& connection) {
  AnswerCallsOf(connection,
                BackendStatus(StatusCode::kUnavailable, ConfigOf(connection), "cannot be reached"));
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
  for (auto next = calls_.begin(); next != calls_.end();) {
    Call& call = (next++)->second;
    if (call.backend == &connection) AnswerCall(call, status);
  }
  UpdateReading();
}

void Peer::EndCall(Call& call, StatusCode code) {
  audit_.Ended(call, code);
  BackendConnection& backend = *call.backend;
  backend.Remove(call);
  calls_.erase(call.id);
  if (backend.retired() && backend.calls() == 0) Drop(backend);
  if (worker_.draining() && calls_.empty()) CloseAfterFlush();
}

void Peer::EndAllCalls(StatusCode code) {
  for (auto& [id, call] : calls_) {
    audit_.Ended(call, code);
    call.backend->Remove(call);
  }
  calls_.clear();
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
}

void Peer::Drain() {
  if (calls_.empty()) CloseAfterFlush();
}

void Peer::EndDrain() {
  for (auto& [id, call] : calls_) Answer(id, Draining());
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
  connection_.CloseAfterFlush();
  linger_ = std::make_unique<ttrpc::Timer>(worker_.loop(), [this] { Close(); });
  linger_->Start(kLinger);
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
  if (backend_full || (peer_full && connection_.send_queue_size() > most)) {
    connection_.PauseReading();
  } else {
    connection_.ResumeReading();
  }
  for (const auto& backend : backends_) {
    if (peer_full) {
      backend->connection().PauseReading();
    } else {
      backend->connection().ResumeReading();
    }
  }
}

}  // namespace proxyd
