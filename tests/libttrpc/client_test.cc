// SPDX-License-Identifier: Apache-2.0
//
// The client's unary calls, with a server that only handles bytes.
#include "ttrpc/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "raw_server.h"
#include "ttrpc/wire/request.h"

namespace ttrpc::client_test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class ClientTest : public ClientFixture {};

TEST_F(ClientTest, TheRequestIsTheseBytes) {
  Start();
  Running<Result<std::string>> call(Call("pay"));
  RunUntil([this] { return server_->has_message(); });
  const RawMessage request = server_->Take();
  EXPECT_EQ(
      request.header,
      (MessageHeader{.length = 24, .stream_id = 1, .type = MessageType::kRequest, .flags = 0}));
  EXPECT_EQ(request.data, Field(1, "test.Bytes") + Field(2, "Unary") + Field(3, "pay"));
  server_->Reply(1, "hello");
  EXPECT_EQ(WaitTold(call), "OK hello");
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(ClientTest, CallsAreSentWhenTheyAreMadeAndAnsweredInAnyOrder) {
  Start();
  auto first = Call("a");
  auto second = Call("b");
  auto third = Call("");
  EXPECT_EQ(client_->calls(), 3U);
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|a]");
  EXPECT_EQ(Next(), "3 request/0 [test.Bytes|Unary|b]");
  EXPECT_EQ(Next(), "5 request/0 [test.Bytes|Unary|]");
  server_->Reply(5, "three");
  server_->Reply(1, "");
  server_->Fail(3, 5, "nothing");
  EXPECT_EQ(Told(loop_.Run(std::move(second))), "NOT_FOUND: nothing");
  // These calls ended before anything waited for them.
  EXPECT_EQ(Told(loop_.Run(std::move(first))), "OK ");
  EXPECT_EQ(Told(loop_.Run(std::move(third))), "OK three");
}

TEST_F(ClientTest, AManyCallsAtOnce) {
  Start();
  std::vector<Task<Result<std::string>>> calls;
  calls.reserve(2000);
  for (int i = 0; i < 2000; ++i) calls.push_back(Call(std::to_string(i)));
  for (uint32_t id = 1; id < 4000; id += 2) {
    ASSERT_EQ(Next(),
              std::to_string(id) + " request/0 [test.Bytes|Unary|" + std::to_string(id / 2) + "]");
  }
  for (uint32_t id = 3999; id < 4000; id -= 2) server_->Reply(id, std::to_string(id));
  for (uint32_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(Told(loop_.Run(std::move(calls[i]))), "OK " + std::to_string(2 * i + 1));
  }
}

TEST_F(ClientTest, MetadataAndTimeoutTravelWithTheCall) {
  Start();
  context_.metadata().Append("Key", "one");
  context_.metadata().AppendAsSent("KEY", "two");
  context_.set_timeout(hours(1));
  auto call = Call("x");
  context_.metadata().Clear();
  RunUntil([this] { return server_->has_message(); });
  const RawMessage message = server_->Take();
  RequestView request;
  ASSERT_EQ(ParseRequest(message.data, UnknownFieldAction::kRefuse, &request), Status());
  EXPECT_EQ(request.metadata, (std::vector<MetadataEntry>{{"key", "one"}, {"KEY", "two"}}));
  EXPECT_GT(request.timeout_nano, 0);
  EXPECT_LE(request.timeout_nano, std::chrono::nanoseconds(hours(1)).count());
}

TEST_F(ClientTest, ADetailedErrorComesWhole) {
  Start();
  Running<Result<std::string>> call(Call(""));
  // An empty detail counts, and an unknown field is skipped.
  server_->Send(MessageType::kResponse, 1, 0,
                Field(1, std::string("\x08\x07") + Field(2, "no") +
                             Field(3, Field(1, "type/a") + Field(2, "bytes")) + Field(3, "") +
                             Field(9, "?")));
  EXPECT_EQ(Wait(call).error(), Status(StatusCode::kPermissionDenied, "no",
                                       {StatusDetail("type/a", "bytes"), StatusDetail("", "")}));
}

