// SPDX-License-Identifier: Apache-2.0
//
// Streams: the messages of one call, in order. RawStream carries bytes and is what interceptors
// see. The templates carry messages. Use them on the loop's thread.
//
// One coroutine at a time may read a stream and one at a time may write it; these may be two.
//
// ttrpc has no flow control for a stream. Received messages that the program does not take are
// buffered, up to a limit. Above the limit the connection is not read, so that the sender has to
// wait. If the program takes nothing for one to two seconds, the stream fails with
// RESOURCE_EXHAUSTED `ttrpc: stream buffer full` and the other calls on the connection continue.
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ttrpc/status.h"
#include "ttrpc/task.h"

namespace ttrpc {

// One side of an open stream. A handler's stream belongs to the server and is valid until the
// handler's task has ended. A client's stream belongs to the caller.
class RawStream {
 public:
  virtual ~RawStream() = default;

  // Waits for the next message. Returns none if the other side has closed (status() is OK) or the
  // stream has failed. The stream must outlive the task.
  virtual Task<std::optional<std::string>> Receive() = 0;

  // Queues a message, then waits while the connection's send queue is full. Returns
  // - RESOURCE_EXHAUSTED `message length N exceed maximum message size of M`: the message was not
  //   sent, and the stream stays open;
  // - FAILED_PRECONDITION `ttrpc: stream closed`: this side has closed;
  // - otherwise the status that ended the call.
  // The stream must outlive the task.
  virtual Task<Status> Send(std::string message) = 0;

  // Returns how receiving ended, or OK if it has not. On a server: CANCELLED once the client has
  // disconnected, DEADLINE_EXCEEDED once its deadline has passed. On a client: the server's status,
  // UNAVAILABLE once the server has disconnected, or the context's status. Valid until the stream
  // is destroyed.
  virtual const Status& status() const = 0;
};

// The client's side of a stream, which can also end it. Destroying the stream abandons the call:
// later messages are dropped, and the server does not learn of it. The stream may outlive its
// client but not the loop.
class RawClientStream : public RawStream {
 public:
  // Closes this side: the server learns that no more messages follow. Has no effect the second
  // time, or if the method's client does not stream.
  virtual void CloseSend() = 0;

  // Closes this side, drops the messages that were not received, and waits for the call to end.
  // Returns the encoded reply if the server does not stream, an empty string if it does, or the
  // status of the failed call. The stream must outlive the task. Call this once: after a success,
  // another call returns FAILED_PRECONDITION `ttrpc: stream already finished`.
  virtual Task<Result<std::string>> Finish() = 0;
};

namespace stream_internal {

// Returns INTERNAL `ttrpc: error unmarshalling payload: not a TYPE`, with Go's prefix.
Status CannotParse(const google::protobuf::MessageLite& message);

// Parses `bytes`. Returns CannotParse(), or INTERNAL `ttrpc: error unmarshalling payload: TYPE
// lacks required fields`. The contents of `message` are unspecified then.
Status ParseInto(std::string_view bytes, google::protobuf::MessageLite& message);

// Returns INTERNAL `WHAT lacks required fields: FIELD, …` if a field that proto2 requires is
// missing. Protobuf itself would end the program or encode the incomplete message.
Status CheckFields(const google::protobuf::MessageLite& message, std::string_view what);

// Returns the encoded message, the status of CheckFields(), or RESOURCE_EXHAUSTED.
Result<std::string> Encode(const google::protobuf::MessageLite& message, std::string_view what);

// Encodes the message before it returns, then sends it. Returns the status of Encode() or of
// RawStream::Send().
Task<Status> Send(RawStream& stream, const google::protobuf::MessageLite& message,
                  std::string_view what);

// Returns a task whose value is made of `status`.
template <typename T>
Task<T> Ended(Status status) {
  co_return status;
}

template <typename M>
Result<M> Parse(std::string_view bytes) {
  M message;
  if (Status status = ParseInto(bytes, message); !status.ok()) return status;
  return message;
}

// Receives a message. Returns none and sets `*failure` if the bytes do not parse.
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

// A method's implementation receives messages from a ReceiveStream. Valid until the method's task
// has ended.
template <typename M>
class ReceiveStream {
 public:
  // `stream` must outlive the object.
  explicit ReceiveStream(RawStream& stream) : stream_(stream) {}

