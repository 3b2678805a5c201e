// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_connection.h"

#include <optional>
#include <utility>

#include "proxy/answers.h"
#include "proxy/worker.h"

namespace proxyd {

namespace {

ttrpc::ConnectionOptions OptionsOf(Worker& worker, const BackendConnectionOwner& owner) {
  ttrpc::ConnectionOptions options;
  options.group = owner.uid();
  options.message_size = worker.limits().message_size;
  options.deliver_before_close = true;
  options.bytes = &worker.counters().backend_bytes;
  return options;
}

}  // namespace

BackendConnection::BackendConnection(Worker& worker, Ref<Backend> backend,
                                     BackendConnectionOwner& owner)
    : worker_(worker),
      backend_(std::move(backend)),
      owner_(owner),
      connection_(worker.loop(), this, OptionsOf(worker, owner)),
      write_deadline_(
          [](void* self) {
            auto* connection = static_cast<BackendConnection*>(self);
            connection->owner_.OnBackendStuck(*connection);
          },
          this) {}

std::unique_ptr<BackendConnection> BackendConnection::Open(Worker& worker, Ref<Backend> backend,
                                                           BackendConnectionOwner& owner,
                                                           BackendPlace place) {
  auto connection = std::make_unique<BackendConnection>(worker, backend, owner);
  connection->place_ = std::move(place);
  auto dialer = std::make_unique<Dialer>(
      worker.loop(), std::move(backend),
      [self = connection.get()](ttrpc::UniqueFd socket) { self->OnDialled(std::move(socket)); });
  std::optional<ttrpc::UniqueFd> socket = dialer->Start();
  if (!socket) {
    connection->dialer_ = std::move(dialer);
  } else if (*socket) {
    connection->Start(*std::move(socket));
  } else {
    return nullptr;
  }
  return connection;
}

BackendConnection::~BackendConnection() {
  if (counted_) --backend_->counters().connections;
}

void BackendConnection::Start(ttrpc::UniqueFd socket) {
  counted_ = true;
  ++backend_->counters().connections;
  connection_.Start(std::move(socket));
}

void BackendConnection::OnDialled(ttrpc::UniqueFd socket) {
  if (socket) return Start(std::move(socket));
  Close();
  owner_.OnBackendUnreachable(*this);
}

void BackendConnection::Close() {
  if (dialer_) dialer_->Stop();
  write_deadline_.Stop();
  connection_.Close();
  place_.Leave();
  ForgetAbandoned();
}

void BackendConnection::OnWriteBlocked(bool blocked) {
  if (blocked) {
    worker_.backend_write_deadlines().Start(&write_deadline_);
  } else {
    write_deadline_.Stop();
  }
}

void BackendConnection::Add(Call* call) {
  call->backend = this;
  call->backend_id = next_id_;
  next_id_ += 2;
  if (next_is_last_ || next_id_ > worker_.last_stream_id()) Retire();
  calls_.Insert(call->backend_id, call);
  ++backend_->counters().calls_in_flight;
}

void BackendConnection::Abandon(Call* call, ttrpc::RingNode* others) {
  calls_.Erase(call->backend_id);
  if (connection_.closed()) {
    call->place.Leave();
    --backend_->counters().calls_in_flight;
  } else {
    const auto late = [](void* self) {
      auto* connection = static_cast<BackendConnection*>(self);
      connection->Retire();
      connection->owner_.OnBackendCallEnded(*connection);
    };
    const auto added =
        abandoned_.try_emplace(call->backend_id, std::move(call->place), late, this).first;
    others->InsertBefore(&added->second);
    // Nobody waits for it, and the backend has not been asked for anything yet.
    if (!counted_ && calls_.empty()) Retire();
  }
  owner_.OnBackendCallEnded(*this);
}

void BackendConnection::ForgetAbandoned() {
  backend_->counters().calls_in_flight -= abandoned_.size();
  abandoned_.clear();
}

// After the message was handled: that may have been what abandoned its call.
void BackendConnection::OnBackendDone(const ttrpc::MessageHeader& header) {
  if (!IsLastOfBackend(header)) return;
  backend_->counters().calls_in_flight -= abandoned_.erase(header.stream_id);
}

Call* BackendConnection::Find(const ttrpc::MessageHeader& header) {
  if (header.type == ttrpc::MessageType::kResponse || header.type == ttrpc::MessageType::kData) {
    if (Call* const* found = calls_.Find(header.stream_id)) return *found;
  }
  worker_.counters().Count(ProtocolError::kBackendMessage);
  return nullptr;
}

void BackendConnection::OnMessage(const ttrpc::MessageHeader& header, std::string_view data) {
  if (Call* call = Find(header)) owner_.OnBackendMessage(*call, header, data);
  if (!abandoned_.empty()) OnBackendDone(header);
}

void BackendConnection::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  worker_.counters().Count(ProtocolError::kBackendMessageSize);
  if (Call* call = Find(header)) owner_.OnBackendOversizedMessage(*call, header);
  if (!abandoned_.empty()) OnBackendDone(header);
}

void BackendConnection::OnClosed(ttrpc::CloseReason reason, int) {
  write_deadline_.Stop();
  if (reason == ttrpc::CloseReason::kProtocolError)
    worker_.counters().Count(ProtocolError::kBackendHeader);
  place_.Leave();
  ForgetAbandoned();
  owner_.OnBackendClosed(*this, reason);
}

std::optional<ttrpc::Status> StatusOfLoss(const BackendConfig& backend, ttrpc::CloseReason reason) {
  using ttrpc::StatusCode;
  if (reason == ttrpc::CloseReason::kProtocolError)
    return BackendStatus(StatusCode::kUnavailable, backend, "broke the protocol");
  if (backend.on_disconnect == BackendConfig::OnDisconnect::kFailCalls)
    return BackendStatus(StatusCode::kUnavailable, backend, "disconnected");
  return std::nullopt;
}

}  // namespace proxyd
