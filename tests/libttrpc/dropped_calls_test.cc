// SPDX-License-Identifier: Apache-2.0
//
// Calls that are dropped at every point where they can wait. Nothing leaks, nothing is used after
// it is destroyed (AddressSanitizer checks that), and the connection still serves the next call.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "support/temp_folder.h"
#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"

namespace ttrpc {
namespace {

constexpr MethodInfo kEcho("test.Drop", "Echo");
constexpr MethodInfo kHang("test.Drop", "Hang");
constexpr MethodInfo kSilent("test.Drop", "Silent", true, true);

Task<Status> Echo(void*, Context&, std::string_view request, ReplySink& reply) {
  co_return reply.WriteBytes(request);
}

Task<Status> Hang(void*, Context& context, std::string_view, ReplySink&) {
  co_await context.Cancelled();
  co_return context.status();
}

// Neither reads nor writes its stream.
Task<Status> Silent(void*, Context& context, RawStream&, ReplySink&) {
  co_await context.Cancelled();
  co_return context.status();
}

class DroppedCallsTest : public testing::Test {
 protected:
  DroppedCallsTest() { EXPECT_EQ(RegisterWith(server_), Status()); }

  static Status RegisterWith(Server& server) {
    return server.Register(
        {"test.Drop",
         nullptr,
         {Method("Echo", Echo), Method("Hang", Hang), Method("Silent", true, true, Silent)}});
  }

  void Connect(ClientOptions options = {}) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    server_.ServeConnection(UniqueFd(fds[0]));
    client_ = Client::Over(loop_.io(), UniqueFd(fds[1]), std::move(options));
  }

  // Checks that the connection still serves calls.
  void Works() {
    Context context;
    const auto reply = loop_.Run(client_->Call(kEcho, context, "works"));
    ASSERT_TRUE(reply) << reply.error();
    EXPECT_EQ(*reply, "works");
  }

  // Runs a coroutine until it waits, turns the loop, and drops the coroutine.
  template <typename T>
  void Drop(Task<T> task) {
    TaskGroup group;
    group.Spawn(Ignore(std::move(task)));
    ASSERT_FALSE(group.empty()) << "the task did not wait";
    Works();
    ASSERT_FALSE(group.empty()) << "the task no longer waits";
    group.Clear();
    Works();
  }

  template <typename T>
  static Task<void> Ignore(Task<T> task) {
    static_cast<void>(co_await std::move(task));
  }

  EventLoop loop_;
  Context context_;
  Server server_{loop_.io()};
  std::unique_ptr<Client> client_;
};

TEST_F(DroppedCallsTest, AUnaryCall) {
  Connect();
  Drop(client_->Call(kHang, context_, ""));
  context_.set_timeout(std::chrono::hours(1));
  Drop(client_->Call(kHang, context_, ""));
  {
    // This task is never awaited.
    const auto call = client_->Call(kHang, context_, "");
    Works();
  }
  Works();
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(DroppedCallsTest, AnInterceptedCall) {
  ClientOptions options;
  options.unary_interceptors = {[](Context&, const MethodInfo&, std::string request,
                                   UnaryNext next) -> Task<Result<std::string>> {
    co_return co_await next(std::move(request));
  }};
  Connect(std::move(options));
  Drop(client_->Call(kHang, context_, ""));
}

TEST_F(DroppedCallsTest, AStreamInReceiveSendAndFinish) {
  Connect();
  auto stream = client_->OpenStream(kSilent, context_, std::nullopt);
  Drop(stream->Receive());
  // The messages exceed the capacity of the sockets and the queue.
  const auto send_much = [](RawClientStream* to) -> Task<Status> {
    for (;;) {
      if (Status sent = co_await to->Send(std::string(1 << 20, 'x')); !sent.ok()) co_return sent;
    }
  };
  {
    TaskGroup group;
    group.Spawn(Ignore(send_much(stream.get())));
    ASSERT_FALSE(group.empty());
  }
  {
    TaskGroup group;
    group.Spawn(Ignore(stream->Finish()));
    ASSERT_FALSE(group.empty());
  }
  stream.reset();
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(DroppedCallsTest, AFinishThatWaits) {
  Connect();
  auto stream = client_->OpenStream(kSilent, context_, std::nullopt);
  Drop(stream->Finish());
  stream.reset();
  Works();
}

// A stream for the service's side of a relay that never receives anything.
class NeverStream final : public RawStream {
 public:
  explicit NeverStream(Context& context) : context_(context) {}
  Task<std::optional<std::string>> Receive() override {
    co_await context_.Cancelled();
    co_return std::nullopt;
  }
  Task<Status> Send(std::string) override {
    co_await context_.Cancelled();
    co_return context_.status();
  }
  const Status& status() const override { return context_.status(); }

 private:
  Context& context_;
};

TEST_F(DroppedCallsTest, ARelay) {
  Connect();
  NeverStream never(context_);
  Drop(
      client_internal::Relay(client_->OpenStream(kSilent, context_, std::nullopt), &never, &never));
}

TEST_F(DroppedCallsTest, AClientThatShakesHandsOrDials) {
  // A handshake that ends only when it is destroyed.
  class Slow final : public Handshaker {
   public:
    explicit Slow(Context& context) : context_(context) {}
    Task<Result<Handshaken>> Handshake(IoLoop&, UniqueFd socket) override {
      co_await context_.Cancelled();
      co_return Handshaken(std::move(socket));
    }

   private:
    Context& context_;
  };
  Context never;
  ClientOptions options;
  options.handshaker = std::make_unique<Slow>(never);
  Connect(std::move(options));
  auto call = client_->Call(kEcho, context_, "waits for a connection");
  {
    auto dropped = client_->Call(kEcho, context_, "waits, too");
    EXPECT_EQ(client_->calls(), 2U);
  }
  EXPECT_EQ(client_->calls(), 1U);
  client_.reset();
  EXPECT_EQ(loop_.Run(std::move(call)).error(),
            Status(StatusCode::kCancelled, "ttrpc: client destroyed"));

  // A dial waits while the listener's queue is full.
  const ::test::TempFolder folder;
  const auto address = *Address::Parse("unix://" + (folder / "s"));
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress where = address.ToSocketAddress();
  ASSERT_EQ(::bind(listener.get(), where.get(), where.length), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const auto first = Client::Dial(loop_.io(), address);
  auto second = Client::Dial(loop_.io(), address);
  auto waiting = second->Call(kEcho, context_, "x");
  second.reset();
  EXPECT_FALSE(loop_.Run(std::move(waiting)));
}

TEST_F(DroppedCallsTest, ServerHandlersWhereverTheyWait) {
  Connect();
  const auto call = client_->Call(kHang, context_, "");
  const auto stream = client_->OpenStream(kSilent, context_, std::nullopt);
  Works();
  EXPECT_EQ(server_.calls(), 2U);
  server_.Close();
  EXPECT_EQ(server_.calls(), 0U);
}

}  // namespace
}  // namespace ttrpc
