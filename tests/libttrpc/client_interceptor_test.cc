// SPDX-License-Identifier: Apache-2.0
//
// A client's interceptors, and the relay of calls through a client.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raw_server.h"

namespace ttrpc::client_test {
namespace {

class ClientInterceptorTest : public ClientFixture {};

Task<Result<std::string>> Around(std::string mark, std::string request, UnaryNext next) {
  const Result<std::string> reply = co_await next(mark + "(" + request);
  if (!reply) {
    co_return Status(reply.error().code(), mark + ": " + reply.error().message());
  }
  co_return *reply + ")" + mark;
}

UnaryInterceptor Wrap(const char* mark) {
  return [mark](Context&, const MethodInfo&, std::string request, UnaryNext next) {
    return Around(mark, std::move(request), std::move(next));
  };
}

TEST_F(ClientInterceptorTest, TheFirstIsTheOutermostAndCallsAreSentWhenMade) {
  ClientOptions options;
  options.unary_interceptors = {Wrap("a"), Wrap("b")};
  Start(std::move(options));
  auto call = Call("x");
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|b(a(x]");
  server_->Reply(1, "y");
  EXPECT_EQ(Told(loop_.Run(std::move(call))), "OK y)b)a");
  Running<Result<std::string>> failing(Call("x"));
  server_->Fail(3, 5, "no");
  EXPECT_EQ(WaitTold(failing), "NOT_FOUND: a: b: no");
}

TEST_F(ClientInterceptorTest, MayChangeTheContextAndAnswerThemselves) {
  ClientOptions options;
  options.unary_interceptors = {[](Context& context, const MethodInfo& method, std::string request,
                                   UnaryNext next) -> Task<Result<std::string>> {
                                  context.metadata().Set("method", method.method);
                                  return next(std::move(request));
                                },
                                [](Context&, const MethodInfo&, std::string request,
                                   UnaryNext next) -> Task<Result<std::string>> {
                                  if (request == "refuse")
                                    co_return Status(StatusCode::kPermissionDenied, "refused");
                                  if (request == "answer") co_return "answered";
                                  co_return co_await next(std::move(request));
                                }};
  Start(std::move(options));
  EXPECT_EQ(Told(loop_.Run(Call("refuse"))), "PERMISSION_DENIED: refused");
  EXPECT_EQ(Told(loop_.Run(Call("answer"))), "OK answered");
  auto call = Call("go");
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|go|method=Unary]");
}

TEST_F(ClientInterceptorTest, CallsMayBeDroppedAndOutliveTheClient) {
  ClientOptions options;
  options.unary_interceptors = {Wrap("a"), Wrap("b")};
  Start(std::move(options));
  Running<Result<std::string>> dropped(Call("x"));
  {
    auto never_awaited = Call("y");
    EXPECT_EQ(client_->calls(), 2U);
  }
  dropped.Drop();
  EXPECT_EQ(client_->calls(), 0U);
  Running<Result<std::string>> call(Call("z"));
  client_.reset();
  EXPECT_EQ(WaitTold(call), "CANCELLED: a: b: ttrpc: client destroyed");
}

TEST_F(ClientInterceptorTest, MayDestroyTheClient) {
  ClientOptions options;
  options.unary_interceptors = {
      [this](Context&, const MethodInfo&, std::string request, UnaryNext next) {
        client_.reset();
        return next(std::move(request));
      }};
  options.stream_interceptors = {[this](Context&, const MethodInfo&,
                                        std::optional<std::string> request, StreamClientNext next) {
    client_.reset();
    return next(std::move(request));
  }};
  Start(std::move(options));
  EXPECT_EQ(Told(loop_.Run(Call(""))), "CANCELLED: ttrpc: client destroyed");
  ClientOptions again;
  again.stream_interceptors = {[this](Context&, const MethodInfo&,
                                      std::optional<std::string> request, StreamClientNext next) {
    client_.reset();
    return next(std::move(request));
  }};
  Start(std::move(again));
  auto stream = client_->OpenStream(kBidi, context_, std::nullopt);
  EXPECT_EQ(Told(loop_.Run(stream->Finish())), "CANCELLED: ttrpc: client destroyed");
}

TEST_F(ClientInterceptorTest, StreamsAreInterceptedAsTheyAreOpened) {
  const auto mark = [](const char* name) {
    return [name](Context& context, const MethodInfo& method, std::optional<std::string> request,
                  StreamClientNext next) -> std::unique_ptr<RawClientStream> {
      context.metadata().Append("by", name);
      if (method.method == "Join") return FailedStream({StatusCode::kAborted, name});
      if (request) request->append(name);
      return next(std::move(request));
    };
  };
  ClientOptions options;
  options.stream_interceptors = {mark("a"), mark("b")};
  Start(std::move(options));
  auto stream = client_->OpenStream(kServerStream, context_, "x");
  EXPECT_EQ(Next(), "1 request/1 [test.Bytes|Count|xab|by=a|by=b]");
  auto refused = client_->OpenStream(kClientStream, context_, std::nullopt);
  EXPECT_EQ(Told(loop_.Run(refused->Finish())), "ABORTED: a");
}

// The interceptors use the context before and after the call.
ClientOptions UsingTheContext() {
  ClientOptions options;
  options.unary_interceptors = {[](Context& context, const MethodInfo&, std::string request,
                                   UnaryNext next) -> Task<Result<std::string>> {
    context.metadata().Append("by", "interceptor");
    const Result<std::string> reply = co_await next(std::move(request));
    if (!reply) co_return Status(reply.error().code(), context.status().ToString());
    co_return *reply + std::string(*context.metadata().Get("from"));
  }};
  options.stream_interceptors = {[](Context& context, const MethodInfo&,
                                    std::optional<std::string> request, StreamClientNext next) {
    context.metadata().Append("by", "interceptor");
    return next(std::move(request));
  }};
  return options;
}

TEST_F(ClientInterceptorTest, TheCallersContextMayGoBeforeTheCall) {
  Start(UsingTheContext());
  auto context = std::make_unique<Context>();
  context->metadata().Set("from", "caller");
  Running<Result<std::string>> call(client_->Call(kUnary, *context, "x"));
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|x|from=caller|by=interceptor]");
  context.reset();
  server_->Reply(1, "from ");
  EXPECT_EQ(WaitTold(call), "OK from caller");
  context = std::make_unique<Context>();
  context->set_timeout(std::chrono::milliseconds(5));
  Running<Result<std::string>> late(client_->Call(kUnary, *context, "x"));
  context.reset();
  EXPECT_EQ(WaitTold(late), "DEADLINE_EXCEEDED: OK") << "the context was not cancelled";
}

TEST_F(ClientInterceptorTest, TheCallersContextMayGoBeforeTheStream) {
  Start(UsingTheContext());
  auto context = std::make_unique<Context>();
  auto stream = client_->OpenStream(kServerStream, *context, "x");
  EXPECT_EQ(Next(), "1 request/1 [test.Bytes|Count|x|by=interceptor]");
  context.reset();
  server_->Fail(1, 10, "end");
  EXPECT_EQ(Told(loop_.Run(stream->Finish())), "ABORTED: end");
}

TEST_F(ClientInterceptorTest, MayDestroyTheCallersContext) {
  auto context = std::make_unique<Context>();
  ClientOptions options;
  options.stream_interceptors = {[&context](Context&, const MethodInfo&,
                                            std::optional<std::string> request,
                                            const StreamClientNext& next) {
    context.reset();
    return next(std::move(request));
  }};
  Start(std::move(options));
  auto stream = client_->OpenStream(kServerStream, *context, "x");
  EXPECT_EQ(Next(), "1 request/1 [test.Bytes|Count|x]");
  server_->Fail(1, 10, "end");
  EXPECT_EQ(Told(loop_.Run(stream->Finish())), "ABORTED: end");

  context = std::make_unique<Context>();
  context->Cancel();
  stream = client_->OpenStream(kServerStream, *context, "x");
  EXPECT_EQ(Told(loop_.Run(stream->Finish())), "CANCELLED: context canceled");
}

TEST_F(ClientInterceptorTest, CancellingTheCallersContextCancelsTheCallsOwn) {
  Start(UsingTheContext());
  Running<Result<std::string>> call(Call("x"));
  auto stream = client_->OpenStream(kServerStream, context_, "x");
  context_.Cancel({StatusCode::kAborted, "enough"});
  EXPECT_EQ(WaitTold(call), "ABORTED: ABORTED: enough");
  EXPECT_EQ(Told(loop_.Run(stream->Finish())), "ABORTED: enough");
  EXPECT_EQ(Told(loop_.Run(Call("x"))), "ABORTED: ABORTED: enough");
}

TEST_F(ClientInterceptorTest, WhatTheyChangeHoldsForTheirCallOnly) {
  Start(UsingTheContext());
  auto first = Call("x");
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|x|by=interceptor]");
  auto stream = client_->OpenStream(kServerStream, context_, "x");
  EXPECT_EQ(Next(), "3 request/1 [test.Bytes|Count|x|by=interceptor]");
  EXPECT_TRUE(context_.metadata().empty());
}

