// SPDX-License-Identifier: Apache-2.0
#include "client_core.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/connector.h"
#include "until.h"

namespace ttrpc {

namespace {

Status ClosedStatus() { return {StatusCode::kUnavailable, "ttrpc: closed"}; }

ClientOptions Checked(ClientOptions options) {
  options.message_size = std::min(options.message_size, kMaxMessageSize);
  return options;
}

// Returns a connected, non-blocking socket, or UNAVAILABLE `ADDRESS: WHY`. Destroying the task ends
// the attempt.
Task<Result<UniqueFd>> ConnectTo(IoLoop& loop, Address address) {
  Waiter waiter(loop);
  std::optional<Connector::Outcome> outcome;
  Connector connector(loop, [&waiter, &outcome](Connector::Outcome later) {
    outcome = std::move(later);
    waiter.Wake();
  });
  outcome = connector.Start(address);
  if (!outcome) co_await Until(waiter);
  if (!*outcome) {
    co_return Status(StatusCode::kUnavailable,
                     address.ToString() + ": " + outcome->error().message());
  }
  co_return std::move(**outcome);
}

}  // namespace

ClientCore::ClientCore(IoLoop& loop, std::optional<Address> address, ClientOptions options)
    : loop_(loop),
      address_(std::move(address)),
      options_(Checked(std::move(options))),
      interceptors_(std::make_shared<const ClientInterceptors>(ClientInterceptors{
          std::move(options_.unary_interceptors), std::move(options_.stream_interceptors)})),
      dial_timer_(loop,
                  [this] {
                    if (!dialling_) return Dial(UniqueFd());
                    dial_.Clear();
                    DialFailed({StatusCode::kUnavailable, "connect timeout"});
                  }),
      later_(loop, [this] { RunLater(); }) {
  // AllOf({}) passes the socket on unchanged.
  if (!options_.handshaker) options_.handshaker = AllOf({});
}

ClientCore::~ClientCore() {
  options_.on_close = nullptr;
  while (!intercepted_.alone()) intercepted_.next->Leave();
  Close({StatusCode::kCancelled, "ttrpc: client destroyed"});
}

void ClientCore::Connect(UniqueFd socket) { Dial(std::move(socket)); }

size_t ClientCore::calls() const {
  size_t count = current_ ? current_->calls() : 0;
  for (const auto& connection : retired_) count += connection->calls();
  for (const RingNode* node = waiting_.next; node != &waiting_; node = node->next) ++count;
  return count;
}

void ClientCore::Close(const Status& reason) {
  closed_ = true;
  last_failure_ = {};
  dial_.Clear();
  dial_timer_.Stop();
  dialling_ = false;
  FailWaiting(reason);
  if (current_) current_->Close(reason);
  for (const auto& connection : retired_) connection->Close(reason);
}

// Calls.

void ClientCore::Start(ClientCall& call, const MethodInfo& method, Context& context,
                       std::string_view request) {
  call.Follow(context);
  if (call.ended()) return;
  request_.Clear();
  request_.service = method.service;
  request_.method = method.method;
  request_.payload = request;
  if (const auto deadline = context.deadline()) {
    // A timeout of 0 means no deadline to a server, so at least 1 ns is sent.
    const auto left = *deadline - Context::Clock::now();
    request_.timeout_nano = std::max<int64_t>(std::chrono::nanoseconds(left).count(), 1);
  }
  for (const auto& [key, value] : context.metadata()) request_.metadata.push_back({key, value});

  const size_t size = EncodedRequestSize(request_);
  if (size > options_.message_size) return call.Fail(MessageTooLong(size, options_.message_size));
  if (connected()) {
    current_->Start(call, size, [this](char* place) { EncodeRequest(request_, place); });
    return;
  }
  call.request().resize(size);
  EncodeRequest(request_, call.request().data());
  call.Wait(&waiting_);
  // AwaitConnection() may send the call or fail it.
  if (Status status = AwaitConnection(); !status.ok()) call.Fail(std::move(status));
}

Status ClientCore::AwaitConnection() {
  if (connected() || dialling_) return {};
  if (closed_) return last_failure_.ok() ? ClosedStatus() : last_failure_;
  if (current_) {
    // The current connection has no ids left. Its calls may finish.
    retired_.push_back(std::move(current_));
    if (retired_.back()->calls() == 0) {
      retired_.back()->Close(ClosedStatus());
      Bury(*retired_.back());
    }
  }
  if (!address_) {
    closed_ = true;
    last_failure_ = {StatusCode::kUnavailable, "ttrpc: stream ids exhausted"};
    return last_failure_;
  }
  if (Clock::now() >= next_attempt_) {
    Dial(UniqueFd());  // may have finished already
    if (connected() || dialling_) return {};
  }
  if (!options_.reconnect || !options_.reconnect->wait_for_ready) return last_failure_;
  if (!dial_timer_.active()) dial_timer_.Start(next_attempt_ - Clock::now());
  return {};
}

void ClientCore::SendWaiting() {
  while (ClientCall* call = ClientCall::FirstOf(waiting_)) {
    if (!connected()) {
      // The new connection has no ids left already.
      if (Status status = AwaitConnection(); !status.ok()) FailWaiting(status);
      return;
    }
    call->StopWaiting();
    const std::string request = std::move(call->request());
    current_->Start(*call, request.size(),
                    [&request](char* place) { request.copy(place, request.size()); });
  }
}

void ClientCore::FailWaiting(const Status& reason) {
  while (ClientCall* call = ClientCall::FirstOf(waiting_)) call->Fail(reason);
}

// Connections.

void ClientCore::Dial(UniqueFd socket) {
  dialling_ = true;
  if (options_.connect_timeout > std::chrono::nanoseconds(0)) {
    dial_timer_.Start(options_.connect_timeout);
  } else {
    dial_timer_.Stop();
  }
  dial_.Spawn(RunDial(std::move(socket)));
}

Task<void> ClientCore::RunDial(UniqueFd socket) {
  if (!socket) {
    Result<UniqueFd> connected = co_await ConnectTo(loop_, *address_);
    if (!connected) {
      DialFailed(connected.error());
      co_return;
    }
    socket = std::move(*connected);
  }
  Result<Handshaken> handshaken = co_await options_.handshaker->Handshake(loop_, std::move(socket));
  if (handshaken) {
    Connected(std::move(*handshaken));
  } else {
    DialFailed(handshaken.error());
  }
}

void ClientCore::Connected(Handshaken handshaken) {
  dialling_ = false;
  dial_timer_.Stop();
  back_off_ = {};
  next_attempt_ = {};
  current_ = std::make_unique<ClientConnection>(
      loop_, std::move(handshaken),
      ClientConnection::Options{
          .message_size = options_.message_size,
          .stream_buffer = options_.stream_buffer,
          .last_stream_id = options_.last_stream_id,
          .on_closed = [this](ClientConnection& connection) { OnClosed(connection); },
          .on_unused =
              [this](ClientConnection& connection) {
                if (&connection == current_.get()) return;
                connection.Close(ClosedStatus());
                Bury(connection);
              }});
  SendWaiting();
}

void ClientCore::DialFailed(const Status& why) {
  dialling_ = false;
  dial_timer_.Stop();
  last_failure_ = why.code() == StatusCode::kUnavailable
                      ? why
                      : Status(StatusCode::kUnavailable, "handshake: " + why.message());
  if (!options_.reconnect) {
    closed_ = true;
    FailWaiting(last_failure_);
    return Ended(last_failure_);
  }
  const ReconnectOptions& reconnect = *options_.reconnect;
  back_off_ = std::min(std::max(back_off_ * 2, reconnect.first), reconnect.longest);
  next_attempt_ = Clock::now() + back_off_;
  if (!reconnect.wait_for_ready) {
    FailWaiting(last_failure_);
  } else if (ClientCall::FirstOf(waiting_) != nullptr) {
    dial_timer_.Start(back_off_);
  }
  Ended(last_failure_);
}

void ClientCore::OnClosed(ClientConnection& connection) {
  if (&connection == current_.get() && !options_.reconnect) closed_ = true;
  Ended(ClosedStatus());
  Bury(connection);
}

void ClientCore::Bury(ClientConnection& connection) {
  if (&connection == current_.get()) {
    dead_.push_back(std::move(current_));
  } else {
    const auto found =
        std::find_if(retired_.begin(), retired_.end(),
                     [&connection](const auto& owned) { return owned.get() == &connection; });
    if (found == retired_.end()) return;
    dead_.push_back(std::move(*found));
    retired_.erase(found);
  }
  later_.Start(std::chrono::nanoseconds(0));
}

void ClientCore::Ended(Status reason) {
  if (!options_.on_close) return;
  to_tell_.push_back(std::move(reason));
  later_.Start(std::chrono::nanoseconds(0));
}

void ClientCore::RunLater() {
  dead_.clear();
  if (to_tell_.empty()) return;
  const Status reason = std::move(to_tell_.front());
  to_tell_.pop_front();
  if (!to_tell_.empty()) later_.Start(std::chrono::nanoseconds(0));
  // A copy is called, because on_close may destroy this.
  const auto on_close = options_.on_close;
  on_close(reason);
}

}  // namespace ttrpc
