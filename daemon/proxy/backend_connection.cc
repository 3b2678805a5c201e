// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_connection.h"

#include <utility>

#include "proxy/answers.h"

namespace proxyd {

namespace {

ttrpc::ConnectionOptions OptionsOf(const BackendContext& context, uid_t uid) {
  ttrpc::ConnectionOptions options;
  options.group = uid;
  options.message_size = context.message_size();
  options.deliver_before_close = true;
  options.bytes = &context.counters.backend_bytes;
  return options;
}

}  // namespace

BackendConnection::BackendConnection(const BackendContext& context, Options options,
                                     BackendConnectionOwner& owner)
    : context_(context),
      backend_(std::move(options.backend)),
      owner_(owner),
      slot_(std::move(options.slot)),
      ahead_(options.ahead),
      connection_(context.loop, this, OptionsOf(context, options.uid)),
      write_deadline_(
          [](void* self) {
            auto* connection = static_cast<BackendConnection*>(self);
            connection->owner_.OnBackendStuck(*connection);
          },
          this) {}

std::unique_ptr<BackendConnection> BackendConnection::Open(const BackendContext& context,
                                                           Options options,
                                                           BackendConnectionOwner& owner) {
  std::unique_ptr<BackendConnection> connection(
      new BackendConnection(context, std::move(options), owner));
  auto dialer = std::make_unique<Dialer>(
      context.loop, connection->backend_,
      [self = connection.get()](DialResult result) { self->OnDialled(std::move(result)); });
  DialResult result = dialer->Start();
  switch (result.state) {
    case DialResult::State::kPending:
      connection->dialer_ = std::move(dialer);
      return connection;
    case DialResult::State::kConnected:
      connection->Start(std::move(result.socket));
      return connection;
    case DialResult::State::kUnreachable:
      break;
  }
  return nullptr;
}

BackendConnection::~BackendConnection() {
  if (counted_) --backend_->counters().connections;
}

void BackendConnection::Start(ttrpc::UniqueFd socket) {
  counted_ = true;
  ++backend_->counters().connections;
  connection_.Start(std::move(socket));
}

void BackendConnection::OnDialled(DialResult result) {
  if (result.state == DialResult::State::kConnected) return Start(std::move(result.socket));
  Close();
  owner_.OnBackendUnreachable(*this);
}

void BackendConnection::Close() {
  if (dialer_) dialer_->Stop();
  write_deadline_.Stop();
  connection_.Close();
  slot_.Release();
  ForgetAbandoned();
}

void BackendConnection::OnWriteBlocked(bool blocked) {
  if (blocked) {
    context_.write_deadlines.Start(&write_deadline_);
  } else {
    write_deadline_.Stop();
  }
}

void BackendConnection::Add(Call* call) {
  call->backend = this;
  call->backend_id = next_id_;
  next_id_ += 2;
  if (next_is_last_ || next_id_ > context_.last_stream_id) Retire();
  calls_.Insert(call->backend_id, call);
  BackendCounters& counters = backend_->counters();
  ++counters.calls_in_flight;
  call->in_flight.start = call->start;
  counters.in_flight.InsertBefore(&call->in_flight);
}

void BackendConnection::SendRequest(const Call& call, const ttrpc::RequestView& request,
                                    size_t size, uint8_t flags) {
  const ttrpc::MessageHeader header = {.length = static_cast<uint32_t>(size),
                                       .stream_id = call.backend_id,
                                       .type = ttrpc::MessageType::kRequest,
                                       .flags = flags};
  ttrpc::EncodeRequest(request, connection_.Begin(header));
}

void BackendConnection::Abandon(Call* call, ttrpc::RingNode* others) {
  calls_.Erase(call->backend_id);
  if (connection_.closed()) {
    call->slot.Release();
    --backend_->counters().calls_in_flight;
  } else {
    const auto late = [](void* self) {
      auto* connection = static_cast<BackendConnection*>(self);
      connection->Retire();
      connection->owner_.OnBackendCallEnded(*connection);
    };
    const auto added =
        abandoned_.try_emplace(call->backend_id, std::move(call->slot), late, this).first;
    others->InsertBefore(&added->second);
    // The abandoned call takes the place of the call, since its work began at the same time.
    added->second.in_flight.start = call->start;
    call->in_flight.InsertBefore(&added->second.in_flight);
    // Nobody waits for the connection, and the backend has not received anything yet.
    if (!counted_ && calls_.empty() && !ahead_) Retire();
  }
  call->in_flight.Leave();
  owner_.OnBackendCallEnded(*this);
}

void BackendConnection::ForgetAbandoned() {
  backend_->counters().calls_in_flight -= abandoned_.size();
  abandoned_.clear();
}

// Must run after the message was handled, since that may have abandoned the call.
void BackendConnection::OnBackendDone(const ttrpc::MessageHeader& header) {
  if (!IsLastOfBackend(header)) return;
  backend_->counters().calls_in_flight -= abandoned_.erase(header.stream_id);
}

Call* BackendConnection::Find(const ttrpc::MessageHeader& header) {
  if (header.type == ttrpc::MessageType::kResponse || header.type == ttrpc::MessageType::kData) {
    if (Call* const* found = calls_.Find(header.stream_id)) return *found;
  }
  context_.counters.Count(ProtocolError::kBackendMessage);
  return nullptr;
}

void BackendConnection::OnMessage(const ttrpc::MessageHeader& header, std::string_view data) {
  if (Call* call = Find(header)) call->owner->OnBackendMessage(*call, header, data);
  if (!abandoned_.empty()) OnBackendDone(header);
}

void BackendConnection::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  context_.counters.Count(ProtocolError::kBackendMessageSize);
  if (Call* call = Find(header)) {
    // The call has ended for its peer. Only the end of the connection makes the backend stop.
    Retire();
    call->owner->OnBackendOversizedMessage(*call, header);
  }
  if (!abandoned_.empty()) OnBackendDone(header);
}

void BackendConnection::OnClosed(ttrpc::CloseReason reason, int) {
  write_deadline_.Stop();
  if (reason == ttrpc::CloseReason::kProtocolError)
    context_.counters.Count(ProtocolError::kBackendHeader);
  slot_.Release();
  ForgetAbandoned();
  owner_.OnBackendClosed(*this, reason);
}

std::optional<ttrpc::Status> StatusOfLoss(const Backend& backend, ttrpc::CloseReason reason) {
  using ttrpc::StatusCode;
  if (reason == ttrpc::CloseReason::kProtocolError)
    return BackendStatus(StatusCode::kUnavailable, backend.config(), "violated the protocol");
  if (backend.fails_calls()) return Disconnected(backend.config());
  return std::nullopt;
}

}  // namespace proxyd
