// SPDX-License-Identifier: Apache-2.0
#include "server_call.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "server_connection.h"
#include "server_core.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/response.h"

namespace ttrpc {

namespace {

Status PeerGone() { return {StatusCode::kCancelled, "context canceled"}; }

Status NotActive() { return {StatusCode::kInvalidArgument, "StreamID is no longer active"}; }

}  // namespace

Status NoReply() { return {StatusCode::kInternal, "OK without a value"}; }

Status RepliedTwice() { return {StatusCode::kFailedPrecondition, "ttrpc: reply already written"}; }

ServerCall::ServerCall(ServerConnection& connection, uint32_t id, const MethodInfo& method)
    : core_(connection.core()), connection_(&connection), method_(method), id_(id) {}

ServerCall::~ServerCall() {
  if (connection_ != nullptr) connection_->Remove(id_);
  core_.OnHandlerEnded();
}

void ServerCall::StartDeadline(IoLoop& loop, int64_t timeout_nano) {
  const auto expire = [this] {
    context_.Cancel({StatusCode::kDeadlineExceeded, "context deadline exceeded"});
  };
  // A negative timeout has already passed.
  context_.set_timeout(std::chrono::nanoseconds(timeout_nano));
  if (timeout_nano < 0) return expire();
  deadline_ = std::make_unique<Timer>(loop, expire);
  deadline_->Start(std::chrono::nanoseconds(timeout_nano));
}

void ServerCall::OnData(const MessageHeader&, std::string_view) { Refuse(NotActive()); }

void ServerCall::OnConnectionLost() {
  connection_ = nullptr;
  // A handler that has answered is not cancelled, because the loss no longer matters.
  if (!answered_) context_.Cancel(PeerGone());
}

void ServerCall::Refuse(const Status& status) {
  if (answered()) return;
  connection_->SendStatus(id_, status);
  SetAnswered();
  context_.Cancel(status);
}

void ServerCall::SetAnswered() {
  answered_ = true;
  OnAnswered();
}

void ServerCall::SetReplied() {
  replied_ = true;
  SetAnswered();
}

Status ServerCall::CheckReply(size_t payload_size) const {
  const size_t size = EncodedReplySize(payload_size);
  const size_t limit = core_.options().message_size;
  return size > limit ? MessageTooLong(size, limit) : Status();
}

Status ServerCall::Write(const google::protobuf::MessageLite& reply) {
  if (replied_) return RepliedTwice();
  if (answered()) return {};
  if (Status status = stream_internal::CheckFields(reply, "reply"); !status.ok()) return status;
  const size_t size = reply.ByteSizeLong();
  if (Status status = CheckReply(size); !status.ok()) return status;
  char* const place = connection_->BeginReply(id_, size);
  reply.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(place));
  SetReplied();
  return {};
}

Status ServerCall::WriteBytes(std::string_view reply) {
  if (replied_) return RepliedTwice();
  if (answered()) return {};
  if (Status status = CheckReply(reply.size()); !status.ok()) return status;
  char* const place = connection_->BeginReply(id_, reply.size());
  if (!reply.empty()) std::memcpy(place, reply.data(), reply.size());
  SetReplied();
  return {};
}

void ServerCall::Ended(const Status& status) {
  if (answered()) return;
  if (status.ok()) {
    SendEnd();
  } else {
    connection_->SendStatus(id_, status);
  }
  SetAnswered();
}

void ServerCall::SendEnd() { connection_->SendStatus(id_, NoReply()); }

// Streams.

ServerStream::ServerStream(ServerConnection& connection, uint32_t id, const MethodInfo& info,
                           std::optional<std::string_view> first)
    : ServerCall(connection, id, info),
      remote_closed_(!info.client_streams),
      inbox_(connection.core().loop(), *this),
      cancelled_(context(), [this](const Status& reason) {
        inbox_.End(reason);
        WakeSender();
      }) {
  inbox_.Attach(connection.gate());
  if (first) inbox_.Push(std::string(*first));
  if (remote_closed_) inbox_.End({});
}

void ServerStream::OnData(const MessageHeader& header, std::string_view data) {
  const bool has_data = (header.flags & kFlagNoData) == 0;
  if (remote_closed_) {
    // A repeated close without data is harmless.
    if (has_data) Refuse(NotActive());
    return;
  }
  if (has_data) inbox_.Push(std::string(data));
  if ((header.flags & kFlagRemoteClosed) == 0) return;
  remote_closed_ = true;
  inbox_.End({});
}

void ServerStream::OnConnectionLost() {
  inbox_.End(PeerGone());
  WakeSender();
  ServerCall::OnConnectionLost();
}

void ServerStream::Refuse(const Status& status) {
  if (answered()) return;
  inbox_.End(status);
  ServerCall::Refuse(status);
}

void ServerStream::OnAnswered() {
  inbox_.End({});
  WakeSender();
}

void ServerStream::OnStreamBufferFull() {
  Refuse({StatusCode::kResourceExhausted, "ttrpc: stream buffer full"});
}

Task<std::optional<std::string>> ServerStream::Receive() { co_return co_await inbox_.Next(); }

Status ServerStream::Lost() const {
  if (context_status().ok() && answered())
    return {StatusCode::kFailedPrecondition, "ttrpc: stream closed"};
  return context_status();
}

// Waits in Send(). Not a member, because few streams need it.
class ServerStream::QueueLow {
 public:
  explicit QueueLow(ServerStream& stream) : stream_(stream), waiter_(stream.core().loop()) {
    stream_.sender_ = &waiter_;
  }
  ~QueueLow() { stream_.sender_ = nullptr; }
  QueueLow(const QueueLow&) = delete;
  QueueLow& operator=(const QueueLow&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { waiter_.Wait(waiting); }
  void await_resume() const noexcept {}

 private:
  ServerStream& stream_;
  Waiter waiter_;
};

Task<Status> ServerStream::Send(std::string message) {
  if (Status lost = Lost(); !lost.ok()) co_return lost;
  if (!method().server_streams)
    co_return Status(StatusCode::kFailedPrecondition, "ttrpc: stream closed");
  const size_t limit = core().options().message_size;
  if (message.size() > limit) co_return MessageTooLong(message.size(), limit);
  connection()->SendData(id(), 0, message);
  std::string().swap(message);  // assigning an empty string would keep the memory
  while (Lost().ok() && connection()->queue_full()) co_await QueueLow(*this);
  co_return Lost();
}

void ServerStream::SendEnd() {
  if (method().server_streams) {
    connection()->SendData(id(), kFlagRemoteClosed | kFlagNoData, {});
  } else {
    ServerCall::SendEnd();
  }
}

}  // namespace ttrpc
