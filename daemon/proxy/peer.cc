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

ttrpc::ConnectionOptions OptionsOf(Worker& worker, uid_t uid) {
  ttrpc::ConnectionOptions options;
  options.group = uid;
  options.message_size = worker.limits().message_size;
  // End of file from a peer means that it is gone: its calls are cancelled at once.
  options.deliver_before_close = false;
  options.bytes = &worker.counters().peer_bytes;
  return options;
}

}  // namespace

Peer::Peer(Worker& worker, NewPeer peer, ttrpc::UniqueFd socket)
    : worker_(worker),
      worker_generation_(worker.generation()),
      generation_(worker_generation_),
      listener_(std::move(peer.listener)),
      identity_(peer.identity),
      audit_(config(), worker.reports(), identity_),
      outcomes_(worker.counters(), audit_, generation_, *listener_),
      groups_(std::move(peer.groups)),
      admission_(std::move(peer.admission)),
      connection_(worker.loop(), std::move(socket), this, OptionsOf(worker, identity_.uid)),
      place_(*std::move(peer.place)),
      timeouts_(listener_->deadlines, *this) {}

Peer::~Peer() = default;

void Peer::Start(std::list<Peer>::iterator position) {
  position_ = position;
  connected_ = worker_.loop().Now();
  ++listener_->peers;
  CountAsPeer(&generation_->listener_counters(*listener_));
  audit_.Connected();
  connection_.Start();
  timeouts_.AwaitFirstRequest();
}

// Reload.

bool Peer::lacks_groups() const {
  return stale() && !linger_ && !group_request_ && !worker_.generation()->Knows(groups_);
}

void Peer::CountAsPeer(ListenerCounters* counters) {
  if (counted_in_ != nullptr) --counted_in_->peers;
  counted_in_ = counters;
  if (counted_in_ != nullptr) ++counted_in_->peers;
}

void Peer::AwaitGroups() {
  group_request_ = worker_.group_reader().Read(identity_.uid, socket(),
                                               worker_.generation()->policy().group_filter(),
                                               [this](ttrpc::Result<PeerGroups> groups) {
                                                 group_request_.reset();
                                                 if (!groups) return Close();
                                                 groups_ = *std::move(groups);
                                                 // Yet another generation may ask for more.
                                                 if (lacks_groups()) return AwaitGroups();
                                                 UpdateReading();
                                                 Reload();
                                               });
  UpdateReading();
}

bool Peer::ReadGroups() {
  const GroupFilterPtr& filter = worker_.generation()->policy().group_filter();
  if (lacks_groups()) {
    auto groups = worker_.group_reader().ReadNow(socket(), filter);
    if (!groups) return false;
    groups_ = *std::move(groups);
  } else if (groups_.filter != filter && !filter->empty()) {
    groups_ = {.groups = filter->Reduce(groups_.groups), .filter = filter};
  }
  return true;
}

void Peer::Reload() {
  if (!stale() || linger_ || group_request_ || gone_) return;
  // The worker has those that are many read before: see AwaitGroups().
  if (!ReadGroups()) return Close();
  generation_ = worker_.generation();
  const Policy& policy = generation_->policy();
  admission_ = policy.Admit(listener_->index.value_or(policy.no_listener()),
                            {.uid = identity_.uid, .gid = identity_.gid, .groups = groups_.groups});
  outcomes_.Reset();
  CountAsPeer(&generation_->listener_counters(*listener_));
  audit_.SetConfig(config());
  if (!admission_.admitted()) {
    audit_.Refused(StatusCode::kPermissionDenied);
    return Close();
  }
  connection_.SetMessageSize(worker_.limits().message_size);
  RetireOldBackends();
}

void Peer::RetireOldBackends() {
  std::vector<BackendConnection*> idle;
  for (const auto& backend : backends_) {
    backend->connection().SetMessageSize(worker_.limits().message_size);
    if (generation_->Has(backend->backend())) continue;
    backend->Retire();
    if (backend->calls() == 0) idle.push_back(backend.get());
  }
  for (BackendConnection* backend : idle) Drop(*backend);
  std::erase_if(shared_, [this](SharedBackend* shared) {
    bool in_use = generation_->Has(shared->backend());
    calls_.ForEach([&](const auto& call) { in_use |= &call->backend->owner() == shared; });
    if (!in_use) worker_.shared_backends().Leave(*this, *shared);
    return !in_use;
  });
  UpdateReading();  // a queue of theirs may be what it was waiting for
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
  if (stale()) Reload();
  if (gone_) return;
  switch (header.type) {
    case ttrpc::MessageType::kRequest:
      timeouts_.RequestCame();
      OnRequest(header, data);
      if (calls_.empty() && !linger_) timeouts_.AwaitRequest();
      CountCalls();  // which may close it
      break;
    case ttrpc::MessageType::kData:
      OnData(header, data);
      break;
    default:
      worker_.counters().Count(ProtocolError::kPeerMessageType);
  }
}

void Peer::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  if (stale()) Reload();
  if (gone_) return;
  const bool data = header.type == ttrpc::MessageType::kData;
  if (!data && header.type != ttrpc::MessageType::kRequest) {
    worker_.counters().Count(ProtocolError::kPeerMessageType);
    return;
  }
  Status status = MessageTooLong(header.length, worker_.limits().message_size);
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
      // Go's server takes a payload and the close together for an error.
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

