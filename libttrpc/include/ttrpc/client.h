// SPDX-License-Identifier: Apache-2.0
//
// Client: one connection to a ttrpc server that any number of calls share. Generated code
// (`FooClient`) uses it. Call all functions on the loop's thread; none of them waits.
//
//   auto client = ttrpc::Client::Dial(loop, *ttrpc::Address::Parse("unix:///run/greeter.sock"));
//   example::GreeterClient greeter(*client);
//   ttrpc::Context context;
//   context.set_timeout(std::chrono::seconds(2));
//   ttrpc::Result<example::HelloReply> reply = co_await greeter.SayHello(context, request);
//
// A call is sent when its function is called, not when its task is awaited. Calls whose tasks are
// awaited later therefore run concurrently. Destroying a task or a stream abandons its call: the
// client drops the reply if one arrives. The server does not learn of it, because ttrpc has no
// message to cancel a call.
//
// A call fails with the status that the server sent, or with one of these:
// - UNAVAILABLE `ttrpc: closed`: the connection was lost, or the client was closed. The server may
//   or may not have received the call.
// - UNAVAILABLE with another message: the client could not connect.
// - DEADLINE_EXCEEDED `context deadline exceeded`: the context's deadline has passed.
// - CANCELLED `context canceled`, or the reason that was passed to Context::Cancel().
// - CANCELLED `ttrpc: client destroyed`.
// - RESOURCE_EXHAUSTED `message length N exceed maximum message size of M`: the request is too long
//   and was not sent, or the reply is too long and was discarded.
// - RESOURCE_EXHAUSTED `ttrpc: stream buffer full`: the program did not read a stream.
// - INTERNAL `request lacks required fields: FIELD, …`: the request, a message of proto2, was not
//   sent.
// - INTERNAL with another message: the server broke the protocol, or sent bytes that are not a
//   message of the expected type.
#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ttrpc/address.h"
#include "ttrpc/context.h"
#include "ttrpc/handshaker.h"
#include "ttrpc/interceptor.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/message_size.h"
#include "ttrpc/status.h"
#include "ttrpc/stream.h"
#include "ttrpc/task.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// ReconnectOptions say how a client of Dial() connects again after its connection has ended.
struct ReconnectOptions {
  ReconnectOptions() {}
  // The delay after a failed attempt starts at `first` and doubles up to `longest`.
  std::chrono::nanoseconds first = std::chrono::milliseconds(50);
  std::chrono::nanoseconds longest = std::chrono::seconds(1);
  // If false, a call that is made while the client is not connected fails with UNAVAILABLE as soon
  // as the next attempt fails. If true, the call waits for a connection until its deadline passes.
  bool wait_for_ready = false;
};

struct ClientOptions {
  ClientOptions() {}
  // Null: the client does not check the identity of the server.
  std::unique_ptr<Handshaker> handshaker;
  // The time to connect, including the handshake. 0: no limit.
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);
  std::vector<UnaryInterceptor> unary_interceptors;  // outermost first
  std::vector<StreamClientInterceptor> stream_interceptors;
  // Bytes of data in one message. The client neither sends nor accepts longer ones. A value above
  // kMaxMessageSize counts as kMaxMessageSize.
  uint32_t message_size = kDefaultMessageSize;
  // Bytes buffered for a stream that the program does not read. All streams of a connection
  // together may buffer four times as much.
  size_t stream_buffer = 4U << 20;
  // The loop calls this once for each connection that has ended, and for each failed attempt to
  // connect, after the calls on it have failed. It is not called if the client itself closed the
  // connection. It may destroy the client.
  std::function<void(const Status& reason)> on_close;
  // None: the client closes when its connection ends. Only for Dial().
  std::optional<ReconnectOptions> reconnect;
  // The highest stream id that one connection uses. After that, a client of Dial() makes a new
  // connection, and calls of a client of Over() fail with UNAVAILABLE. The default is the limit of
  // Go's servers; only tests set less.
  uint32_t last_stream_id = 0x7fff'ffff;
};

class ClientCore;  // private

