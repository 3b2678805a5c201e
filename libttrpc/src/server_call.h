// SPDX-License-Identifier: Apache-2.0
//
// ServerCall: one call that a server serves, from its request until its handler has ended. The
// handler's task owns it, so that it outlives the connection if it has to; what the handler then
// sends goes nowhere. Its connection counts it for as long: a client that is answered, or refused,
// before handlers end must not have more of them at work than it may have calls. On the loop's
// thread.
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

class ServerCall : private ReplySink {
 public:
  // The connection tells it when it goes (OnConnectionLost). `method` must outlive it.
  ServerCall(ServerConnection& connection, uint32_t id, const MethodInfo& method);
  virtual ~ServerCall();
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  Context& context() { return context_; }
  const MethodInfo& method() const { return method_; }
  ReplySink& sink() { return *this; }
  // The client has its reply or its refusal, or is gone.
  bool answered() const { return connection_ == nullptr || answered_; }
  // The context ends with the client's deadline.
  void StartDeadline(IoLoop& loop, int64_t timeout_nano);

  // From the connection.
  virtual void OnData(const MessageHeader& header, std::string_view data);
  virtual void OnQueueLow() {}
  // What hangs on the context is told at once, and may have destroyed this on return.
  virtual void OnConnectionLost();
  // Answers and cancels it, with the same effect. What the handler does after that is not told.
  virtual void Refuse(const Status& status);

  // The handler has ended: sends what is still to be sent.
  void Ended(const Status& status);

 protected:
  // What ends a call that went well, but for a reply that was written.
  virtual void SendEnd();
  virtual void OnAnswered() {}
  ServerCore& core() const { return core_; }
  // Not for a call that was answered.
  ServerConnection* connection() const { return connection_; }
  const Status& context_status() const { return context_.status(); }
  uint32_t id() const { return id_; }

 private:
  Status Write(const google::protobuf::MessageLite& reply) override;
  Status WriteBytes(std::string_view reply) override;
  // OK: a reply of so many bytes is not too long.
  Status CheckReply(size_t payload_size) const;
  void SetAnswered();

  ServerCore& core_;
  ServerConnection* connection_;  // null once it is lost
  const MethodInfo& method_;
  Context context_;
  std::unique_ptr<Timer> deadline_;
  const uint32_t id_;
  bool answered_ = false;
};

class ServerStream final : public ServerCall, public RawStream, private StreamInbox::Owner {
 public:
  // Not read yet is what the request carried: `first`, if any.
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
  // Why nothing can be sent any more; OK if it can.
  Status Lost() const;

  class QueueLow;
  void WakeSender() {
    if (sender_ != nullptr) sender_->Wake();
  }

  bool remote_closed_;
  StreamInbox inbox_;
  Waiter* sender_ = nullptr;  // in Send()
  CancelHook cancelled_;
};

}  // namespace ttrpc
