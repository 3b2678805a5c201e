// SPDX-License-Identifier: Apache-2.0
//
// ServerCall: one call that a server serves, from its request until its handler has ended. The
// handler's task owns it, so that it may outlive its connection; messages that the handler sends
// after that are dropped. The connection counts the call until the handler has ended: clients must
// not run more handlers than they may have calls by abandoning them. Use it on the loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stream_inbox.h"
#include "ttrpc/context.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/service.h"
#include "ttrpc/stream.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/message.h"

namespace ttrpc {

class ServerConnection;
class ServerCore;

// Returns INTERNAL `OK without a value`: a handler has returned OK and has written no reply.
Status NoReply();
// Returns FAILED_PRECONDITION `ttrpc: reply already written`.
Status RepliedTwice();

class ServerCall : private ReplySink {
 public:
  // The connection calls OnConnectionLost() before it is destroyed. `method` must outlive the call.
  ServerCall(ServerConnection& connection, uint32_t id, const MethodInfo& method);
  virtual ~ServerCall();
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  Context& context() { return context_; }
  const MethodInfo& method() const { return method_; }
  ReplySink& sink() { return *this; }
  // Returns true if the client has its reply or its refusal, or has disconnected.
  bool answered() const { return connection_ == nullptr || answered_; }
  // Cancels the context when the client's deadline passes.
  void StartDeadline(IoLoop& loop, int64_t timeout_nano);

  // Receives data from the connection.
  virtual void OnData(const MessageHeader& header, std::string_view data);
  virtual void OnQueueLow() {}
  // Cancels the context. Its hooks run at once and may have destroyed this call on return.
  virtual void OnConnectionLost();
  // Answers the call with `status` and cancels its context. Later messages of the handler are
  // dropped.
  virtual void Refuse(const Status& status);

  // Sends the handler's status, or the end of a successful call, unless the call is answered.
  void Ended(const Status& status);

 protected:
  // Ends a call whose handler has returned OK and has written no reply.
  virtual void SendEnd();
  virtual void OnAnswered() {}
  ServerCore& core() const { return core_; }
  // Do not call this once the call is answered.
  ServerConnection* connection() const { return connection_; }
  const Status& context_status() const { return context_.status(); }
  uint32_t id() const { return id_; }

 private:
  Status Write(const google::protobuf::MessageLite& reply) override;
  Status WriteBytes(std::string_view reply) override;
  // Returns OK if a reply of `payload_size` bytes is not too long.
  Status CheckReply(size_t payload_size) const;
  void SetAnswered();
  void SetReplied();

  ServerCore& core_;
  ServerConnection* connection_;  // null once it is lost
  const MethodInfo& method_;
  Context context_;
  std::unique_ptr<Timer> deadline_;
  const uint32_t id_;
  bool answered_ = false;
  bool replied_ = false;  // answered with the handler's reply
};

class ServerStream final : public ServerCall, public RawStream, private StreamInbox::Owner {
 public:
  // `first` is the message that the request carried, if any. The handler receives it first.
  ServerStream(ServerConnection& connection, uint32_t id, const MethodInfo& method,
               std::optional<std::string_view> first);

  Task<std::optional<std::string>> Receive() override;
  Task<Status> Send(std::string message) override;
  const Status& status() const override { return inbox_.status(); }

  void OnData(const MessageHeader& header, std::string_view data) override;
  void OnQueueLow() override { WakeSender(); }
  void OnConnectionLost() override;
  void Refuse(const Status& status) override;

 private:
  void SendEnd() override;
  void OnAnswered() override;
  void OnStreamBufferFull() override;
  // Returns why nothing can be sent any more, or OK.
  Status Lost() const;

  class QueueLow;
  void WakeSender() {
    if (sender_ != nullptr) sender_->Wake();
  }

  bool remote_closed_;
  StreamInbox inbox_;
  Waiter* sender_ = nullptr;  // waits in Send()
  CancelHook cancelled_;
};

}  // namespace ttrpc
