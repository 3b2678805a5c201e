// SPDX-License-Identifier: Apache-2.0
//
// Interceptors: functions that wrap every call of a client or of a server. An interceptor sees the
// call's names, context and messages. It may change the context and the messages, reply in place of
// the method, or refuse the call. Several interceptors form a chain, the first of which is the
// outermost. The loop's thread calls them. They fail with the Status that they return.
//
//   ttrpc::UnaryInterceptor log = [](ttrpc::Context& context, const ttrpc::MethodInfo& method,
//                                    std::string request, ttrpc::UnaryNext next)
//       -> ttrpc::Task<ttrpc::Result<std::string>> {
//     ttrpc::Result<std::string> reply = co_await next(std::move(request));
//     …
//     co_return reply;
//   };
//
// The client or server owns its interceptors until the last of their calls has ended. A lambda that
// is a coroutine may therefore use its captures; objects that it captured by reference must live as
// long. `context` and the names of `method` are valid until the interceptor's task has ended; for a
// StreamClientInterceptor, until it returns. On a client, `context` is a copy of the caller's that
// is cancelled with it, so a change applies to this call only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/context.h"
#include "ttrpc/status.h"
#include "ttrpc/stream.h"
#include "ttrpc/task.h"

namespace ttrpc {

// The names of a method, and which sides stream. MethodInfo borrows the names, which are usually
// literals. They must stay valid until the call's task has ended or its stream is destroyed.
struct MethodInfo {
  constexpr MethodInfo(std::string_view service_name, std::string_view method_name,
                       bool client_streaming = false, bool server_streaming = false)
      : service(service_name),
        method(method_name),
        client_streams(client_streaming),
        server_streams(server_streaming) {}

  std::string_view service;
  std::string_view method;
  bool client_streams;
  bool server_streams;

  bool unary() const { return !client_streams && !server_streams; }
};

// Runs the rest of the chain, which ends at the method or at the connection. An interceptor calls
// it at most once, while its own task runs. The returned task must not outlive the interceptor's
// task.
using UnaryNext = std::function<Task<Result<std::string>>(std::string request)>;

// Wraps a unary call, on either side, from encoded request to encoded reply.
using UnaryInterceptor = std::function<Task<Result<std::string>>(
    Context& context, const MethodInfo& method, std::string request, UnaryNext next)>;

// Runs the rest of the chain. `stream` must outlive the task. The value is the encoded reply if the
// server does not stream; otherwise it is empty.
using StreamServerNext = std::function<Task<Result<std::string>>(RawStream& stream)>;

// Wraps a streaming call on the server. `stream` is valid until the task has ended. The interceptor
// may pass on its own stream that wraps it. If the client does not stream, the method receives its
// single request from the stream.
using StreamServerInterceptor = std::function<Task<Result<std::string>>(
    Context& context, const MethodInfo& method, RawStream& stream, StreamServerNext next)>;

// Opens the stream. Never returns null. Pass `request` only for a method whose client does not
// stream. Call it at most once, before the interceptor returns.
using StreamClientNext =
    std::function<std::unique_ptr<RawClientStream>(std::optional<std::string> request)>;

// Wraps the opening of a streaming call on the client. Returns the stream that it got, its own
// stream that wraps it, or FailedStream(), but not null. An open stream follows the caller's
// context, not `context`: to end it, destroy it.
using StreamClientInterceptor = std::function<std::unique_ptr<RawClientStream>(
    Context& context, const MethodInfo& method, std::optional<std::string> request,
    StreamClientNext next)>;

// Returns a stream that has already failed, for a StreamClientInterceptor that refuses a call. An
// OK status becomes the same error as in a Result.
std::unique_ptr<RawClientStream> FailedStream(Status status);

}  // namespace ttrpc