TEST_F(ClientTest, MoreDetailsThanAnyoneSendsAreDropped) {
  Start();
  Running<Result<std::string>> call(Call(""));
  std::string status = "\x08\x07";
  for (int i = 0; i < 5000; ++i) status += Field(3, "");
  server_->Send(MessageType::kResponse, 1, 0, Field(1, status));
  EXPECT_EQ(Wait(call).error().details().size(), 1024U);
}

TEST_F(ClientTest, WhatIsNoAnswerFailsItsCallOnly) {
  Start();
  Running<Result<std::string>> data(Call("")), cut(Call("")), wrong(Call("")), good(Call(""));
  server_->Data(1, "x");
  server_->Send(MessageType::kResponse, 3, 0, "\x12\x05only");
  server_->Send(MessageType::kResponse, 5, 0, "\x0a\x02\x08\xff");
  server_->Reply(7, "fine");
  EXPECT_EQ(WaitTold(data), "INTERNAL: received data on a unary call");
  EXPECT_EQ(Wait(cut).error().code(), StatusCode::kInternal);
  EXPECT_EQ(Wait(wrong).error().code(), StatusCode::kInternal);
  EXPECT_EQ(WaitTold(good), "OK fine");
}

TEST_F(ClientTest, WhatBelongsToNoCallIsDropped) {
  Start();
  Running<Result<std::string>> dropped(Call("")), call(Call(""));
  dropped.Drop();
  EXPECT_EQ(client_->calls(), 1U);
  server_->Reply(1, "too late");
  server_->Reply(99, "never asked");
  server_->Data(2, "even");
  server_->Reply(0, "zero");
  server_->Send(static_cast<MessageType>(77), 3, 0, "no such type");
  server_->Send(MessageType::kRequest, 3, 0, "servers ask nothing");
  server_->Reply(3, "good");
  EXPECT_EQ(WaitTold(call), "OK good");
  server_->Reply(3, "twice");
  Running<Result<std::string>> next(Call(""));
  server_->Reply(5, "next");
  EXPECT_EQ(WaitTold(next), "OK next");
}

TEST_F(ClientTest, OversizedMessagesFailTheirCallOnly) {
  ClientOptions options;
  options.message_size = 100;
  Start(std::move(options));
  EXPECT_EQ(Told(loop_.Run(Call(std::string(100, 'x')))),
            "RESOURCE_EXHAUSTED: message length 121 exceed maximum message size of 100");
  Running<Result<std::string>> longer(Call(std::string(79, 'x'))), other(Call(""));
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|" + std::string(79, 'x') + "]");
  server_->Reply(1, std::string(99, 'y'));
  server_->Reply(3, std::string(98, 'y'));
  EXPECT_EQ(WaitTold(longer),
            "RESOURCE_EXHAUSTED: message length 101 exceed maximum message size of 100");
  EXPECT_EQ(WaitTold(other), "OK " + std::string(98, 'y'));
}

TEST_F(ClientTest, NoLimitIsAboveWhatAHeaderHolds) {
  ClientOptions options;
  options.message_size = 0xffff'ffff;
  Start(std::move(options));
  EXPECT_EQ(Told(loop_.Run(Call(std::string(16U << 20, 'x')))),
            "RESOURCE_EXHAUSTED: message length 16777240 exceed maximum message size of 16777215");
}

TEST_F(ClientTest, TheLastMessageBeforeTheEndIsDelivered) {
  Start();
  Running<Result<std::string>> answered(Call("")), lost(Call(""));
  server_->Reply(1, "last");
  server_->Close();
  EXPECT_EQ(WaitTold(answered), "OK last");
  EXPECT_EQ(WaitTold(lost), "UNAVAILABLE: ttrpc: closed");
  EXPECT_TRUE(client_->closed());
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: ttrpc: closed");
}

