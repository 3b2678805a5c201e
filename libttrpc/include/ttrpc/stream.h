// SPDX-License-Identifier: Apache-2.0
//
// Streams: one message after another within a call. RawStream carries bytes and is what
// interceptors see; the templates carry messages. On the loop's thread.
//
// A stream is read by one coroutine at a time and written by one at a time; these may be two. ttrpc
// knows no flow control for a stream: what is received and not taken is kept, up to a limit, then
// the connection is not read for a second or two, so that whoever sends has to wait; if nothing is
// taken by then, the stream fails with RESOURCE_EXHAUSTED `ttrpc: stream buffer full` and the other
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

// One side of an open stream.
class RawStream {
 public:
  virtual ~RawStream() = default;

  // The next message. None: the other side has closed (status() is OK) or the stream has failed.
  // The stream must outlive the task.
  virtual Task<std::optional<std::string>> Receive() = 0;

  // Queues a message, and waits while the connection takes no more. RESOURCE_EXHAUSTED `message
  // length N exceed maximum message size of M`: it is not sent, the stream stays.
  // FAILED_PRECONDITION `ttrpc: stream closed`: this side has closed. Else status(). The stream
  // must outlive the task.
  virtual Task<Status> Send(std::string message) = 0;

  // How receiving ended; OK as long as it has not. Server: CANCELLED once the peer is gone,
  // DEADLINE_EXCEEDED. Client: the server's status, UNAVAILABLE once the server is gone, and what
  // Context says. Valid until the stream is destroyed.
  virtual const Status& status() const = 0;
};

// The client's side, which also ends it. Destroying it abandons the call: what comes for it is
// dropped. The server is not told.
class RawClientStream : public RawStream {
 public:
  // Says that no more will be sent. Without effect on a stream whose method takes one message only,
  // or the second time.
  virtual void CloseSend() = 0;

  // Closes, waits for the end of the call, and drops the messages that were not taken. The bytes of
  // the reply if the method's server does not stream, else empty; or how the call failed.
  // The stream must outlive the task.
  virtual Task<Result<std::string>> Finish() = 0;
};

namespace stream_internal {

// INTERNAL `ttrpc: error unmarshalling payload: TYPE`, as Go's.
Status CannotParse(const google::protobuf::MessageLite& message);

template <typename M>
Result<M> Parse(const std::string& bytes) {
  M message;
  if (!message.ParseFromString(bytes)) return CannotParse(message);
  return message;
}

// Of a received message: none, and `*failure`, if it is not one.
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

// What a method's implementation receives from.
template <typename M>
class ReceiveStream {
 public:
  // `stream` must outlive it.
  explicit ReceiveStream(RawStream& stream) : stream_(stream) {}

  // The next message; none at the end, of whatever kind: see status().
  //   while (std::optional<M> message = co_await stream.Receive()) …
  Task<std::optional<M>> Receive() { return stream_internal::Receive<M>(stream_, &failure_); }
  // OK: the other side has closed, or has not yet.
  const Status& status() const { return failure_.ok() ? stream_.status() : failure_; }
  RawStream& raw() const { return stream_; }

 private:
  RawStream& stream_;
  Status failure_;
};

// What a method's implementation sends to.
template <typename M>
class SendStream {
 public:
  // `stream` must outlive it.
  explicit SendStream(RawStream& stream) : stream_(stream) {}

  // As RawStream::Send(). `message` is encoded before this returns.
  Task<Status> Send(const M& message) { return stream_.Send(message.SerializeAsString()); }
  RawStream& raw() const { return stream_; }

 private:
  RawStream& stream_;
};

// The client's side of a call whose server streams.
template <typename Reply>
class ServerStreamCall {
 public:
  explicit ServerStreamCall(std::unique_ptr<RawClientStream> stream) : stream_(std::move(stream)) {}

  // The next reply; none at the end, of whatever kind: see Finish().
  Task<std::optional<Reply>> Receive() {
    return stream_internal::Receive<Reply>(*stream_, &failure_);
  }
  // Closes this side, and waits for the end of the call: how it ended. Replies that were not
  // received are dropped.
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

// … whose client streams.
template <typename Request, typename Reply>
class ClientStreamCall {
 public:
  explicit ClientStreamCall(std::unique_ptr<RawClientStream> stream) : stream_(std::move(stream)) {}

  // As RawStream::Send(). `request` is encoded before this returns.
  Task<Status> Send(const Request& request) { return stream_->Send(request.SerializeAsString()); }
  // Closes this side, and waits for the reply.
  Task<Result<Reply>> Finish() { return stream_internal::Finish<Reply>(*stream_); }

 private:
  std::unique_ptr<RawClientStream> stream_;
};

// … where both stream.
template <typename Request, typename Reply>
class BidiStreamCall : public ServerStreamCall<Reply> {
 public:
  using ServerStreamCall<Reply>::ServerStreamCall;

  // As RawStream::Send(). `request` is encoded before this returns.
  Task<Status> Send(const Request& request) {
    return this->raw().Send(request.SerializeAsString());
  }
  // Says that no more will be sent.
  void CloseSend() { this->raw().CloseSend(); }
};

}  // namespace ttrpc
