// SPDX-License-Identifier: Apache-2.0
//
// Implements ClientStream (client_call.h) and the relaying of typed streams (client.h).
#include <optional>
#include <utility>

#include "client_call.h"
#include "client_connection.h"
#include "ttrpc/client.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/response.h"
#include "until.h"

namespace ttrpc {

namespace {

// Returns the flags of the request. kFlagNoData marks an open without a payload: otherwise
// ttrpc-rust's server would deliver an empty first message.
uint8_t RequestFlags(const MethodInfo& method) {
  return method.client_streams ? kFlagRemoteOpen | kFlagNoData : kFlagRemoteClosed;
}

Status StreamClosed() { return {StatusCode::kFailedPrecondition, "ttrpc: stream closed"}; }

// Relays requests until either side has ended.
Task<void> RelayRequests(RawStream* requests, RawClientStream* call) {
  while (std::optional<std::string> message = co_await requests->Receive()) {
    const Status sent = co_await call->Send(std::move(*message));
    if (!sent.ok()) co_return;
  }
  // If the sender was lost, it did not close the stream, and the server must not take it for
  // complete.
  if (requests->status().ok()) call->CloseSend();
}

}  // namespace

ClientStream::ClientStream(IoLoop& loop, const MethodInfo& method, uint32_t message_size)
    : ClientCall(loop, RequestFlags(method)),
      client_streams_(method.client_streams),
      server_streams_(method.server_streams),
      message_size_(message_size),
      inbox_(loop, *this),
      sender_(loop) {}

ClientStream::~ClientStream() = default;

// Sending.

void ClientStream::OnSent(ClientConnection& connection, uint32_t id) {
  ClientCall::OnSent(connection, id);
  inbox_.Attach(connection.gate());
  if (close_wanted_) SendClose();
  sender_.Wake();
}

Status ClientStream::CanSend(size_t length) const {
  if (end_ && !end_->ok()) return *end_;
  if (end_ || close_wanted_ || !client_streams_) return StreamClosed();
  return length > message_size_ ? MessageTooLong(length, message_size_) : Status();
}

Task<Status> ClientStream::Send(std::string message) {
  if (Status status = CanSend(message.size()); !status.ok()) co_return status;
  while (!ended() && connection() == nullptr) co_await Until(sender_);
  if (Status status = CanSend(message.size()); !status.ok()) co_return status;
  connection()->SendData(id(), 0, message);
  std::string().swap(message);  // assigning an empty string would keep the memory
  while (!ended() && connection()->queue_full()) co_await Until(sender_);
  co_return end_ ? *end_ : Status();
}

void ClientStream::CloseSend() {
  if (close_wanted_ || !client_streams_) return;
  close_wanted_ = true;
  if (connection() != nullptr) SendClose();
}

void ClientStream::SendClose() {
  connection()->SendData(id(), kFlagRemoteClosed | kFlagNoData, {});
}

// Receiving.

Task<std::optional<std::string>> ClientStream::Receive() { co_return co_await inbox_.Next(); }

const Status& ClientStream::status() const { return inbox_.status(); }

Task<Result<std::string>> ClientStream::Finish() {
  CloseSend();
  // The co_await is not in the loop's condition, because g++ 12 compiles that to an endless loop.
  for (bool more = true; more;) {
    const std::optional<std::string> message = co_await inbox_.Next();
    more = message.has_value();
  }
  if (!end_->ok()) co_return *end_;
  if (std::exchange(finished_, true))
    co_return Status(StatusCode::kFailedPrecondition, "ttrpc: stream already finished");
  co_return std::move(reply_);
}

void ClientStream::OnMessage(const MessageHeader& header, std::string_view data) {
  if (header.type == MessageType::kResponse) {
    OnResponse(data);
  } else {
    OnData(header, data);
  }
}

void ClientStream::OnResponse(std::string_view data) {
  ResponseView response;
  if (Status parsed = ParseResponse(data, &response); !parsed.ok())
    return End({StatusCode::kInternal, parsed.message()});
  if (response.code == StatusCode::kOk) {
    // Some servers end a stream with a response. If it carries a message, that is delivered first.
    if (!server_streams_) reply_ = response.payload;
    if (server_streams_ && !response.payload.empty()) inbox_.Push(std::string(response.payload));
  }
  End(StatusOf(response));
}

void ClientStream::OnData(const MessageHeader& header, std::string_view data) {
  if (!server_streams_)
    return End({StatusCode::kInternal, "received data from a server that does not stream"});
  if ((header.flags & kFlagNoData) == 0) inbox_.Push(std::string(data));
  if ((header.flags & kFlagRemoteClosed) != 0) End({});
}

// Ending.

void ClientStream::OnFailed(Status status) {
  // Messages that were received before the end can still be taken.
  End(std::move(status));
}

void ClientStream::OnStreamBufferFull() {
  End({StatusCode::kResourceExhausted, "ttrpc: stream buffer full"});
}

void ClientStream::End(Status status) {
  if (ended()) return;
  end_ = status;
  Detach();
  inbox_.End(std::move(status));
  sender_.Wake();
}

Task<Result<std::string>> client_internal::Relay(std::unique_ptr<RawClientStream> call,
                                                 RawStream* requests, RawStream* replies) {
  TaskGroup sending;
  if (requests != nullptr) sending.Spawn(RelayRequests(requests, call.get()));
  for (;;) {
    std::optional<std::string> message = co_await call->Receive();
    if (!message) break;
    if (replies == nullptr) continue;
    if (Status status = co_await replies->Send(std::move(*message)); !status.ok()) co_return status;
  }
  sending.Clear();
  co_return co_await call->Finish();
}

}  // namespace ttrpc