class Client {
 public:
  // Starts to connect. Calls that are made meanwhile wait for the connection. If the attempt fails,
  // those calls fail with UNAVAILABLE and ClientOptions::on_close is called. `loop` must outlive
  // the client, its tasks and its streams.
  static std::unique_ptr<Client> Dial(IoLoop& loop, Address address, ClientOptions options = {});
  // Like Dial(), over a connected, non-blocking socket, which the client owns.
  static std::unique_ptr<Client> Over(IoLoop& loop, UniqueFd socket, ClientOptions options = {});

  // Fails the calls in flight with CANCELLED `ttrpc: client destroyed`. The loop resumes the
  // coroutines that wait for them later. Tasks and streams may outlive the client.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Closes the connection at once. Calls in flight and all later calls fail with UNAVAILABLE
  // `ttrpc: closed`. The client does not connect again.
  void Close();
  // Returns true if the client has no connection and will not make one again.
  bool closed() const;
  // Returns the number of calls and streams in flight.
  size_t calls() const;

  // Makes a unary call from encoded request to encoded reply. The names in `method` must stay valid
  // until the task has ended. `context` is borrowed, and may be destroyed before the task ends. The
  // returned statuses are listed at the top of this file.
  Task<Result<std::string>> Call(const MethodInfo& method, Context& context, std::string request);
  // Like the above, for messages. `request` is encoded before this function returns. Also returns
  // INTERNAL if the reply does not parse as a Reply.
  template <typename Reply>
  Task<Result<Reply>> Call(const MethodInfo& method, Context& context,
                           const google::protobuf::MessageLite& request) {
    Result<std::string> bytes = stream_internal::Encode(request, "request");
    if (!bytes) return stream_internal::Ended<Result<Reply>>(bytes.error());
    return ParseReply<Reply>(Call(method, context, std::move(*bytes)));
  }

  // Opens a streaming call. Never returns null: if the stream cannot be opened, the returned stream
  // has already failed. Pass `request` only for a method whose client does not stream. The names in
  // `method` must stay valid until the stream is destroyed. `context` is borrowed as for Call().
  std::unique_ptr<RawClientStream> OpenStream(const MethodInfo& method, Context& context,
                                              std::optional<std::string> request);
  // Like the above, for the message of a client that does not stream. `request` is encoded before
  // this function returns.
  template <std::derived_from<google::protobuf::MessageLite> Request>
  std::unique_ptr<RawClientStream> OpenStream(const MethodInfo& method, Context& context,
                                              const Request& request) {
    Result<std::string> bytes = stream_internal::Encode(request, "request");
    if (!bytes) return FailedStream(bytes.error());
    return OpenStream(method, context, std::move(*bytes));
  }

 private:
  explicit Client(std::unique_ptr<ClientCore> core);

  template <typename Reply>
  static Task<Result<Reply>> ParseReply(Task<Result<std::string>> call) {
    Result<std::string> bytes = co_await std::move(call);
    if (!bytes) co_return bytes.error();
    co_return stream_internal::Parse<Reply>(*bytes);
  }

  std::unique_ptr<ClientCore> core_;
};

// Generated clients use these functions to implement the service's abstract class over a
// connection.
namespace client_internal {

// Relays messages from `requests` to the call and from the call to `replies` until the call ends.
// Returns the result of Finish(). Either pointer may be null if that side does not stream. Both
// objects must outlive the task.
Task<Result<std::string>> Relay(std::unique_ptr<RawClientStream> call, RawStream* requests,
                                RawStream* replies);

inline Task<Status> RelayForStatus(std::unique_ptr<RawClientStream> call, RawStream* requests,
                                   RawStream* replies) {
  Result<std::string> bytes = co_await Relay(std::move(call), requests, replies);
  co_return bytes ? Status() : bytes.error();
}

template <typename Reply>
Task<Result<Reply>> RelayForReply(std::unique_ptr<RawClientStream> call, RawStream* requests) {
  Result<std::string> bytes = co_await Relay(std::move(call), requests, nullptr);
  if (!bytes) co_return bytes.error();
  co_return stream_internal::Parse<Reply>(*bytes);
}

}  // namespace client_internal

}  // namespace ttrpc