void Peer::OnClosed(ttrpc::CloseReason reason, int) {
  if (reason == ttrpc::CloseReason::kProtocolError)
    worker_.counters().Count(ProtocolError::kPeerHeader);
  gone_ = true;
  group_request_.reset();
  --listener_->peers;
  CountAsPeer(nullptr);
  EndAllCalls(StatusCode::kCancelled);
  for (const auto& backend : backends_) backend->Close();
  LeaveShared();
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
    ttrpc::ResponseView response;
    // One that cannot be read is the peer's to judge: it goes as it came.
    const StatusCode code = ttrpc::ReadResponse(data, &response);
    audit_.Payload(call, true, response.payload);
    ForwardToPeer(call, header, data);
    EndCall(call, code);
  } else {
    switch (call.state.OnBackendData(header.flags)) {
      case BackendMessage::kForward:
        audit_.Payload(call, true, data);
        ForwardToPeer(call, header, data);
        break;
      case BackendMessage::kForwardAndEnd:
        audit_.Payload(call, true, data);
        ForwardToPeer(call, header, data);
        EndCall(call, StatusCode::kOk);
        break;
      case BackendMessage::kRefuse:
        worker_.counters().Count(ProtocolError::kBackendData);
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
  AnswerCall(call, MessageTooLong(header.length, worker_.limits().message_size));
}

void Peer::OnBackendUnreachable(BackendConnection& connection) {
  AnswerCallsOf(connection, CannotBeReached(ConfigOf(connection)));
}

void Peer::OnBackendStuck(BackendConnection& connection) {
  ++worker_.counters().timed_out;
  AnswerCallsOf(connection, TakesNoRequests(ConfigOf(connection)));
}

void Peer::OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) {
  if (const auto status = StatusOfLoss(ConfigOf(connection), reason)) {
    AnswerCallsOf(connection, *status);
  } else {
    LoseBackend();
  }
}

void Peer::LoseBackend() {
  EndAllCalls(StatusCode::kUnavailable);
  CloseAfterFlush();
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

void Peer::Conclude(uint32_t id, const Outcome& outcome, const AuditedRequest* what) {
  outcomes_.Stopped(outcome, what);
  Answer(id, outcome.status);
}

void Peer::Refuse(uint32_t id, Stage stage, Status status) {
  Outcome outcome;
  outcome.Fail(stage, std::move(status));
  Conclude(id, outcome, nullptr);
}

void Peer::RefuseCall(Call& call, Stage stage, Status status) {
  Outcome outcome;
  outcome.Fail(stage, std::move(status));
  outcomes_.Refused(call, outcome);
  AnswerCall(call, outcome.status);
}

void Peer::AnswerCall(Call& call, const Status& status) {
  // The backend may still be at work on it: nothing but the end of its connection tells it to stop.
  // Of one that others share, the late reply is dropped.
  if (&call.backend->owner() == this) call.backend->Retire();
  GiveUp(call, status);
}

// The connection stays for other calls: the backend was told the deadline, if it is that.
void Peer::GiveUp(Call& call, const Status& status) {
  Answer(call.id, status);
  TellEnd(call, status.code());
  call.backend->Abandon(&call, &abandoned_);
  Forget(call);
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

// By the backend.
void Peer::EndCall(Call& call, StatusCode code) {
  TellEnd(call, code);
  call.backend->Remove(call);
  Forget(call);
}

void Peer::Forget(const Call& call) {
  call_bytes_ -= call.bytes;
  worker_.Recycle(calls_.Take(call.id));
  CountCalls();
  if (!calls_.empty()) return;
  if (worker_.draining()) return CloseAfterFlush();
  if (!linger_) timeouts_.AwaitRequest();
}

void Peer::TellEnd(Call& call, StatusCode code) {
  outcomes_.Ended(call, code, worker_.loop().Now() - call.start);
}

void Peer::EndAllCalls(StatusCode code) {
  calls_.ForEach([&](const auto& call) {
    TellEnd(*call, code);
    call->backend->Abandon(call.get(), &abandoned_);
  });
  calls_.Clear();
  call_bytes_ = calls_counted_ = 0;
}

void Peer::OnBackendCallEnded(BackendConnection& connection) {
  if (connection.retired() && connection.calls() == 0) Drop(connection);
}

void Peer::LeaveShared() {
  while (!abandoned_.alone()) {
    auto* const call = static_cast<AbandonedCall*>(abandoned_.next);
    call->Leave();
    worker_.abandoned_deadlines().Start(&call->deadline);
  }
  for (SharedBackend* shared : shared_) worker_.shared_backends().Leave(*this, *shared);
  shared_.clear();
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
  LeaveShared();
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
  for (const SharedBackend* shared : shared_) backend_full |= shared->send_queue_full();
  const size_t most =
      size_t{worker_.limits().message_size} + 2 * ttrpc::ConnectionOptions().send_queue_high;
  const bool peer_full = connection_.send_queue_full();
  // A connection that others share is read all the same: this peer's replies must not become more.
  const bool too_full = peer_full && (!shared_.empty() || connection_.send_queue_size() > most);
  if (held_up_ || group_request_ || backend_full || too_full) {
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
