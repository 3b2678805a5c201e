// SPDX-License-Identifier: Apache-2.0
//
// ClientCall: one call of a client, from its creation to its end. Its creator owns it and may
// destroy it at any time. The connection that carries it borrows it. UnaryCall and ClientStream
// implement the two kinds of call. Use them on the loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stream_inbox.h"
#include "ttrpc/context.h"
#include "ttrpc/interceptor.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/stream.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/message.h"

namespace ttrpc {

class ClientConnection;

// A call is in the client's ring while it waits for a connection.
class ClientCall : private RingNode {
 public:
  ClientCall(IoLoop& loop, uint8_t request_flags) : loop_(loop), request_flags_(request_flags) {}
  virtual ~ClientCall();

  // Fails the call when `context` is cancelled or its deadline passes. Call this before the call is
  // sent.
  void Follow(Context& context);
  // Fails the call when `context` is cancelled, instead of the context followed before. Has no
  // effect if the call has ended.
  void FollowCancellation(Context& context);

  uint8_t request_flags() const { return request_flags_; }
  // Returns true once the outcome is final.
  virtual bool ended() const = 0;

  // Receives a message from the connection that carries the call.
  virtual void OnMessage(const MessageHeader& header, std::string_view data) = 0;
  // Fails the call because a message for it was too long and was discarded.
  void OnOversizedMessage(const MessageHeader& header, uint32_t limit);
  virtual void OnQueueLow() {}
  // Notes that the call was sent. `connection` is valid until Detach().
  virtual void OnSent(ClientConnection& connection, uint32_t id);
  // Ends the call with `status`. Has no effect if it has ended.
  void Fail(Status status);

  // The encoded request, while the call waits for a connection.
  std::string& request() { return request_; }
  void Wait(RingNode* ring) { ring->InsertBefore(this); }
  static ClientCall* FirstOf(const RingNode& ring) {
    return ring.alone() ? nullptr : static_cast<ClientCall*>(ring.next);
  }
  void StopWaiting() { Leave(); }

 protected:
  // Ends the kind of call that the subclass implements.
  virtual void OnFailed(Status status) = 0;
  // Stops receiving messages for the call and stops its deadline.
  void Detach();

  IoLoop& loop() const { return loop_; }
  ClientConnection* connection() const { return connection_; }
  uint32_t id() const { return id_; }

 private:
  IoLoop& loop_;
  ClientConnection* connection_ = nullptr;
  uint32_t id_ = 0;
  const uint8_t request_flags_;
  std::string request_;
  std::unique_ptr<Timer> deadline_;
  std::optional<CancelHook> cancel_;
};

class UnaryCall final : public ClientCall {
 public:
  explicit UnaryCall(IoLoop& loop) : ClientCall(loop, 0), waiter_(loop) {}

  // Waits for the end of the call. Call this once.
  static Task<Result<std::string>> Reply(std::unique_ptr<UnaryCall> call);

  bool ended() const override { return result_.has_value(); }
  void OnMessage(const MessageHeader& header, std::string_view data) override;

 private:
  void OnFailed(Status status) override { End(std::move(status)); }
  void End(Result<std::string> result);

  std::optional<Result<std::string>> result_;
  Waiter waiter_;
};

class ClientStream final : public ClientCall, public RawClientStream, private StreamInbox::Owner {
 public:
  ClientStream(IoLoop& loop, const MethodInfo& method, uint32_t message_size);
  ~ClientStream() override;

  Task<std::optional<std::string>> Receive() override;
  Task<Status> Send(std::string message) override;
  const Status& status() const override;
  void CloseSend() override;
  Task<Result<std::string>> Finish() override;

  bool ended() const override { return end_.has_value(); }
  void OnMessage(const MessageHeader& header, std::string_view data) override;
  void OnSent(ClientConnection& connection, uint32_t id) override;
  void OnQueueLow() override { sender_.Wake(); }

 private:
  void OnFailed(Status status) override;
  void OnStreamBufferFull() override;
  void OnResponse(std::string_view data);
  void OnData(const MessageHeader& header, std::string_view data);
  void End(Status status);
  void SendClose();
  Status CanSend(size_t length) const;

  const bool client_streams_;
  const bool server_streams_;
  const uint32_t message_size_;
  bool close_wanted_ = false;  // this side has closed
  bool finished_ = false;      // Finish() has returned the reply
  std::optional<Status> end_;
  std::string reply_;
  StreamInbox inbox_;
  Waiter sender_;  // waits in Send()
};

}  // namespace ttrpc