  // Waits for the next message. Returns none at the end of the stream; status() says how it ended.
  //   while (std::optional<M> message = co_await stream.Receive()) …
  Task<std::optional<M>> Receive() { return stream_internal::Receive<M>(stream_, &failure_); }
  // Returns OK if the other side has closed or receiving has not ended, INTERNAL if the other side
  // sent bytes that are not an M, and otherwise RawStream::status(). Valid as long as the stream.
  const Status& status() const { return failure_.ok() ? stream_.status() : failure_; }
  RawStream& raw() const { return stream_; }

 private:
  RawStream& stream_;
  Status failure_;
};

// A method's implementation sends messages to a SendStream. Valid until the method's task has
// ended.
template <typename M>
class SendStream {
 public:
  // `stream` must outlive the object.
  explicit SendStream(RawStream& stream) : stream_(stream) {}

  // Encodes `message` before it returns, then sends it as RawStream::Send() does. Also returns
  // INTERNAL `reply lacks required fields: FIELD, …`; the message was not sent, and the stream
  // stays open.
  Task<Status> Send(const M& message) { return stream_internal::Send(stream_, message, "reply"); }
  RawStream& raw() const { return stream_; }

 private:
  RawStream& stream_;
};

// The following classes are the client's side of a streaming call: where the server streams, where
// the client streams, and where both do. The caller owns them. They must outlive the tasks that
// their functions return.
template <typename Reply>
class ServerStreamCall {
 public:
  explicit ServerStreamCall(std::unique_ptr<RawClientStream> stream) : stream_(std::move(stream)) {}

  // Waits for the next reply. Returns none at the end of the call; Finish() says how it ended.
  Task<std::optional<Reply>> Receive() {
    return stream_internal::Receive<Reply>(*stream_, &failure_);
  }
  // Closes this side, drops the replies that were not received, waits for the call to end and
  // returns its status. Returns INTERNAL at once if a received reply was not a Reply. Call this
  // once, as RawClientStream::Finish().
  Task<Status> Finish() {
    if (!failure_.ok()) return stream_internal::Ended<Status>(failure_);
    return stream_internal::FinishWithoutReply(*stream_);
  }

 protected:
  RawClientStream& raw() const { return *stream_; }

 private:
  std::unique_ptr<RawClientStream> stream_;
  Status failure_;
};

template <typename Request, typename Reply>
class ClientStreamCall {
 public:
  explicit ClientStreamCall(std::unique_ptr<RawClientStream> stream) : stream_(std::move(stream)) {}

  // Encodes `request` before it returns, then sends it as RawStream::Send() does. Also returns
  // INTERNAL `request lacks required fields: FIELD, …`; the message was not sent, and the stream
  // stays open.
  Task<Status> Send(const Request& request) {
    return stream_internal::Send(*stream_, request, "request");
  }
  // Closes this side and waits for the reply. Returns the status of a failed call, or INTERNAL if
  // the reply is not a Reply. Call this once, as RawClientStream::Finish().
  Task<Result<Reply>> Finish() { return stream_internal::Finish<Reply>(*stream_); }

 private:
  std::unique_ptr<RawClientStream> stream_;
};

template <typename Request, typename Reply>
class BidiStreamCall : public ServerStreamCall<Reply> {
 public:
  using ServerStreamCall<Reply>::ServerStreamCall;

  // Sends as ClientStreamCall::Send() does.
  Task<Status> Send(const Request& request) {
    return stream_internal::Send(this->raw(), request, "request");
  }
  // Closes this side: the server learns that no more messages follow.
  void CloseSend() { this->raw().CloseSend(); }
};

}  // namespace ttrpc
