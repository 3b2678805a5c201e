// SPDX-License-Identifier: Apache-2.0
#include "server_chain.h"

#include <optional>
#include <utility>

namespace ttrpc::server_chain {

namespace {

// Keeps the reply for the interceptors.
class KeptReply final : public ReplySink {
 public:
  Status Write(const google::protobuf::MessageLite& reply) override {
    if (bytes_) return RepliedTwice();
    Result<std::string> bytes = stream_internal::Encode(reply, "reply");
    if (!bytes) return bytes.error();
    bytes_ = std::move(*bytes);
    return {};
  }
  Status WriteBytes(std::string_view reply) override {
    if (bytes_) return RepliedTwice();
    bytes_ = reply;
    return {};
  }
  // Returns what the handler has replied if it ended with `status`.
  Result<std::string> Take(const MethodInfo& method, const Status& status) {
    if (!status.ok()) return status;
    if (bytes_) return std::move(*bytes_);
    return method.server_streams ? Result<std::string>(std::string()) : NoReply();
  }

 private:
  std::optional<std::string> bytes_;
};

Task<Result<std::string>> Invoke(Target<Method::Unary> target, ServerCall& call,
                                 std::string request) {
  KeptReply reply;
  const Status status = co_await target.handler(target.service, call.context(), request, reply);
  co_return reply.Take(call.method(), status);
}

Task<Result<std::string>> Invoke(Target<Method::Stream> target, ServerCall& call,
                                 RawStream& stream) {
  KeptReply reply;
  const Status status = co_await target.handler(target.service, call.context(), stream, reply);
  co_return reply.Take(call.method(), status);
}

// A call that runs through the interceptors from `next` on. The call outlives the chain.
struct UnaryChain {
  const ServerOptions& options;
  ServerCall& call;
  Target<Method::Unary> target;

  UnaryNext From(size_t next) {
    return [this, next](std::string request) {
      if (next == options.unary_interceptors.size())
        return Invoke(target, call, std::move(request));
      return options.unary_interceptors[next](call.context(), call.method(), std::move(request),
                                              From(next + 1));
    };
  }
};

struct StreamChain {
  const ServerOptions& options;
  ServerCall& call;
  Target<Method::Stream> target;

  StreamServerNext From(size_t next) {
    return [this, next](RawStream& stream) {
      if (next == options.stream_interceptors.size()) return Invoke(target, call, stream);
      return options.stream_interceptors[next](call.context(), call.method(), stream,
                                               From(next + 1));
    };
  }
};

// A coroutine, so that an exception of the outermost interceptor becomes a status even if it is
// thrown instead of returning a task.
Task<Result<std::string>> Start(UnaryChain& chain, std::string request) {
  co_return co_await chain.From(0)(std::move(request));
}

Task<Result<std::string>> Start(StreamChain& chain, RawStream& stream) {
  co_return co_await chain.From(0)(stream);
}

}  // namespace

// A handler that is not a coroutine may throw before there is a task to catch the exception.
Task<void> Run(std::unique_ptr<ServerCall> call, Method::Unary handler, void* service,
               std::string_view request) {
  Status status;
  try {
    status = co_await handler(service, call->context(), request, call->sink());
  } catch (...) {
    status = task_internal::StatusOfException();
  }
  call->Ended(status);
}

Task<void> Run(std::unique_ptr<ServerStream> stream, Method::Stream handler, void* service) {
  Status status;
  try {
    status = co_await handler(service, stream->context(), *stream, stream->sink());
  } catch (...) {
    status = task_internal::StatusOfException();
  }
  stream->Ended(status);
}

Task<void> RunIntercepted(const ServerOptions& options, std::unique_ptr<ServerCall> call,
                          Target<Method::Unary> target, std::string request) {
  UnaryChain chain{options, *call, target};
  const Result<std::string> reply = co_await Start(chain, std::move(request));
  call->Ended(reply ? call->sink().WriteBytes(*reply) : reply.error());
}

Task<void> RunIntercepted(const ServerOptions& options, std::unique_ptr<ServerStream> stream,
                          Target<Method::Stream> target) {
  StreamChain chain{options, *stream, target};
  const Result<std::string> reply = co_await Start(chain, *stream);
  if (!reply) {
    stream->Ended(reply.error());
  } else {
    stream->Ended(stream->method().server_streams ? Status() : stream->sink().WriteBytes(*reply));
  }
}

}  // namespace ttrpc::server_chain