TEST_F(ClientTest, AResetFailsTheCalls) {
  Start();
  Running<Result<std::string>> cut(Call("")), lost(Call(""));
  // The server sends half a message and closes with unread data, which causes ECONNRESET.
  server_->StopReading();
  RunReady();
  server_->Write(std::string_view("\0\0\0\x09\0\0\0\x01\x02\0\x12\x07", 12));
  server_->Close();
  EXPECT_EQ(WaitTold(cut), "UNAVAILABLE: ttrpc: closed");
  EXPECT_EQ(WaitTold(lost), "UNAVAILABLE: ttrpc: closed");
}

TEST_F(ClientTest, ABrokenHeaderEndsTheConnection) {
  std::vector<Status> told;
  ClientOptions options;
  options.on_close = [&told](const Status& reason) { told.push_back(reason); };
  Start(std::move(options));
  Running<Result<std::string>> call(Call(""));
  server_->Write(std::string_view("\x01\0\0\x00\0\0\0\x01\x02\0", 10));
  EXPECT_EQ(WaitTold(call), "UNAVAILABLE: ttrpc: the server broke the protocol");
  RunUntil([&told] { return !told.empty(); });
  EXPECT_EQ(told, std::vector<Status>{Status(StatusCode::kUnavailable, "ttrpc: closed")});
}

TEST_F(ClientTest, CloseFailsCallsAndTellsNobodyElse) {
  ClientOptions options;
  options.on_close = [](const Status&) { ADD_FAILURE(); };
  Start(std::move(options));
  Running<Result<std::string>> call(Call(""));
  client_->Close();
  EXPECT_FALSE(call.done()) << "the loop resumes it later";
  EXPECT_EQ(WaitTold(call), "UNAVAILABLE: ttrpc: closed");
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: ttrpc: closed");
  EXPECT_EQ(Next(), "closed") << "unwritten messages are lost";
  RunReady();
}

TEST_F(ClientTest, OnCloseMayDestroyTheClient) {
  ClientOptions options;
  bool told = false;
  options.on_close = [this, &told](const Status&) {
    client_.reset();
    told = true;
  };
  Start(std::move(options));
  Running<Result<std::string>> call(Call(""));
  server_->Close();
  RunUntil([&told] { return told; });
  EXPECT_TRUE(call.done()) << "its calls fail first";
  EXPECT_EQ(client_, nullptr);
  RunReady();
}

TEST_F(ClientTest, DestroyedItFailsItsCallsLater) {
  Start();
  Running<Result<std::string>> waiting(Call(""));
  auto unawaited = Call("");
  auto ended = Call("");
  server_->Reply(5, "here already");
  RunUntil([this] { return client_->calls() == 2; });
  client_.reset();
  EXPECT_FALSE(waiting.done());
  EXPECT_EQ(WaitTold(waiting), "CANCELLED: ttrpc: client destroyed");
  EXPECT_EQ(Told(loop_.Run(std::move(unawaited))), "CANCELLED: ttrpc: client destroyed");
  EXPECT_EQ(Told(loop_.Run(std::move(ended))), "OK here already");
}

Task<Result<std::string>> CallAndDestroy(std::unique_ptr<Client>* client, Context& context) {
  Result<std::string> reply = co_await (*client)->Call(kUnary, context, "");
  client->reset();
  co_return reply;
}

TEST_F(ClientTest, ACoroutineMayDestroyTheClientThatResumedIt) {
  Start();
  Running<Result<std::string>> first(CallAndDestroy(&client_, context_)), second(Call(""));
  server_->Reply(1, "one");
  server_->Reply(3, "two");
  EXPECT_EQ(WaitTold(first), "OK one");
  EXPECT_EQ(WaitTold(second), "OK two");
  EXPECT_EQ(client_, nullptr);
}

TEST_F(ClientTest, AWaitingCallCanBeDroppedByAnother) {
  Start();
  std::optional<Running<Result<std::string>>> second;
  struct Dropper {
    static Task<Result<std::string>> Run(Task<Result<std::string>> call,
                                         std::optional<Running<Result<std::string>>>* other) {
      Result<std::string> reply = co_await std::move(call);
      other->reset();
      co_return reply;
    }
  };
  Running<Result<std::string>> first(Dropper::Run(Call(""), &second));
  second.emplace(Call(""));
  // Both are woken in the same turn. The first then destroys the second.
  server_->Reply(1, "one");
  server_->Reply(3, "two");
  EXPECT_EQ(WaitTold(first), "OK one");
  EXPECT_FALSE(second);
}

