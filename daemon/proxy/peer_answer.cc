// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that forwards the backends' messages to the peer and ends calls. Each call gets
// at most one answer, from its backend or from the proxy.
#include <utility>

#include "proxy/answers.h"
#include "proxy/peer.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/response.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

// Messages of a backend.

void Peer::OnBackendMessage(Call& call, const ttrpc::MessageHeader& header, std::string_view data) {
  call.response_bytes += data.size();
  const BackendMessage what = call.state.OnBackendMessage(header);
  if (what == BackendMessage::kRefuse) {
    context_.counters.Count(ProtocolError::kBackendData);
    const Status status = BackendStatus(StatusCode::kInternal, call.backend->backend().config(),
                                        "sent data on a unary call");
    return AnswerCall(call, status,
                      {.reason = AuditReason::kMalformed, .limit = {}, .detail = status.message()});
  }
  StatusCode code = StatusCode::kOk;
  std::string_view payload = data;
  // A response that cannot be parsed is forwarded unchanged: the peer has to judge it.
  if (header.type == ttrpc::MessageType::kResponse) code = ttrpc::ReadResponse(data, &payload);
  audit_.Payload(call, true, payload);
  ForwardToPeer(call, header, data);
  if (what == BackendMessage::kForwardAndEnd) EndCall(call, code);
}

void Peer::ForwardToPeer(const Call& call, ttrpc::MessageHeader header, std::string_view data) {
  header.stream_id = call.id;
  connection_.Send(header, data);
  StopIfFull(connection_);
}

void Peer::OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) {
  const Status status = ttrpc::MessageTooLong(header.length, context_.limits().message_size);
  AnswerCall(call, status,
             {.reason = AuditReason::kLimit, .limit = kMessageSizeKey, .detail = status.message()});
}

// Answers of the proxy itself.

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
  AnswerCall(call, outcome.status, outcome.cause());
}

void Peer::AnswerCall(Call& call, const Status& status, const AuditCause& cause) {
  // The backend may still work on the call, and only the end of its connection stops it. A shared
  // connection stays open, and the late reply is dropped.
  if (backends_.Has(*call.backend)) call.backend->Retire();
  GiveUp(call, status, cause);
}

// The connection stays open for other calls: the backend was given the deadline as well.
void Peer::GiveUp(Call& call, const Status& status, const AuditCause& cause) {
  Answer(call.id, status);
  TellEnd(call, status.code(), cause);
  call.backend->Abandon(&call, &abandoned_);
  Forget(call);
}

// Ends of calls.

// Ends a call that its backend has ended.
void Peer::EndCall(Call& call, StatusCode code) {
  TellEnd(call, code, {});
  call.backend->Remove(call);
  Forget(call);
}

void Peer::Forget(const Call& call) {
  call_bytes_ -= call.bytes;
  context_.spare_calls.Recycle(calls_.Take(call.id));
  CountCalls();
  if (!calls_.empty()) return;
  if (context_.draining || (front_ && front_->gone)) return CloseAfterFlush();
  if (!linger_) timeouts_.AwaitRequest();
}

void Peer::TellEnd(Call& call, StatusCode code, const AuditCause& cause) {
  outcomes_.Ended(call,
                  {.code = code, .duration = context_.loop.Now() - call.start, .cause = cause});
}

void Peer::EndAllCalls(StatusCode code, const AuditCause& cause) {
  calls_.ForEach([&](const auto& call) {
    TellEnd(*call, code, cause);
    call->backend->Abandon(call.get(), &abandoned_);
  });
  calls_.Clear();
  call_bytes_ = calls_counted_ = 0;
}

// Calls that shared backends still work on get a deadline now.
void Peer::LeaveShared() {
  while (!abandoned_.alone()) {
    auto* const call = static_cast<AbandonedCall*>(abandoned_.next);
    call->Leave();
    context_.backends.abandoned_deadlines.Start(&call->deadline);
  }
  for (SharedBackend* shared : shared_) context_.shared_backends.Leave(*this, *shared);
  shared_.clear();
}

}  // namespace proxyd
