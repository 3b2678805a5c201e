// SPDX-License-Identifier: Apache-2.0
//
// Interceptors: functions that wrap every call of a client or of a server. They see its names,
// context and messages, may change these, answer in the method's place, or refuse. Several form a
// chain: the first is the outermost. The loop's thread calls them; a failure is the Status that
// they return.
//
//   ttrpc::UnaryInterceptor log = [](ttrpc::Context& context, const ttrpc::MethodInfo& method,
//                                    std::string request, ttrpc::UnaryNext next)
//       -> ttrpc::Task<ttrpc::Result<std::string>> {
//     ttrpc::Result<std::string> reply = co_await next(std::move(request));
//     …
//     co_return reply;
//   };
//
// The client or server owns its interceptors until the last of their calls has ended: a lambda that
// is a coroutine may use what it has captured, and what it captured by reference must live as long.
// `context` and the names of `method` are valid until the interceptor's task has ended; for a
// StreamClientInterceptor, until it returns. The context is the call's own: on the client's side a
// copy of the caller's, cancelled with it, so that a change holds for this call only.
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

// The names of a method and which sides stream. It borrows the names, mostly from literals: they
// must be valid until the call's task has ended, or its stream is destroyed.
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

// Runs the rest of the chain, at whose end is the method or the wire. An interceptor calls it at
// most once, and only while its own task runs; the task that it returns must not outlive that one.
using UnaryNext = std::function<Task<Result<std::string>>(std::string request)>;

// Wraps a unary call, on either side: from the request's bytes to the reply's.
using UnaryInterceptor = std::function<Task<Result<std::string>>(
    Context& context, const MethodInfo& method, std::string request, UnaryNext next)>;

// `stream` must outlive the task. The value is the reply's bytes if the server does not stream,
// else empty.
using StreamServerNext = std::function<Task<Result<std::string>>(RawStream& stream)>;

// Wraps a call that streams, on the server's side. `stream` is valid until the task has ended; the
// interceptor may pass on a stream of its own that wraps it. A method whose client does not stream
// receives its one request from the stream, too.
using StreamServerInterceptor = std::function<Task<Result<std::string>>(
    Context& context, const MethodInfo& method, RawStream& stream, StreamServerNext next)>;

// Opens the stream; never returns null. `request` is given for a method whose client does not
// stream. To be called at most once, before the interceptor returns.
using StreamClientNext =
    std::function<std::unique_ptr<RawClientStream>(std::optional<std::string> request)>;

// Wraps the opening of a call that streams, on the client's side. It may return a stream of its own
// that wraps the one it got, or a FailedStream(), but not null. Once the stream is open, it follows
// the caller's context: to end it, destroy it; Cancel() of `context` comes too late.
using StreamClientInterceptor = std::function<std::unique_ptr<RawClientStream>(
    Context& context, const MethodInfo& method, std::optional<std::string> request,
    StreamClientNext next)>;

// Returns a stream that has failed before it began, for a StreamClientInterceptor that refuses.
// `status` must not be OK.
std::unique_ptr<RawClientStream> FailedStream(Status status);

}  // namespace ttrpc