// The streams that a handler would get, at the other ends of a relay.
class Ends final : public RawStream {
 public:
  explicit Ends(IoLoop& loop) : waiter_(loop) {}
  Task<std::optional<std::string>> Receive() override {
    if (to_receive.empty() && !closed) co_await Until(this);
    if (to_receive.empty()) co_return std::nullopt;
    std::string message = std::move(to_receive.front());
    to_receive.erase(to_receive.begin());
    co_return message;
  }
  Task<Status> Send(std::string message) override {
    sent.push_back(std::move(message));
    co_return send_status;
  }
  const Status& status() const override { return receive_status; }

  std::vector<std::string> to_receive;
  std::vector<std::string> sent;
  bool closed = false;
  Status receive_status;
  Status send_status;

 private:
  class Until {
   public:
    explicit Until(Ends* ends) : ends_(*ends) {}
    Until(const Until&) = delete;
    Until& operator=(const Until&) = delete;
    ~Until() { ends_.waiter_.Cancel(); }
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) { ends_.waiter_.Wait(waiting); }
    void await_resume() const noexcept {}

   private:
    Ends& ends_;
  };
  Waiter waiter_;
};

TEST_F(ClientInterceptorTest, ARelayBringsBothWays) {
  Start();
  Ends ends(loop_.io());
  ends.to_receive = {"a", "", "b"};
  ends.closed = true;
  Running<Result<std::string>> relay(
      client_internal::Relay(client_->OpenStream(kBidi, context_, std::nullopt), &ends, &ends));
  EXPECT_EQ(Next(), "1 request/6 [test.Bytes|Chat|]");
  EXPECT_EQ(Next(), "1 data/0 [a]");
  EXPECT_EQ(Next(), "1 data/0 []");
  EXPECT_EQ(Next(), "1 data/0 [b]");
  EXPECT_EQ(Next(), "1 data/5 []");
  server_->Data(1, "x");
  server_->Data(1, "");
  server_->Fail(1, 10, "end");
  EXPECT_EQ(WaitTold(relay), "ABORTED: end");
  EXPECT_EQ(ends.sent, (std::vector<std::string>{"x", ""}));
}

