// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/client.h"

#include <utility>

#include "call_context.h"
#include "client_call.h"
#include "client_core.h"
#include "until.h"

namespace ttrpc {

namespace {

// Returns the chain of interceptors from `next` on.
UnaryNext ChainOf(InterceptedCall* call, size_t next);

}  // namespace

// The call starts as soon as it is made, so that it is sent at once if no interceptor waits.
class InterceptedCall : public RingNode {
 public:
  InterceptedCall(ClientCore& core, const MethodInfo& method, Context& context)
      : interceptors_(core.interceptors()),
        core_(core),
        loop_(core.loop()),
        method_(method),
        context_(context, core.loop()),
        waiter_(core.loop()) {
    core.intercepted().InsertBefore(this);
  }

  void Run(std::string request) {
    // The frames of the chain refer to this object and are destroyed before it.
    tasks_.Spawn(Store(ChainOf(this, 0)(std::move(request))));
  }

  static Task<Result<std::string>> Reply(std::unique_ptr<InterceptedCall> call) {
    if (!call->result_) co_await Until(call->waiter_);
    co_return std::move(*call->result_);
  }

  const UnaryInterceptor* Interceptor(size_t index) const {
    return index < interceptors_->unary.size() ? &interceptors_->unary[index] : nullptr;
  }

  // Sends the call at the end of the chain.
  Task<Result<std::string>> Send(const std::string& request) {
    auto call = std::make_unique<UnaryCall>(loop_);
    if (alone()) {
      call->Fail({StatusCode::kCancelled, "ttrpc: client destroyed"});
    } else {
      core_.Start(*call, method_, context(), request);
    }
    return UnaryCall::Reply(std::move(call));
  }

  const MethodInfo& method() const { return method_; }
  Context& context() { return context_.context(); }

 private:
  Task<void> Store(Task<Result<std::string>> chain) {
    result_.emplace(co_await std::move(chain));
    waiter_.Wake();
  }

  const std::shared_ptr<const ClientInterceptors> interceptors_;
  ClientCore& core_;  // valid while this is in its ring
  IoLoop& loop_;
  const MethodInfo method_;
  CallContext context_;
  std::optional<Result<std::string>> result_;
  Waiter waiter_;
  TaskGroup tasks_;
};

namespace {

UnaryNext ChainOf(InterceptedCall* call, size_t next) {
  return [call, next](std::string request) {
    const UnaryInterceptor* const interceptor = call->Interceptor(next);
    if (interceptor == nullptr) return call->Send(request);
    return (*interceptor)(call->context(), call->method(), std::move(request),
                          ChainOf(call, next + 1));
  };
}

}  // namespace

namespace {

std::unique_ptr<ClientStream> OpenUnintercepted(ClientCore& core, const MethodInfo& method,
                                                Context& context,
                                                const std::optional<std::string>& request) {
  auto stream = std::make_unique<ClientStream>(core.loop(), method, core.message_size());
  core.Start(*stream, method, context, request ? *request : std::string());
  return stream;
}

}  // namespace

// The opening of a stream. It lives while the interceptors run, so that they may refer to its
// members. Any interceptor may destroy the client.
class StreamOpening : private RingNode {
 public:
  StreamOpening(ClientCore& core, const MethodInfo& method, Context& context)
      : interceptors_(core.interceptors()),
        core_(core),
        method_(method),
        caller_(context),
        context_(context, core.loop()) {
    core.intercepted().InsertBefore(this);
  }

  // Runs the interceptors from `first` on.
  std::unique_ptr<RawClientStream> Open(size_t first, std::optional<std::string> request) {
    if (first < interceptors_->stream.size()) {
      return interceptors_->stream[first](
          context_.context(), method_, std::move(request),
          [this, first](std::optional<std::string> r) { return Open(first + 1, std::move(r)); });
    }
    if (alone()) return FailedStream({StatusCode::kCancelled, "ttrpc: client destroyed"});
    auto stream = OpenUnintercepted(core_, method_, context_.context(), request);
    // The copy ends with the opening, but the stream continues. An interceptor may have destroyed
    // the caller's context.
    if (context_.follows_caller()) stream->FollowCancellation(caller_);
    return stream;
  }

 private:
  const std::shared_ptr<const ClientInterceptors> interceptors_;
  ClientCore& core_;  // valid while this is in its ring
  const MethodInfo& method_;
  Context& caller_;  // valid while context_ follows it
  CallContext context_;
};

Client::Client(std::unique_ptr<ClientCore> core) : core_(std::move(core)) {}

Client::~Client() = default;

std::unique_ptr<Client> Client::Dial(IoLoop& loop, Address address, ClientOptions options) {
  auto core = std::make_unique<ClientCore>(loop, std::move(address), std::move(options));
  core->Connect(UniqueFd());
  return std::unique_ptr<Client>(new Client(std::move(core)));
}

std::unique_ptr<Client> Client::Over(IoLoop& loop, UniqueFd socket, ClientOptions options) {
  options.reconnect = std::nullopt;
  auto core = std::make_unique<ClientCore>(loop, std::nullopt, std::move(options));
  core->Connect(std::move(socket));
  return std::unique_ptr<Client>(new Client(std::move(core)));
}

void Client::Close() { core_->Close({StatusCode::kUnavailable, "ttrpc: closed"}); }

bool Client::closed() const { return core_->closed(); }

size_t Client::calls() const { return core_->calls(); }

Task<Result<std::string>> Client::Call(const MethodInfo& method, Context& context,
                                       std::string request) {
  if (core_->interceptors()->unary.empty()) {
    auto call = std::make_unique<UnaryCall>(core_->loop());
    core_->Start(*call, method, context, request);
    return UnaryCall::Reply(std::move(call));
  }
  auto call = std::make_unique<InterceptedCall>(*core_, method, context);
  call->Run(std::move(request));
  return InterceptedCall::Reply(std::move(call));
}

std::unique_ptr<RawClientStream> Client::OpenStream(const MethodInfo& method, Context& context,
                                                    std::optional<std::string> request) {
  if (core_->interceptors()->stream.empty())
    return OpenUnintercepted(*core_, method, context, request);
  return StreamOpening(*core_, method, context).Open(0, std::move(request));
}

}  // namespace ttrpc
