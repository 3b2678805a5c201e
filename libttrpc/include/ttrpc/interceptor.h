// SPDX-License-Identifier: Apache-2.0
//
// Interceptors: functions that stand around every call of a client or of a server. They see its
// names, context and messages, may change these, answer in the method's place, or refuse. Several
// form a chain: the first is the outermost. On the loop's thread.
//
//   ttrpc::UnaryInterceptor log = [](ttrpc::Context& context, const ttrpc::MethodInfo& method,
//                                    std::string request, ttrpc::UnaryNext next)
//       -> ttrpc::Task<ttrpc::Result<std::string>> {
//     ttrpc::Result<std::string> reply = co_await next(std::move(request));
//     …
//     co_return reply;
//   };
//
// A lambda that is a coroutine must not capture by reference, nor anything that its std::function
// does not outlive: options own their interceptors for as long as calls run.
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

// Which method. The names live as long as the call.
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

// The rest of the chain, and at its end the method or the wire. Called at most once, while the
// interceptor's own task runs.
using UnaryNext = std::function<Task<Result<std::string>>(std::string request)>;

// Around a unary call, on either side: from the request's bytes to the reply's.
using UnaryInterceptor = std::function<Task<Result<std::string>>(
    Context& context, const MethodInfo& method, std::string request, UnaryNext next)>;

// `stream` must outlive the task. The reply's bytes if the server does not stream, else empty.
using StreamServerNext = std::function<Task<Result<std::string>>(RawStream& stream)>;

// Around a call that streams, on the server's side. May hand on a stream of its own that wraps the
// one it got. A method whose client does not stream receives its one request from the stream, too.
using StreamServerInterceptor = std::function<Task<Result<std::string>>(
    Context& context, const MethodInfo& method, RawStream& stream, StreamServerNext next)>;

// `request`: of a method whose client does not stream; else none.
using StreamClientNext =
    std::function<std::unique_ptr<RawClientStream>(std::optional<std::string> request)>;

// Around the opening of a call that streams, on the client's side. May return a stream of its own
// that wraps the one it got, or one that fails.
using StreamClientInterceptor = std::function<std::unique_ptr<RawClientStream>(
    Context& context, const MethodInfo& method, std::optional<std::string> request,
    StreamClientNext next)>;

// A stream that has failed before it began, for a StreamClientInterceptor that refuses.
std::unique_ptr<RawClientStream> FailedStream(Status status);

}  // namespace ttrpc
