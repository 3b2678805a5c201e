// SPDX-License-Identifier: Apache-2.0
//
// Streams: one message after another within a call. RawStream carries bytes and is what
// interceptors see; the templates carry messages. On the loop's thread.
//
// One coroutine at a time reads a stream and one at a time writes it; these may be two. ttrpc has
// no flow control for a stream: what is received and not taken is kept, up to a limit; then the
// connection is not read for a second or two, so that the sender has to wait; if nothing is taken
// by then, the stream fails with RESOURCE_EXHAUSTED `ttrpc: stream buffer full`, and the other
// calls of the connection go on.
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ttrpc/status.h"
#include "ttrpc/task.h"

namespace ttrpc {

// One side of an open stream. A handler's belongs to the server and is valid until the handler's
// task has ended; a client's belongs to the caller.
class RawStream {
 public:
  virtual ~RawStream() = default;

  // Waits for the next message. None: the other side has closed (status() is OK) or the stream has
  // failed. The stream must outlive the task.
  virtual Task<std::optional<std::string>> Receive() = 0;

  // Queues a message, and waits while the connection takes no more. RESOURCE_EXHAUSTED `message
  // length N exceed maximum message size of M`: it is not sent, the stream stays.
  // FAILED_PRECONDITION `ttrpc: stream closed`: this side has closed. Any other failure is
  // status(). The stream must outlive the task.
  virtual Task<Status> Send(std::string message) = 0;

  // How receiving ended; OK as long as it has not. Server: CANCELLED once the peer is gone,
  // DEADLINE_EXCEEDED once the client's deadline has passed. Client: the server's status,
  // UNAVAILABLE once the server is gone, or the context's. Valid until the stream is destroyed.
  virtual const Status& status() const = 0;
};

// The client's side, which also ends it. Destroying it abandons the call: what comes for it is
// dropped, and the server does not learn of it. It may outlive its client, not the loop.
class RawClientStream : public RawStream {
 public:
  // Tells the server that no more will be sent. Has no effect the second time, or on a stream whose
  // method takes one message only.
  virtual void CloseSend() = 0;

  // Closes, waits for the end of the call, and drops the messages that were not taken. The value is
  // the bytes of the reply if the method's server does not stream, else empty; an error is how the
  // call failed. The stream must outlive the task. To be called once.
  virtual Task<Result<std::string>> Finish() = 0;
};

namespace stream_internal {

// Returns INTERNAL `ttrpc: error unmarshalling payload: TYPE`, as Go's.
Status CannotParse(const google::protobuf::MessageLite& message);

template <typename M>
Result<M> Parse(const std::string& bytes) {
  M message;
  if (!message.ParseFromString(bytes)) return CannotParse(message);
  return message;
}

// Receives a message; none, and `*failure`, if the bytes are not one.
template <typename M>
Task<std::optional<M>> Receive(RawStream& stream, Status* failure) {
  if (!failure->ok()) co_return std::nullopt;
  std::optional<std::string> bytes = co_await stream.Receive();
  if (!bytes) co_return std::nullopt;
  Result<M> message = Parse<M>(*bytes);
  if (message) co_return std::move(*message);
  *failure = message.error();
  co_return std::nullopt;
}

template <typename M>
Task<Result<M>> Finish(RawClientStream& stream) {
  Result<std::string> bytes = co_await stream.Finish();
  if (!bytes) co_return bytes.error();
  co_return Parse<M>(*bytes);
}

template <typename Unused = void>
Task<Status> FinishWithoutReply(RawClientStream& stream) {
  Result<std::string> bytes = co_await stream.Finish();
  co_return bytes ? Status() : bytes.error();
}

}  // namespace stream_internal

// A method's implementation receives messages from this. Valid until the method's task has ended.
template <typename M>
class ReceiveStream {
 public:
  // `stream` must outlive the object.
  explicit ReceiveStream(RawStream& stream) : stream_(stream) {}

  // Waits for the next message; none at the end, whose kind is status().
  //   while (std::optional<M> message = co_await stream.Receive()) …
  Task<std::optional<M>> Receive() { return stream_internal::Receive<M>(stream_, &failure_); }
  // OK: the other side has closed, or has not yet. INTERNAL: it has sent bytes that are no M. Any
  // other status is RawStream's. Valid as long as the stream.
  const Status& status() const { return failure_.ok() ? stream_.status() : failure_; }
  RawStream& raw() const { return stream_; }

 private:
  RawStream& stream_;
  Status failure_;
};

// A method's implementation sends messages to this. Valid until the method's task has ended.
template <typename M>
class SendStream {
 public:
  // `stream` must outlive the object.
  explicit SendStream(RawStream& stream) : stream_(stream) {}

  // Sends as RawStream::Send() does. `message` is encoded before this returns.
  Task<Status> Send(const M& message) { return stream_.Send(message.SerializeAsString()); }
  RawStream& raw() const { return stream_; }

 private:
  RawStream& stream_;
};

// These are the client's side of a call, for a method whose server streams, whose client streams,
// or where both do. The caller owns them; they must outlive the tasks that their functions return.
template <typename Reply>
class ServerStreamCall {
 public:
  explicit ServerStreamCall(std::unique_ptr<RawClientStream> stream) : stream_(std::move(stream)) {}

  // Waits for the next reply; none at the end, whose kind is what Finish() returns.
  Task<std::optional<Reply>> Receive() {
    return stream_internal::Receive<Reply>(*stream_, &failure_);
  }
  // Closes this side, waits for the end of the call, and returns how it ended. Replies that were
  // not received are dropped. INTERNAL: a reply was no Reply.
  Task<Status> Finish() {
    if (!failure_.ok()) return Ended(failure_);
    return stream_internal::FinishWithoutReply(*stream_);
  }

 protected:
  RawClientStream& raw() const { return *stream_; }

 private:
  static Task<Status> Ended(Status status) { co_return status; }

  std::unique_ptr<RawClientStream> stream_;
  Status failure_;
};

template <typename Request, typename Reply>
class ClientStreamCall {
 public:
  explicit ClientStreamCall(std::unique_ptr<RawClientStream> stream) : stream_(std::move(stream)) {}

  // Sends as RawStream::Send() does. `request` is encoded before this returns.
  Task<Status> Send(const Request& request) { return stream_->Send(request.SerializeAsString()); }
  // Closes this side, and waits for the reply, or the status of the call. INTERNAL: the reply is no
  // Reply.
  Task<Result<Reply>> Finish() { return stream_internal::Finish<Reply>(*stream_); }

 private:
  std::unique_ptr<RawClientStream> stream_;
};

template <typename Request, typename Reply>
class BidiStreamCall : public ServerStreamCall<Reply> {
 public:
  using ServerStreamCall<Reply>::ServerStreamCall;

  // Sends as RawStream::Send() does. `request` is encoded before this returns.
  Task<Status> Send(const Request& request) {
    return this->raw().Send(request.SerializeAsString());
  }
  // Tells the server that no more will be sent.
  void CloseSend() { this->raw().CloseSend(); }
};

}  // namespace ttrpc
