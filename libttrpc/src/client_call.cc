// SPDX-License-Identifier: Apache-2.0
#include "client_call.h"

#include <utility>

#include "client_connection.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/response.h"
#include "until.h"

namespace ttrpc {

namespace {

Status DeadlineExceeded() { return {StatusCode::kDeadlineExceeded, "context deadline exceeded"}; }

}  // namespace

ClientCall::~ClientCall() { Detach(); }

void ClientCall::Follow(Context& context) {
  context.loop_ = &loop_;
  if (context.cancelled()) return Fail(context.status());
  if (const auto deadline = context.deadline()) {
    // The comparison comes first, because the difference to a deadline far in the past may
    // overflow.
    const Context::Clock::time_point now = Context::Clock::now();
    if (*deadline <= now) return Fail(DeadlineExceeded());
    const auto left = *deadline - now;
    deadline_ = std::make_unique<Timer>(loop_, [this] { Fail(DeadlineExceeded()); });
    deadline_->Start(left);
  }
  FollowCancellation(context);
}

void ClientCall::FollowCancellation(Context& context) {
  if (ended()) return;
  cancel_.emplace(context, [this](const Status& reason) { Fail(reason); });
}

void ClientCall::OnSent(ClientConnection& connection, uint32_t id) {
  connection_ = &connection;
  id_ = id;
  std::string().swap(request_);
}

void ClientCall::OnOversizedMessage(const MessageHeader& header, uint32_t limit) {
  Fail(MessageTooLong(header.length, limit));
}

void ClientCall::Fail(Status status) {
  if (!ended()) OnFailed(std::move(status));
}

void ClientCall::Detach() {
  StopWaiting();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Remove(id_);
  if (deadline_) deadline_->Stop();
  cancel_.reset();
}

// Unary calls.

Task<Result<std::string>> UnaryCall::Reply(std::unique_ptr<UnaryCall> call) {
  if (!call->ended()) co_await Until(call->waiter_);
  co_return std::move(*call->result_);
}

void UnaryCall::End(Result<std::string> result) {
  if (ended()) return;
  result_.emplace(std::move(result));
  Detach();
  waiter_.Wake();
}

void UnaryCall::OnMessage(const MessageHeader& header, std::string_view data) {
  if (header.type != MessageType::kResponse)
    return End(Status(StatusCode::kInternal, "received data on a unary call"));
  ResponseView response;
  if (Status parsed = ParseResponse(data, &response); !parsed.ok()) {
    End(Status(StatusCode::kInternal, parsed.message()));
  } else if (response.code != StatusCode::kOk) {
    End(StatusOf(response));
  } else {
    End(std::string(response.payload));
  }
}

}  // namespace ttrpc
