// SPDX-License-Identifier: Apache-2.0
//
// Client: one connection to a ttrpc server, shared by any number of calls at once. Generated code
// (`FooClient`) uses it. All functions are called on the loop's thread, and none waits.
//
//   auto client = ttrpc::Client::Dial(loop, *ttrpc::Address::Parse("unix:///run/greeter.sock"));
//   example::GreeterClient greeter(*client);
//   ttrpc::Context context;
//   context.set_timeout(std::chrono::seconds(2));
//   ttrpc::Result<example::HelloReply> reply = co_await greeter.SayHello(context, request);
//
// A call is sent when its function is called, not when it is awaited: calls whose tasks are awaited
// later run side by side. Destroying a task or a stream abandons its call: the answer, if it comes,
// is dropped, and the server does not learn of it, since ttrpc has no message for that.
//
// A call fails with the server's status, or with one of these: UNAVAILABLE `ttrpc: closed`, the
// connection is gone; DEADLINE_EXCEEDED `context deadline exceeded`; CANCELLED, its Context was
// cancelled or the client destroyed; RESOURCE_EXHAUSTED `message length N exceed maximum message
// size of M`, for a request (which is not sent) or a reply; INTERNAL, the server broke the protocol
// or sent bytes that are no message of the expected type.
#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
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

// These options say how a client of Dial() connects again after its connection has ended.
struct ReconnectOptions {
  ReconnectOptions() {}
  // The time between attempts that fail grows from `first`, doubling, up to `longest`.
  std::chrono::nanoseconds first = std::chrono::milliseconds(50);
  std::chrono::nanoseconds longest = std::chrono::seconds(1);
  // false: a call that is made while no connection can be had fails with UNAVAILABLE as soon as an
  // attempt does. true: it waits for one, as long as its deadline allows.
  bool wait_for_ready = false;
};

struct ClientOptions {
  ClientOptions() {}
  // Null: the client does not look who the server is.
  std::unique_ptr<Handshaker> handshaker;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);  // with the handshake
  std::vector<UnaryInterceptor> unary_interceptors;                     // outermost first
  std::vector<StreamClientInterceptor> stream_interceptors;
  uint32_t message_size = kDefaultMessageSize;  // longer ones are neither sent nor taken
  // Bytes kept for a stream that is not read; for all of them together, four times as many.
  size_t stream_buffer = 4U << 20;
  // The loop calls it once for each connection that ends, or could not be made, unless the client
  // ended it itself, after the connection's calls have failed. It may destroy the client.
  std::function<void(const Status& reason)> on_close;
  // None: the client is closed when its connection has ended. Only for Dial().
  std::optional<ReconnectOptions> reconnect;
  // The last id that a connection gives a call; the next goes over a new connection (Dial()), or
  // fails with UNAVAILABLE. Go's servers know 31 bits. Lower in tests only.
  uint32_t last_stream_id = 0x7fff'ffff;
};

class ClientCore;  // private

class Client {
 public:
  // Begins to connect; calls that are made meanwhile are kept. A failure is that of the calls, and
  // of ClientOptions::on_close. `loop` must outlive the client, its tasks and its streams.
  static std::unique_ptr<Client> Dial(IoLoop& loop, Address address, ClientOptions options = {});
  // Owns `socket`, which is connected and non-blocking. Otherwise as Dial().
  static std::unique_ptr<Client> Over(IoLoop& loop, UniqueFd socket, ClientOptions options = {});

  // Fails the calls under way with CANCELLED `ttrpc: client destroyed`; the loop resumes those who
  // wait for them, later. Tasks and streams may outlive the client.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Closes the connection now. Calls under way, and all that are made from now on, fail with
  // UNAVAILABLE `ttrpc: closed`. The client does not connect again.
  void Close();
  // True if there is no connection, and there will be none.
  bool closed() const;
  // The number of calls and streams under way.
  size_t calls() const;

  // Makes a unary call, from the request's bytes to the reply's. The names of `method` must be
  // valid until the task has ended. `context` is borrowed until it is destroyed, which may be
  // before that.
  Task<Result<std::string>> Call(const MethodInfo& method, Context& context, std::string request);
  // The same, between messages. `request` is encoded before this returns. INTERNAL: the reply is
  // not a Reply.
  template <typename Reply>
  Task<Result<Reply>> Call(const MethodInfo& method, Context& context,
                           const google::protobuf::MessageLite& request) {
    return ParseReply<Reply>(Call(method, context, request.SerializeAsString()));
  }

  // Makes a call that streams. Never returns null: a stream that could not be opened has failed.
  // `request` is given for a method whose client does not stream. The names of `method` must be
  // valid, and `context` is borrowed, as for Call(), until the stream is destroyed.
  std::unique_ptr<RawClientStream> OpenStream(const MethodInfo& method, Context& context,
                                              std::optional<std::string> request);

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

// Generated code of a client uses these to implement the service's abstract class over a wire.
namespace client_internal {

// Relays messages from `requests` to the call and from the call to `replies`, until the call has
// ended, and returns what Finish() returns. Either may be null, if that side does not stream; both
// must outlive the task.
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
