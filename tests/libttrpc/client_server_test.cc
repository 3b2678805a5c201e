// SPDX-License-Identifier: Apache-2.0
//
// A client and a server of the library over a socketpair on one loop, with hand-written services.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"

namespace ttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MethodInfo kEcho("test.Bytes", "Echo");
constexpr MethodInfo kHang("test.Bytes", "Hang");
constexpr MethodInfo kFail("test.Bytes", "Fail");
constexpr MethodInfo kWho("test.Bytes", "Who");
constexpr MethodInfo kMetadata("test.Bytes", "Metadata");
constexpr MethodInfo kCount("test.Bytes", "Count", false, true);
constexpr MethodInfo kJoin("test.Bytes", "Join", true, false);
constexpr MethodInfo kChat("test.Bytes", "Chat", true, true);

// The events that the handlers recorded.
struct Log {
  std::vector<Status> ended;
};

Task<Status> Echo(void*, Context&, std::string_view request, ReplySink& reply) {
  co_return reply.WriteBytes(request);
}

Task<Status> Hang(void* log, Context& context, std::string_view, ReplySink&) {
  co_await context.Cancelled();
  static_cast<Log*>(log)->ended.push_back(context.status());
  co_return context.status();
}

Task<Status> Fail(void*, Context&, std::string_view request, ReplySink&) {
  co_return Status(StatusCode::kNotFound, std::string(request), {StatusDetail("type/a", "b")});
}

Task<Status> Who(void*, Context& context, std::string_view, ReplySink& reply) {
  const UnixCredentials* credentials = context.credentials();
  co_return reply.WriteBytes(credentials == nullptr ? "nobody" : std::to_string(credentials->pid));
}

Task<Status> SayMetadata(void*, Context& context, std::string_view key, ReplySink& reply) {
  std::string all;
  for (const std::string_view value : context.metadata().Values(key)) all.append(value).append(";");
  co_return reply.WriteBytes(all);
}

// Sends as many messages as the request has bytes.
Task<Status> Count(void*, Context&, RawStream& stream, ReplySink&) {
  const auto request = co_await stream.Receive();
  if (!request) co_return Status(StatusCode::kInternal, "no request");
  for (size_t i = 0; i < request->size(); ++i) {
    if (Status sent = co_await stream.Send(request->substr(0, i)); !sent.ok()) co_return sent;
  }
  co_return Status();
}

Task<Status> Join(void*, Context&, RawStream& stream, ReplySink& reply) {
  std::string all;
  while (const auto message = co_await stream.Receive()) all += *message + ",";
  if (!stream.status().ok()) co_return stream.status();
  co_return reply.WriteBytes(all);
}

Task<Status> Chat(void* log, Context&, RawStream& stream, ReplySink&) {
  while (auto message = co_await stream.Receive()) {
    if (*message == "stop") co_return Status(StatusCode::kAborted, "stopped");
    if (Status sent = co_await stream.Send(std::move(*message)); !sent.ok()) co_return sent;
  }
  static_cast<Log*>(log)->ended.push_back(stream.status());
  co_return stream.status();
}

ServiceDescription Bytes(Log* log) {
  return {"test.Bytes",
          log,
          {Method("Echo", Echo), Method("Hang", Hang), Method("Fail", Fail), Method("Who", Who),
           Method("Metadata", SayMetadata), Method("Count", false, true, Count),
           Method("Join", true, false, Join), Method("Chat", true, true, Chat)}};
}