TEST_F(ClientTest, ADeadlineEndsTheCallAndItsAnswerIsDropped) {
  Start();
  context_.set_timeout(milliseconds(5));
  Running<Result<std::string>> call(Call(""));
  EXPECT_EQ(WaitTold(call), "DEADLINE_EXCEEDED: context deadline exceeded");
  EXPECT_EQ(client_->calls(), 0U);
  context_.set_deadline(std::nullopt);
  Running<Result<std::string>> next(Call(""));
  server_->Reply(1, "late");
  server_->Reply(3, "next");
  EXPECT_EQ(WaitTold(next), "OK next");
}

TEST_F(ClientTest, ACallWhoseDeadlineHasPassedIsNotSent) {
  Start();
  for (const auto deadline : {Context::Clock::time_point::min(), Context::Clock::now()}) {
    context_.set_deadline(deadline);
    EXPECT_EQ(Told(loop_.Run(Call("not sent"))), "DEADLINE_EXCEEDED: context deadline exceeded");
  }
  context_.set_deadline(Context::Clock::time_point::max());
  Running<Result<std::string>> call(Call("sent"));
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|sent]");
}

TEST_F(ClientTest, CancellingAContextEndsItsCallsOnly) {
  Start();
  Context other;
  Running<Result<std::string>> first(Call("")), second(Call(""));
  Running<Result<std::string>> third(client_->Call(kUnary, other, ""));
  context_.Cancel({StatusCode::kAborted, "enough"});
  EXPECT_FALSE(first.done()) << "the loop resumes it later";
  EXPECT_EQ(WaitTold(first), "ABORTED: enough");
  EXPECT_EQ(WaitTold(second), "ABORTED: enough");
  EXPECT_EQ(Told(loop_.Run(Call(""))), "ABORTED: enough");
  server_->Reply(5, "ok");
  EXPECT_EQ(WaitTold(third), "OK ok");
}

TEST_F(ClientTest, AContextMayGoBeforeItsCall) {
  Start();
  auto context = std::make_unique<Context>();
  context->set_timeout(milliseconds(5));
  Running<Result<std::string>> call(client_->Call(kUnary, *context, ""));
  context.reset();
  EXPECT_EQ(WaitTold(call), "DEADLINE_EXCEEDED: context deadline exceeded");
}

TEST_F(ClientTest, IdsRunOutOnAConnectionThatCannotBeMadeAnew) {
  ClientOptions options;
  options.last_stream_id = 3;
  Start(std::move(options));
  Running<Result<std::string>> first(Call("")), last(Call(""));
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: ttrpc: stream ids exhausted");
  EXPECT_EQ(client_->calls(), 2U) << "these calls continue";
  server_->Reply(3, "last");
  server_->Reply(1, "first");
  EXPECT_EQ(WaitTold(last), "OK last");
  EXPECT_EQ(WaitTold(first), "OK first");
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|]");
  EXPECT_EQ(Next(), "3 request/0 [test.Bytes|Unary|]");
  EXPECT_EQ(Next(), "closed");
  EXPECT_TRUE(client_->closed());
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: ttrpc: stream ids exhausted");
}

TEST_F(ClientTest, AnswersBesideAFullSocketAreRead) {
  Start();
  server_->StopReading();
  std::vector<Task<Result<std::string>>> calls;
  // These requests exceed the capacity of the sockets and the queue.
  calls.reserve(16);
  for (int i = 0; i < 16; ++i) calls.push_back(Call(std::string(1 << 20, 'x')));
  RunReady();
  for (uint32_t id = 1; id < 32; id += 2) server_->Reply(id, "read");
  for (auto& call : calls) ASSERT_EQ(Told(loop_.Run(std::move(call))), "OK read");
}

}  // namespace
}  // namespace ttrpc::client_test
