// SPDX-License-Identifier: Apache-2.0
//
// Generated code over socketpairs on one loop: an implementation of Greeter that is called through
// GreeterClient, and the same through a second server, with which the first GreeterClient is
// registered as a Greeter.
#include <event2/event.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "greeter.ttrpc.h"
#include "ttrpc/event_loop.h"

namespace ttrpc {
namespace {

using test::greeter::Greeter;
using test::greeter::GreeterClient;
using test::greeter::HelloReply;
using test::greeter::HelloRequest;
using test::greeter::Item;
using test::greeter::ListRequest;
using test::greeter::Note;
using test::greeter::Number;
using test::greeter::Total;
using ::testing::ElementsAre;

class Implementation final : public Greeter {
 public:
  Task<Result<HelloReply>> SayHello(Context& context, const HelloRequest& request) override {
    if (request.name().empty())
      co_return Status(StatusCode::kInvalidArgument, "no name", {StatusDetail("type/a", "b")});
    if (request.name() == "wait") {
      co_await context.Cancelled();
      ended_.push_back(context.status());
      co_return context.status();
    }
    HelloReply reply;
    reply.set_text("Hello, " + request.name() + "!");
    for (const std::string_view value : context.metadata().Values("mark"))
      reply.mutable_text()->append(" ").append(value);
    co_return reply;
  }

  // A negative count sends that many items, then fails.
  Task<Status> List(Context&, const ListRequest& request, SendStream<Item>& replies) override {
    const int count = request.count();
    for (int i = 0; i < std::abs(count); ++i) {
      Item item;
      item.set_number(i);
      if (Status sent = co_await replies.Send(item); !sent.ok()) co_return sent;
    }
    if (count < 0) co_return Status(StatusCode::kDataLoss, "the rest is gone");
    co_return Status();
  }

  // Ends early at a negative number.
  Task<Result<Total>> Sum(Context&, ReceiveStream<Number>& requests) override {
    Total total;
    while (const auto number = co_await requests.Receive()) {
      if (number->value() < 0) co_return Status(StatusCode::kOutOfRange, "less than nothing");
      total.set_sum(total.sum() + number->value());
      total.set_count(total.count() + 1);
    }
    if (!requests.status().ok()) {
      ended_.push_back(requests.status());
      co_return requests.status();
    }
    co_return total;
  }

  // Ends early on request.
  Task<Status> Chat(Context&, ReceiveStream<Note>& requests, SendStream<Note>& replies) override {
    while (auto note = co_await requests.Receive()) {
      if (note->text() == "bye") co_return Status();
      if (note->text() == "fail") co_return Status(StatusCode::kAborted, "asked to");
      note->mutable_text()->append("!");
      if (Status sent = co_await replies.Send(*note); !sent.ok()) co_return sent;
    }
    ended_.push_back(requests.status());
    co_return requests.status();
  }

  const std::vector<Status>& ended() const { return ended_; }

 private:
  std::vector<Status> ended_;
};

Task<std::vector<std::string>> ListAll(GreeterClient& greeter, Context& context, int count) {
  ListRequest request;
  request.set_count(count);
  auto call = greeter.List(context, request);
  std::vector<std::string> seen;
  while (const auto item = co_await call.Receive()) seen.push_back(std::to_string(item->number()));
  seen.push_back((co_await call.Finish()).ToString());
  co_return seen;
}

Task<Result<Total>> SumOf(GreeterClient& greeter, Context& context, std::vector<int> values) {
  auto call = greeter.Sum(context);
  for (const int value : values) {
    Number number;
    number.set_value(value);
    // Finish() reports that the call has already ended.
    if (const Status sent = co_await call.Send(number); !sent.ok()) break;
  }
  co_return co_await call.Finish();
}

// True makes the calls reach a GreeterClient that is registered with a second server.
class GeneratedTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    Greeter* service = &implementation_;
    near_ = std::make_unique<Hop>(loop_, *service);
    if (!GetParam()) return;
    far_ = std::move(near_);
    near_ = std::make_unique<Hop>(loop_, far_->greeter);
  }

  // A server and a client of it.
  struct Hop {
    Hop(EventLoop& loop, Greeter& service) : server(loop.io()), greeter(Connect(loop, service)) {}

    Client& Connect(EventLoop& loop, Greeter& service) {
      int fds[2];
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
      EXPECT_EQ(test::greeter::RegisterGreeter(server, service), Status());
      server.ServeConnection(UniqueFd(fds[0]));
      client = Client::Over(loop.io(), UniqueFd(fds[1]));
      return *client;
    }

    Server server;
    std::unique_ptr<Client> client;
    GreeterClient greeter;
  };

  Result<HelloReply> SayHello(const std::string& name) {
    HelloRequest request;
    request.set_name(name);
    return loop_.Run(near_->greeter.SayHello(context_, request));
  }

  EventLoop loop_;
  Implementation implementation_;
  Context context_;
  std::unique_ptr<Hop> far_;
  std::unique_ptr<Hop> near_;
};

INSTANTIATE_TEST_SUITE_P(Hops, GeneratedTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Relayed" : "Direct"; });

TEST_P(GeneratedTest, Unary) {
  const Result<HelloReply> reply = SayHello("you");
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply->text(), "Hello, you!");
}

TEST_P(GeneratedTest, UnaryError) {
  const Result<HelloReply> reply = SayHello("");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(),
            Status(StatusCode::kInvalidArgument, "no name", {StatusDetail("type/a", "b")}));
}

TEST_P(GeneratedTest, MetadataGoesAllTheWay) {
  context_.metadata().Append("mark", "1");
  context_.metadata().Append("mark", "2");
  EXPECT_EQ(SayHello("you")->text(), "Hello, you! 1 2");
}