TEST_F(ClientInterceptorTest, ARelayDoesNotCloseForASenderThatWasLost) {
  Start();
  Ends ends(loop_.io());
  ends.to_receive = {"a"};
  ends.closed = true;
  ends.receive_status = Status(StatusCode::kCancelled, "context canceled");
  Running<Result<std::string>> relay(client_internal::Relay(
      client_->OpenStream(kClientStream, context_, std::nullopt), &ends, nullptr));
  EXPECT_EQ(Next(), "1 request/6 [test.Bytes|Join|]");
  EXPECT_EQ(Next(), "1 data/0 [a]");
  RunReady();
  EXPECT_FALSE(server_->has_message());
  context_.Cancel();
  EXPECT_EQ(WaitTold(relay), "CANCELLED: context canceled");
}

TEST_F(ClientInterceptorTest, ARelayEndsWhereItsRepliesCannotGo) {
  Start();
  Ends ends(loop_.io());
  ends.send_status = Status(StatusCode::kCancelled, "context canceled");
  Running<Result<std::string>> relay(
      client_internal::Relay(client_->OpenStream(kServerStream, context_, ""), nullptr, &ends));
  server_->Data(1, "x");
  EXPECT_EQ(WaitTold(relay), "CANCELLED: context canceled");
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(ClientInterceptorTest, ARelayEndsWithTheServerThoughMoreWouldBeSent) {
  Start();
  Ends ends(loop_.io());
  Running<Result<std::string>> relay(client_internal::Relay(
      client_->OpenStream(kClientStream, context_, std::nullopt), &ends, nullptr));
  server_->Reply(1, "enough");
  EXPECT_EQ(WaitTold(relay), "OK enough");
}

TEST_F(ClientInterceptorTest, ARelayCanBeDropped) {
  Start();
  Ends ends(loop_.io());
  Running<Result<std::string>> waiting(
      client_internal::Relay(client_->OpenStream(kBidi, context_, std::nullopt), &ends, &ends));
  waiting.Drop();
  EXPECT_EQ(client_->calls(), 0U);
  // The client is destroyed while the relay sends.
  server_->StopReading();
  ends.to_receive.assign(200, std::string(1 << 16, 'x'));
  Running<Result<std::string>> sending(
      client_internal::Relay(client_->OpenStream(kBidi, context_, std::nullopt), &ends, &ends));
  RunReady();
  EXPECT_FALSE(ends.to_receive.empty()) << "reads no more than it can send";
  sending.Drop();
  EXPECT_EQ(client_->calls(), 0U);
}

}  // namespace
}  // namespace ttrpc::client_test