class ClientServerTest : public testing::Test {
 protected:
  void Start(ServerOptions server = {}, ClientOptions client = {}) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    server_ = std::make_unique<Server>(loop_.io(), std::move(server));
    ASSERT_EQ(server_->Register(Bytes(&log_)), Status());
    server_->ServeConnection(UniqueFd(fds[0]));
    client_ = Client::Over(loop_.io(), UniqueFd(fds[1]), std::move(client));
  }

  // Returns the reply, or how the call failed.
  std::string Call(const MethodInfo& method, std::string request) {
    const Result<std::string> reply =
        loop_.Run(client_->Call(method, context_, std::move(request)));
    return reply ? *reply : reply.error().ToString();
  }

  EventLoop loop_;
  Log log_;
  Context context_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientServerTest, Unary) {
  Start();
  EXPECT_EQ(Call(kEcho, "hello"), "hello");
  EXPECT_EQ(Call(kEcho, ""), "");
  EXPECT_EQ(Call(kEcho, std::string(1 << 20, 'x')), std::string(1 << 20, 'x'));
  EXPECT_EQ(server_->calls(), 0U);
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(ClientServerTest, ErrorsCarryTheirDetails) {
  Start();
  const Result<std::string> reply = loop_.Run(client_->Call(kFail, context_, "no such thing"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(),
            Status(StatusCode::kNotFound, "no such thing", {StatusDetail("type/a", "b")}));
}

TEST_F(ClientServerTest, UnknownNamesAreRefusedAsByGo) {
  Start();
  EXPECT_EQ(Call(MethodInfo("test.Missing", "Echo"), ""), "UNIMPLEMENTED: service test.Missing");
  EXPECT_EQ(Call(MethodInfo("test.Bytes", "Missing"), ""), "UNIMPLEMENTED: method Missing");
}

TEST_F(ClientServerTest, CallsRunSideBySideAndMayBeDropped) {
  Start();
  auto first = client_->Call(kHang, context_, "");
  auto second = client_->Call(kEcho, context_, "two");
  {
    auto dropped = client_->Call(kEcho, context_, "never seen");
    EXPECT_EQ(client_->calls(), 3U);
  }
  EXPECT_EQ(client_->calls(), 2U);
  EXPECT_EQ(*loop_.Run(std::move(second)), "two");
  EXPECT_EQ(server_->calls(), 1U);
  context_.Cancel();
  EXPECT_EQ(loop_.Run(std::move(first)).error(),
            Status(StatusCode::kCancelled, "context canceled"));
  // A call with a cancelled context is not sent at all.
  EXPECT_EQ(Call(kEcho, "x"), "CANCELLED: context canceled");
}

TEST_F(ClientServerTest, DeadlinesEndTheCallAndTellTheHandler) {
  Start();
  context_.set_timeout(milliseconds(20));
  EXPECT_EQ(Call(kHang, ""), "DEADLINE_EXCEEDED: context deadline exceeded");
  EXPECT_EQ(Call(kEcho, ""), "DEADLINE_EXCEEDED: context deadline exceeded");
  // The difference to this deadline exceeds the range of a duration.
  context_.set_deadline(Context::Clock::time_point::min());
  EXPECT_EQ(Call(kEcho, ""), "DEADLINE_EXCEEDED: context deadline exceeded");
  context_.set_deadline(std::nullopt);
  while (log_.ended.empty()) ASSERT_EQ(Call(kEcho, "still there"), "still there");
  EXPECT_EQ(log_.ended.front(), Status(StatusCode::kDeadlineExceeded, "context deadline exceeded"));
}

TEST_F(ClientServerTest, MetadataIsFoldedWhenLookedUp) {
  Start();
  context_.metadata().Append("Key", "one");
  context_.metadata().Append("kEY", "two");
  context_.metadata().AppendAsSent("KEY", "not found");
  EXPECT_EQ(Call(kMetadata, "KEY"), "one;two;");
}

TEST_F(ClientServerTest, TheHandshakersWordIsInTheContext) {
  Start();
  EXPECT_EQ(Call(kWho, ""), "nobody");
  ServerOptions options;
  options.handshaker = ReadCredentials();
  Start(std::move(options));
  EXPECT_EQ(Call(kWho, ""), std::to_string(::getpid()));
}

Task<std::string> CountAll(Client& client, Context& context, std::string request) {
  auto stream = client.OpenStream(kCount, context, std::move(request));
  std::string sizes;
  while (const auto message = co_await stream->Receive())
    sizes += std::to_string(message->size()) + " ";
  const auto end = co_await stream->Finish();
  co_return sizes + (end ? "OK" : end.error().ToString());
}

TEST_F(ClientServerTest, ServerStreams) {
  Start();
  EXPECT_EQ(loop_.Run(CountAll(*client_, context_, "abc")), "0 1 2 OK");
  EXPECT_EQ(loop_.Run(CountAll(*client_, context_, "")), "OK");
}

Task<Result<std::string>> JoinAll(Client& client, Context& context,
                                  std::vector<std::string> messages) {
  auto stream = client.OpenStream(kJoin, context, std::nullopt);
  for (std::string& message : messages) {
    if (Status sent = co_await stream->Send(std::move(message)); !sent.ok()) co_return sent;
  }
  co_return co_await stream->Finish();
}

TEST_F(ClientServerTest, ClientStreams) {
  Start();
  EXPECT_EQ(*loop_.Run(JoinAll(*client_, context_, {"a", "", "b"})), "a,,b,");
  EXPECT_EQ(*loop_.Run(JoinAll(*client_, context_, {})), "");
}

Task<Status> Converse(Client& client, Context& context, std::vector<std::string>* heard) {
  auto stream = client.OpenStream(kChat, context, std::nullopt);
  for (const char* word : {"one", "", "three"}) {
    if (Status sent = co_await stream->Send(word); !sent.ok()) co_return sent;
    const auto answer = co_await stream->Receive();
    if (!answer) co_return stream->status();
    heard->push_back(*answer);
  }
  stream->CloseSend();
  while (const auto more = co_await stream->Receive()) heard->push_back(*more);
  const auto end = co_await stream->Finish();
  co_return end ? Status() : end.error();
}

TEST_F(ClientServerTest, BothStream) {
  Start();
  std::vector<std::string> heard;
  EXPECT_EQ(loop_.Run(Converse(*client_, context_, &heard)), Status());
  EXPECT_EQ(heard, (std::vector<std::string>{"one", "", "three"}));
}

Task<Result<std::string>> StopChat(Client& client, Context& context) {
  auto stream = client.OpenStream(kChat, context, std::nullopt);
  (void)co_await stream->Send("stop");
  co_return co_await stream->Finish();
}

TEST_F(ClientServerTest, AStreamEndsWithAStatus) {
  Start();
  EXPECT_EQ(loop_.Run(StopChat(*client_, context_)).error(),
            Status(StatusCode::kAborted, "stopped"));
  EXPECT_EQ(Call(kEcho, "goes on"), "goes on");
}

TEST_F(ClientServerTest, OversizedMessagesFailTheirCallOnly) {
  ServerOptions options;
  options.message_size = 1000;
  Start(std::move(options));
  EXPECT_EQ(Call(kEcho, std::string(2000, 'x')),
            "RESOURCE_EXHAUSTED: message length 2021 exceed maximum message size of 1000");
  EXPECT_EQ(Call(kEcho, std::string(900, 'x')), std::string(900, 'x'));
  ClientOptions small;
  small.message_size = 1000;
  Start({}, std::move(small));
  EXPECT_EQ(Call(kEcho, std::string(2000, 'x')),
            "RESOURCE_EXHAUSTED: message length 2021 exceed maximum message size of 1000");
  EXPECT_EQ(Call(kEcho, "fits"), "fits");
}

TEST_F(ClientServerTest, AServerThatGoesFailsEveryCall) {
  Start();
  auto call = client_->Call(kHang, context_, "");
  auto stream = client_->OpenStream(kChat, context_, std::nullopt);
  EXPECT_EQ(Call(kEcho, "x"), "x");
  server_.reset();
  EXPECT_EQ(loop_.Run(std::move(call)).error(), Status(StatusCode::kUnavailable, "ttrpc: closed"));
  EXPECT_EQ(loop_.Run(stream->Finish()).error(), Status(StatusCode::kUnavailable, "ttrpc: closed"));
  EXPECT_TRUE(client_->closed());
  EXPECT_EQ(Call(kEcho, "x"), "UNAVAILABLE: ttrpc: closed");
}

TEST_F(ClientServerTest, AClientThatGoesIsToldToHandlers) {
  Start();
  auto call = client_->Call(kHang, context_, "");
  auto stream = client_->OpenStream(kChat, context_, std::nullopt);
  EXPECT_EQ(Call(kEcho, "x"), "x");
  client_.reset();
  EXPECT_EQ(loop_.Run(std::move(call)).error(),
            Status(StatusCode::kCancelled, "ttrpc: client destroyed"));
  bool ended = false;
  server_->Shutdown(seconds(60), [&] {
    ended = true;
    loop_.Stop();
  });
  loop_.RunForever();
  EXPECT_TRUE(ended);
  const Status gone(StatusCode::kCancelled, "context canceled");
  EXPECT_EQ(log_.ended, (std::vector<Status>{gone, gone}));
}

TEST_F(ClientServerTest, InterceptorsSeeAndChangeCalls) {
  const auto wrap = [](std::string mark) {
    return [mark](Context&, const MethodInfo& method, std::string request,
                  UnaryNext next) -> Task<Result<std::string>> {
      // The closure belongs to the options, which outlive the call.
      return [](std::string m, std::string name, std::string body,
                UnaryNext go) -> Task<Result<std::string>> {
        Result<std::string> reply = co_await go(m + "(" + body);
        if (!reply) co_return reply.error();
        co_return *reply + ")" + m + name;
      }(mark, std::string(method.method), std::move(request), std::move(next));
    };
  };
  ServerOptions server;
  server.unary_interceptors = {wrap("s1"), wrap("s2")};
  ClientOptions client;
  client.unary_interceptors = {wrap("c1"), wrap("c2")};
  Start(std::move(server), std::move(client));
  EXPECT_EQ(Call(kEcho, "x"), "s2(s1(c2(c1(x)s2Echo)s1Echo)c2Echo)c1Echo");
}

TEST_F(ClientServerTest, ShutdownLetsCallsEnd) {
  Start();
  auto stream = client_->OpenStream(kChat, context_, std::nullopt);
  EXPECT_EQ(Call(kEcho, "x"), "x");
  bool done = false;
  server_->Shutdown(seconds(60), [&done] { done = true; });
  EXPECT_EQ(Call(kEcho, "y"), "UNAVAILABLE: ttrpc: server closed");
  EXPECT_FALSE(done);
  EXPECT_EQ(*loop_.Run(stream->Finish()), "");
  EXPECT_EQ(Call(kEcho, "z"), "UNAVAILABLE: ttrpc: closed");
  EXPECT_TRUE(done);
}

TEST_F(ClientServerTest, ClosingTheServerDestroysHandlersWhereverTheyWait) {
  Start();
  auto call = client_->Call(kHang, context_, "");
  auto chat = client_->OpenStream(kChat, context_, std::nullopt);
  EXPECT_EQ(Call(kEcho, "x"), "x");
  server_->Close();
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(loop_.Run(std::move(call)).error(), Status(StatusCode::kUnavailable, "ttrpc: closed"));
  EXPECT_TRUE(log_.ended.empty());
}

}  // namespace
}  // namespace ttrpc