TEST_P(GeneratedTest, TheDeadlineGoesAllTheWay) {
  context_.set_timeout(std::chrono::milliseconds(30));
  EXPECT_EQ(SayHello("wait").error(),
            Status(StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  context_.set_deadline(std::nullopt);
  while (implementation_.ended().empty()) ASSERT_TRUE(SayHello("you"));
  EXPECT_THAT(implementation_.ended(),
              ElementsAre(Status(StatusCode::kDeadlineExceeded, "context deadline exceeded")));
}

TEST_P(GeneratedTest, ServerStream) {
  EXPECT_THAT(loop_.Run(ListAll(near_->greeter, context_, 3)), ElementsAre("0", "1", "2", "OK"));
  EXPECT_THAT(loop_.Run(ListAll(near_->greeter, context_, 0)), ElementsAre("OK"));
  EXPECT_EQ(loop_.Run(ListAll(near_->greeter, context_, 2000)).size(), 2001U);
}

TEST_P(GeneratedTest, ServerStreamEndsWithAnError) {
  EXPECT_THAT(loop_.Run(ListAll(near_->greeter, context_, -2)),
              ElementsAre("0", "1", "DATA_LOSS: the rest is gone"));
}

TEST_P(GeneratedTest, ClientStream) {
  Result<Total> total = loop_.Run(SumOf(near_->greeter, context_, {1, 2, 39}));
  ASSERT_TRUE(total) << total.error();
  EXPECT_EQ(total->sum(), 42);
  EXPECT_EQ(total->count(), 3);
  total = loop_.Run(SumOf(near_->greeter, context_, {}));
  ASSERT_TRUE(total) << total.error();
  EXPECT_EQ(total->count(), 0);
}

TEST_P(GeneratedTest, ClientStreamIsEndedEarlyByTheServer) {
  EXPECT_EQ(loop_.Run(SumOf(near_->greeter, context_, {1, -1, 2, 3})).error(),
            Status(StatusCode::kOutOfRange, "less than nothing"));
  EXPECT_TRUE(SayHello("you"));
}

// Sends the texts one after another, each after the reply to the one before.
Task<std::vector<std::string>> ChatOf(GreeterClient& greeter, Context& context,
                                      std::vector<std::string> texts) {
  auto call = greeter.Chat(context);
  std::vector<std::string> seen;
  for (const std::string& text : texts) {
    Note note;
    note.set_text(text);
    if (const Status sent = co_await call.Send(note); !sent.ok()) break;
    const auto answer = co_await call.Receive();
    if (!answer) break;
    seen.push_back(answer->text());
  }
  call.CloseSend();
  while (const auto answer = co_await call.Receive()) seen.push_back("late " + answer->text());
  seen.push_back((co_await call.Finish()).ToString());
  co_return seen;
}

TEST_P(GeneratedTest, Chat) {
  EXPECT_THAT(loop_.Run(ChatOf(near_->greeter, context_, {"a", "", "c"})),
              ElementsAre("a!", "!", "c!", "OK"));
  EXPECT_THAT(loop_.Run(ChatOf(near_->greeter, context_, {})), ElementsAre("OK"));
  EXPECT_THAT(implementation_.ended(), ElementsAre(Status(), Status()));
}

TEST_P(GeneratedTest, ChatIsEndedEarlyByTheServer) {
  EXPECT_THAT(loop_.Run(ChatOf(near_->greeter, context_, {"a", "bye", "c"})),
              ElementsAre("a!", "OK"));
  EXPECT_THAT(loop_.Run(ChatOf(near_->greeter, context_, {"a", "fail", "c"})),
              ElementsAre("a!", "ABORTED: asked to"));
  EXPECT_EQ(near_->client->calls(), 0U);
}

TEST_P(GeneratedTest, TheHandlerIsToldThatTheCallerIsGone) {
  auto call = near_->greeter.Chat(context_);
  Note note;
  note.set_text("a");
  ASSERT_EQ(loop_.Run(call.Send(note)), Status());
  ASSERT_TRUE(loop_.Run(call.Receive()));
  near_->client->Close();
  if (far_) {
    // The relay ends only with its connection, because a client that abandons a call sends nothing.
    near_.reset();
    far_->client->Close();
  }
  while (implementation_.ended().empty())
    ASSERT_EQ(::event_base_loop(loop_.base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(implementation_.ended().front().code(), StatusCode::kCancelled);
}

TEST_P(GeneratedTest, AServerThatIsGoneFailsCallsOfAllKinds) {
  (far_ ? far_ : near_)->server.Close();
  EXPECT_EQ(SayHello("you").error(), Status(StatusCode::kUnavailable, "ttrpc: closed"));
  EXPECT_THAT(loop_.Run(ListAll(near_->greeter, context_, 1)),
              ElementsAre("UNAVAILABLE: ttrpc: closed"));
  EXPECT_EQ(loop_.Run(SumOf(near_->greeter, context_, {1})).error(),
            Status(StatusCode::kUnavailable, "ttrpc: closed"));
  EXPECT_THAT(loop_.Run(ChatOf(near_->greeter, context_, {"a"})),
              ElementsAre("UNAVAILABLE: ttrpc: closed"));
}

TEST_P(GeneratedTest, ASecondRegistrationIsRefused) {
  Server server(loop_.io());
  EXPECT_EQ(test::greeter::RegisterGreeter(server, implementation_), Status());
  EXPECT_EQ(
      test::greeter::RegisterGreeter(server, implementation_),
      Status(StatusCode::kAlreadyExists, "service test.greeter.Greeter is already registered"));
}

}  // namespace
}  // namespace ttrpc
