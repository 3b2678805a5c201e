// SPDX-License-Identifier: Apache-2.0
//
// ServiceDescription: the methods of a service and how a server calls them. protoc-gen-cpp-ttrpc
// generates it. Write one by hand for a service whose messages are unknown or do not use protobuf.
// The loop's thread calls the methods.
#pragma once

#include <google/protobuf/message_lite.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ttrpc/context.h"
#include "ttrpc/interceptor.h"
#include "ttrpc/status.h"
#include "ttrpc/stream.h"
#include "ttrpc/task.h"

namespace ttrpc {

// A method's implementation writes its reply to a ReplySink. The server owns the sink, which is
// valid until the method's task has ended.
class ReplySink {
 public:
  // Encodes the reply before it returns. Call it once, as the last step of the method, and return
  // the status that it returns:
  // - RESOURCE_EXHAUSTED: the reply is too long to send;
  // - INTERNAL `reply lacks required fields: FIELD, …`;
  // - FAILED_PRECONDITION `ttrpc: reply already written`.
  virtual Status Write(const google::protobuf::MessageLite& reply) = 0;
  // Like Write(), for a reply that is already encoded. Copies the bytes.
  virtual Status WriteBytes(std::string_view reply) = 0;

 protected:
  ~ReplySink() = default;
};

// A method as a server calls it. `service` is ServiceDescription::implementation. The task may
// return any status; the client receives it. If the task returns OK without having written a reply,
// the client receives INTERNAL `OK without a value`, unless the server streams. `context` is valid
// until the task has ended. Server::Close() destroys a task that waits.
struct Method {
  // `request` is valid until the task first waits. Copy it if it is needed longer.
  using Unary = Task<Status> (*)(void* service, Context& context, std::string_view request,
                                 ReplySink& reply);
  // `stream` is valid until the task has ended. Use `reply` only if the server does not stream.
  using Stream = Task<Status> (*)(void* service, Context& context, RawStream& stream,
                                  ReplySink& reply);

  Method(std::string_view n, Unary u) : name(n), unary(u) {}
  Method(std::string_view n, bool client_streaming, bool server_streaming, Stream s)
      : name(n), client_streams(client_streaming), server_streams(server_streaming), stream(s) {}

  std::string_view name;  // borrowed: see ServiceDescription
  bool client_streams = false;
  bool server_streams = false;
  // Exactly one of the two is null.
  Unary unary = nullptr;
  Stream stream = nullptr;
};

// A description borrows its names and the implementation, which must outlive the server that it is
// registered with. The server copies the description itself.
struct ServiceDescription {
  ServiceDescription(std::string_view n, void* i, std::vector<Method> m)
      : name(n), implementation(i), methods(std::move(m)) {}

  std::string_view name;  // "package.Service"
  void* implementation;
  std::vector<Method> methods;
};

// Generated code uses these functions to parse a request, call the implementation and encode its
// reply. `Service` is the abstract class, `Call` a pointer to its method. They return INTERNAL if
// the bytes are not a Request.
namespace service_internal {

template <typename Request>
Task<Result<Request>> ReceiveOne(RawStream& stream) {
  std::optional<std::string> bytes = co_await stream.Receive();
  if (!bytes)
    co_return stream.status().ok() ? Status(StatusCode::kInvalidArgument, "no request")
                                   : stream.status();
  co_return stream_internal::Parse<Request>(*bytes);
}

template <typename Reply>
Status Write(const Result<Reply>& reply, ReplySink& sink) {
  return reply ? sink.Write(*reply) : reply.error();
}

// The frame of this coroutine stays allocated while the method waits. It has no variable for the
// reply, to keep the frame small.
template <typename Service, typename Request, typename Reply,
          Task<Result<Reply>> (Service::*Call)(Context&, const Request&)>
Task<Status> Unary(void* service, Context& context, std::string_view bytes, ReplySink& sink) {
  Request request;
  if (Status status = stream_internal::ParseInto(bytes, request); !status.ok()) co_return status;
  co_return Write(co_await (static_cast<Service*>(service)->*Call)(context, request), sink);
}

template <typename Service, typename Request, typename Reply,
          Task<Status> (Service::*Call)(Context&, const Request&, SendStream<Reply>&)>
Task<Status> ServerStream(void* service, Context& context, RawStream& stream, ReplySink&) {
  const Result<Request> request = co_await ReceiveOne<Request>(stream);
  if (!request) co_return request.error();
  SendStream<Reply> replies(stream);
  co_return co_await (static_cast<Service*>(service)->*Call)(context, *request, replies);
}

template <typename Service, typename Request, typename Reply,
          Task<Result<Reply>> (Service::*Call)(Context&, ReceiveStream<Request>&)>
Task<Status> ClientStream(void* service, Context& context, RawStream& stream, ReplySink& sink) {
  ReceiveStream<Request> requests(stream);
  co_return Write(co_await (static_cast<Service*>(service)->*Call)(context, requests), sink);
}

template <typename Service, typename Request, typename Reply,
          Task<Status> (Service::*Call)(Context&, ReceiveStream<Request>&, SendStream<Reply>&)>
Task<Status> BidiStream(void* service, Context& context, RawStream& stream, ReplySink&) {
  ReceiveStream<Request> requests(stream);
  SendStream<Reply> replies(stream);
  co_return co_await (static_cast<Service*>(service)->*Call)(context, requests, replies);
}

}  // namespace service_internal

}  // namespace ttrpc
