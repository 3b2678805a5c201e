// SPDX-License-Identifier: Apache-2.0
//
// ServiceDescription: what a server knows of a service: its methods, and how to call them.
// protoc-gen-cpp-ttrpc writes it; write it by hand for a service whose messages are not protobuf's,
// or not known. Its functions are called on the loop's thread.
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

// A method's implementation writes its one reply to a ReplySink, which is the server's and valid
// until the method's task has ended.
class ReplySink {
 public:
  // Encodes the reply before it returns. To be called once, last: the method ends with the status
  // that this returns. RESOURCE_EXHAUSTED: the reply is too long to be sent.
  virtual Status Write(const google::protobuf::MessageLite& reply) = 0;
  // The same for a reply that is already encoded, of which it takes a copy.
  virtual Status WriteBytes(std::string_view reply) = 0;

 protected:
  ~ReplySink() = default;
};

// A method, as a server calls it. `service` is ServiceDescription::implementation. The task may
// fail with any status, which the client gets. `context` is valid until the task has ended; a
// server that is closed destroys the task where it waits.
struct Method {
  // `request` is valid until the task first waits, and must be copied by one that needs it longer.
  using Unary = Task<Status> (*)(void* service, Context& context, std::string_view request,
                                 ReplySink& reply);
  // `stream` is valid until the task has ended. `reply` is for a method whose server does not
  // stream.
  using Stream = Task<Status> (*)(void* service, Context& context, RawStream& stream,
                                  ReplySink& reply);

  Method(std::string_view n, Unary u) : name(n), unary(u) {}
  Method(std::string_view n, bool client_streaming, bool server_streaming, Stream s)
      : name(n), client_streams(client_streaming), server_streams(server_streaming), stream(s) {}

  std::string_view name;  // borrowed: see ServiceDescription
  bool client_streams = false;
  bool server_streams = false;
  // One of the two is null.
  Unary unary = nullptr;
  Stream stream = nullptr;
};

// A description borrows all names and the implementation: they must outlive the server that it is
// registered with. The server keeps a copy of the description itself.
struct ServiceDescription {
  ServiceDescription(std::string_view n, void* i, std::vector<Method> m)
      : name(n), implementation(i), methods(std::move(m)) {}

  std::string_view name;  // "package.Service"
  void* implementation;
  std::vector<Method> methods;
};

// Generated code uses these: from bytes to an implementation's method and back. `Service` is the
// abstract class, `Call` a pointer to its method. INTERNAL: the bytes are not a Request.
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

// What waits does so in this coroutine's frame: it has no variable for the reply.
template <typename Service, typename Request, typename Reply,
          Task<Result<Reply>> (Service::*Call)(Context&, const Request&)>
Task<Status> Unary(void* service, Context& context, std::string_view bytes, ReplySink& sink) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    co_return stream_internal::CannotParse(request);
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
