// SPDX-License-Identifier: Apache-2.0
//
// The client's streams, with a server that only handles bytes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "raw_server.h"

namespace ttrpc::client_test {
namespace {

class ClientStreamTest : public ClientFixture {
 protected:
  using Stream = std::unique_ptr<RawClientStream>;
  using Received = std::optional<std::string>;

  Stream Open(const MethodInfo& method, std::optional<std::string> request = std::nullopt) {
    return client_->OpenStream(method, context_, std::move(request));
  }
  // Returns the next message in quotes, or how the stream has ended.
  std::string Receive(RawClientStream& stream) {
    Running<Received> running(stream.Receive());
    const Received message = Wait(running);
    return message ? '"' + *message + '"' : stream.status().ToString();
  }
  std::string Finish(RawClientStream& stream) {
    Running<Result<std::string>> running(stream.Finish());
    return WaitTold(running);
  }
  std::string Send(RawClientStream& stream, std::string message) {
    Running<Status> running(stream.Send(std::move(message)));
    return Wait(running).ToString();
  }
};

TEST_F(ClientStreamTest, TheFlagsTellTheKind) {
  Start();
  context_.metadata().Append("k", "v");
  auto server = Open(kServerStream, "all");
  auto client = Open(kClientStream);
  auto bidi = Open(kBidi);
  EXPECT_EQ(Next(), "1 request/1 [test.Bytes|Count|all|k=v]");
  EXPECT_EQ(Next(), "3 request/6 [test.Bytes|Join||k=v]");
  EXPECT_EQ(Next(), "5 request/6 [test.Bytes|Chat||k=v]");
  EXPECT_EQ(client_->calls(), 3U);
  EXPECT_EQ(Send(*client, "one"), "OK");
  EXPECT_EQ(Send(*bidi, ""), "OK");
  bidi->CloseSend();
  bidi->CloseSend();
  client->CloseSend();
  server->CloseSend();
  EXPECT_EQ(Next(), "3 data/0 [one]");
  EXPECT_EQ(Next(), "5 data/0 []");
  EXPECT_EQ(Next(), "5 data/5 []");
  EXPECT_EQ(Next(), "3 data/5 []");
  EXPECT_EQ(Send(*client, "x"), "FAILED_PRECONDITION: ttrpc: stream closed");
  EXPECT_EQ(Send(*bidi, "x"), "FAILED_PRECONDITION: ttrpc: stream closed");
  EXPECT_EQ(Send(*server, "x"), "FAILED_PRECONDITION: ttrpc: stream closed");
  server.reset();
  client.reset();
  EXPECT_EQ(client_->calls(), 1U);
  RunReady();
  EXPECT_FALSE(server_->has_message()) << "abandoning a stream sends nothing";
}

// The following tests cover the ways in which a server may end a stream.
TEST_F(ClientStreamTest, EndsWithAClose) {
  Start();
  auto stream = Open(kServerStream, "");
  server_->Data(1, "a");
  server_->Data(1, "");
  server_->End(1);
  EXPECT_EQ(Receive(*stream), "\"a\"");
  EXPECT_EQ(Receive(*stream), "\"\"");
  EXPECT_EQ(Receive(*stream), "OK");
  EXPECT_EQ(Receive(*stream), "OK");
  EXPECT_EQ(Finish(*stream), "OK ");
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(ClientStreamTest, EndsWithAMessageThatCloses) {
  Start();
  auto stream = Open(kServerStream, "");
  auto empty = Open(kBidi);
  server_->Data(1, "last", kFlagRemoteClosed);
  server_->Data(3, "", kFlagRemoteClosed);
  EXPECT_EQ(Receive(*stream), "\"last\"");
  EXPECT_EQ(Receive(*stream), "OK");
  EXPECT_EQ(Receive(*empty), "\"\"");
  EXPECT_EQ(Receive(*empty), "OK");
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(ClientStreamTest, EndsWithAResponse) {
  Start();
  auto good = Open(kBidi);
  auto with_message = Open(kServerStream, "");
  auto bad = Open(kServerStream, "");
  server_->Data(1, "a");
  server_->Reply(1, "");
  server_->Reply(3, "one more");
  server_->Data(5, "a");
  server_->Fail(5, 10, "stopped");
  EXPECT_EQ(Receive(*good), "\"a\"");
  EXPECT_EQ(Receive(*good), "OK");
  EXPECT_EQ(Receive(*with_message), "\"one more\"");
  EXPECT_EQ(Finish(*with_message), "OK ");
  EXPECT_EQ(Receive(*bad), "\"a\"");
  EXPECT_EQ(Receive(*bad), "ABORTED: stopped");
  EXPECT_EQ(Finish(*bad), "ABORTED: stopped");
}

TEST_F(ClientStreamTest, NoDataIsNoMessage) {
  Start();
  auto stream = Open(kBidi);
  server_->Data(1, "ignored", kFlagNoData);
  server_->Data(1, "a");
  server_->Data(1, "ignored", kClose);
  server_->Data(1, "after the end");
  EXPECT_EQ(Receive(*stream), "\"a\"");
  EXPECT_EQ(Receive(*stream), "OK");
}

TEST_F(ClientStreamTest, FinishGivesTheReply) {
  Start();
  auto stream = Open(kClientStream);
  EXPECT_EQ(Send(*stream, "a"), "OK");
  Running<Result<std::string>> finish(stream->Finish());
  EXPECT_EQ(Next(), "1 request/6 [test.Bytes|Join|]");
  EXPECT_EQ(Next(), "1 data/0 [a]");
  EXPECT_EQ(Next(), "1 data/5 []");
  server_->Reply(1, "sum");
  EXPECT_EQ(WaitTold(finish), "OK sum");
}

// The reply is given away, and an empty one must not pass for it.
TEST_F(ClientStreamTest, FinishGivesTheReplyOnce) {
  Start();
  const std::string again = "FAILED_PRECONDITION: ttrpc: stream already finished";
  auto stream = Open(kClientStream);
  Running<Result<std::string>> dropped(stream->Finish());
  dropped.Drop();
  server_->Reply(1, "sum");
  EXPECT_EQ(Finish(*stream), "OK sum");
  EXPECT_EQ(Finish(*stream), again);
  EXPECT_EQ(Finish(*stream), again);
  auto bidi = Open(kBidi);
  server_->End(3);
  EXPECT_EQ(Finish(*bidi), "OK ");
  EXPECT_EQ(Finish(*bidi), again);
  auto failed = Open(kClientStream);
  server_->Fail(5, 10, "stopped");
  EXPECT_EQ(Finish(*failed), "ABORTED: stopped");
  EXPECT_EQ(Finish(*failed), "ABORTED: stopped") << "the status of the call is kept";
}

TEST_F(ClientStreamTest, FinishDropsWhatWasNotTaken) {
  Start();
  auto stream = Open(kBidi);
  Running<Result<std::string>> finish(stream->Finish());
  server_->Data(1, "a");
  server_->Data(1, "b");
  RunReady();
  EXPECT_FALSE(finish.done());
  server_->End(1);
  EXPECT_EQ(WaitTold(finish), "OK ");
}

TEST_F(ClientStreamTest, AReplyBeforeTheEndOfSendingEndsSending) {
  Start();
  auto stream = Open(kClientStream);
  server_->Reply(1, "enough");
  RunUntil([this] { return client_->calls() == 0; });
  EXPECT_EQ(Send(*stream, "x"), "FAILED_PRECONDITION: ttrpc: stream closed");
  EXPECT_EQ(Finish(*stream), "OK enough");
  auto failed = Open(kClientStream);
  server_->Fail(3, 9, "no");
  RunUntil([this] { return client_->calls() == 0; });
  EXPECT_EQ(Send(*failed, "x"), "FAILED_PRECONDITION: no");
  EXPECT_EQ(Finish(*failed), "FAILED_PRECONDITION: no");
}

TEST_F(ClientStreamTest, DataFromAServerThatDoesNotStreamFailsTheCall) {
  Start();
  auto stream = Open(kClientStream);
  server_->Data(1, "x");
  EXPECT_EQ(Finish(*stream), "INTERNAL: received data from a server that does not stream");
}

TEST_F(ClientStreamTest, OversizedMessagesAreNotSentAndFailTheStreamThatGetsThem) {
  ClientOptions options;
  options.message_size = 100;
  Start(std::move(options));
  auto stream = Open(kBidi);
  EXPECT_EQ(Send(*stream, std::string(101, 'x')),
            "RESOURCE_EXHAUSTED: message length 101 exceed maximum message size of 100");
  EXPECT_EQ(Send(*stream, std::string(100, 'x')), "OK");
  EXPECT_EQ(Next(), "1 request/6 [test.Bytes|Chat|]");
  EXPECT_EQ(Next(), "1 data/0 [" + std::string(100, 'x') + "]");
  server_->Data(1, "before");
  server_->Data(1, std::string(101, 'y'));
  server_->Data(1, "after");
  EXPECT_EQ(Receive(*stream), "\"before\"");
  EXPECT_EQ(Receive(*stream),
            "RESOURCE_EXHAUSTED: message length 101 exceed maximum message size of 100");
  EXPECT_EQ(Told(loop_.Run(Call(std::string(100, 'x')))),
            "RESOURCE_EXHAUSTED: message length 121 exceed maximum message size of 100");
}

TEST_F(ClientStreamTest, WhatCameBeforeTheServerWentIsDelivered) {
  Start();
  auto stream = Open(kServerStream, "");
  server_->Data(1, "a");
  server_->Data(1, "b");
  server_->Close();
  EXPECT_EQ(Receive(*stream), "\"a\"");
  RunUntil([this] { return client_->closed(); });
  EXPECT_EQ(Receive(*stream), "\"b\"");
  EXPECT_EQ(Receive(*stream), "UNAVAILABLE: ttrpc: closed");
  EXPECT_EQ(Finish(*stream), "UNAVAILABLE: ttrpc: closed");
  EXPECT_EQ(Finish(*Open(kBidi)), "UNAVAILABLE: ttrpc: closed");
}

TEST_F(ClientStreamTest, AResetWhileReadingIsTheEnd) {
  Start();
  auto stream = Open(kBidi);
  RunReady();
  server_->StopReading();
  EXPECT_EQ(Send(*stream, "never read"), "OK");
  RunReady();
  Running<Received> reading(stream->Receive());
  server_->Close();
  EXPECT_EQ(Wait(reading), std::nullopt);
  EXPECT_EQ(stream->status(), Status(StatusCode::kUnavailable, "ttrpc: closed"));
  EXPECT_EQ(Send(*stream, "x"), "UNAVAILABLE: ttrpc: closed");
}

TEST_F(ClientStreamTest, ContextsEndStreams) {
  Start();
  auto cancelled = Open(kBidi);
  Running<Received> reading(cancelled->Receive());
  Context timed;
  timed.set_timeout(std::chrono::milliseconds(5));
  auto late = client_->OpenStream(kBidi, timed, std::nullopt);
  EXPECT_EQ(Receive(*late), "DEADLINE_EXCEEDED: context deadline exceeded");
  context_.Cancel();
  EXPECT_EQ(Wait(reading), std::nullopt);
  EXPECT_EQ(Finish(*cancelled), "CANCELLED: context canceled");
  EXPECT_EQ(Send(*cancelled, "x"), "CANCELLED: context canceled");
  EXPECT_EQ(Finish(*Open(kBidi)), "CANCELLED: context canceled");
  EXPECT_EQ(client_->calls(), 0U);
}

TEST_F(ClientStreamTest, TheClientMayGoFirst) {
  Start();
  auto stream = Open(kBidi);
  auto reader = Open(kServerStream, "");
  Running<Received> reading(reader->Receive());
  client_.reset();
  EXPECT_EQ(Wait(reading), std::nullopt);
  EXPECT_EQ(reader->status(), Status(StatusCode::kCancelled, "ttrpc: client destroyed"));
  EXPECT_EQ(Send(*stream, "x"), "CANCELLED: ttrpc: client destroyed");
  EXPECT_EQ(Finish(*stream), "CANCELLED: ttrpc: client destroyed");
}

// Both sides write and neither reads. Sending has to wait, and receiving must continue.
TEST_F(ClientStreamTest, AFullSocketDoesNotStopReading) {
  Start();
  auto stream = Open(kBidi);
  server_->StopReading();
  std::optional<Running<Status>> sending;
  do {
    sending.emplace(stream->Send(std::string(1 << 16, 'x')));
    RunReady();
  } while (sending->done());
  for (int i = 0; i < 32; ++i) server_->Data(1, std::string(1 << 17, 'y'));
  server_->Data(1, "last");
  for (int i = 0; i < 32; ++i) ASSERT_EQ(Receive(*stream).size(), (1U << 17) + 2);
  EXPECT_EQ(Receive(*stream), "\"last\"");
  EXPECT_FALSE(sending->done());
  server_->StartReading();
  EXPECT_EQ(Wait(*sending), Status());
}

TEST_F(ClientStreamTest, ASenderThatWaitsIsToldOfTheEnd) {
  Start();
  auto stream = Open(kBidi);
  server_->StopReading();
  std::optional<Running<Status>> sending;
  do {
    sending.emplace(stream->Send(std::string(1 << 16, 'x')));
    RunReady();
  } while (sending->done());
  server_->Fail(1, 8, "full");
  EXPECT_EQ(Wait(*sending), Status(StatusCode::kResourceExhausted, "full"));
}

TEST_F(ClientStreamTest, AnUnreadStreamAmongBusyOnesFailsAlone) {
  ClientOptions options;
  options.stream_buffer = 1000;
  Start(std::move(options));
  auto unread = Open(kServerStream, "");
  auto read = Open(kServerStream, "");
  for (int i = 0; i < 100; ++i) {
    server_->Data(1, std::string(100, 'u'));
    server_->Data(3, std::to_string(i));
  }
  Running<Result<std::string>> call(Call(""));
  server_->Reply(5, "served");
  server_->End(3);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Receive(*read), '"' + std::to_string(i) + '"');
  EXPECT_EQ(Receive(*read), "OK");
  EXPECT_EQ(WaitTold(call), "OK served");
  EXPECT_EQ(unread->status(), Status(StatusCode::kResourceExhausted, "ttrpc: stream buffer full"));
  // Messages that were buffered can still be received.
  EXPECT_EQ(Receive(*unread), '"' + std::string(100, 'u') + '"');
}

TEST_F(ClientStreamTest, AStreamThatIsReadSlowlyLosesNothing) {
  ClientOptions options;
  options.stream_buffer = 1000;
  Start(std::move(options));
  auto stream = Open(kServerStream, "");
  for (int i = 0; i < 1000; ++i) server_->Data(1, std::string(100, 'a'));
  server_->End(1);
  RunReady();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Receive(*stream), '"' + std::string(100, 'a') + '"');
  EXPECT_EQ(Receive(*stream), "OK");
}

// The sanitizers report leaks and uses after free.
TEST_F(ClientStreamTest, TasksCanBeDroppedWhereverTheyWait) {
  Start();
  {
    auto stream = Open(kBidi);
    auto never_awaited = stream->Receive();
    Running<Received> reading(stream->Receive());
    reading.Drop();
    Running<Result<std::string>> finishing(stream->Finish());
    finishing.Drop();
    // This task is dropped after it is woken and before it is resumed.
    auto woken = Open(kBidi);
    Running<Received> late(woken->Receive());
    server_->Data(3, "x");
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    late.Drop();
    Running<Received> again(woken->Receive());
    context_.Cancel();
    again.Drop();
  }
  RunReady();
  EXPECT_EQ(client_->calls(), 0U);
  Context fresh;
  auto full = client_->OpenStream(kBidi, fresh, std::nullopt);
  server_->StopReading();
  std::optional<Running<Status>> sending;
  do {
    sending.emplace(full->Send(std::string(1 << 16, 'x')));
    RunReady();
  } while (sending->done());
  sending->Drop();
  full.reset();
  server_->StartReading();
  Running<Result<std::string>> call(client_->Call(kUnary, fresh, ""));
  server_->Reply(7, "all is well");
  EXPECT_EQ(WaitTold(call), "OK all is well");
}

TEST_F(ClientStreamTest, OneThatFailedBeforeItBegan) {
  auto stream = FailedStream({StatusCode::kPermissionDenied, "not you"});
  EXPECT_EQ(Receive(*stream), "PERMISSION_DENIED: not you");
  EXPECT_EQ(Send(*stream, ""), "PERMISSION_DENIED: not you");
  stream->CloseSend();
  EXPECT_EQ(Finish(*stream), "PERMISSION_DENIED: not you");
  auto without_reason = FailedStream(Status());
  EXPECT_EQ(Send(*without_reason, ""), "INTERNAL: ttrpc: an OK status is not an error");
  EXPECT_EQ(Finish(*without_reason), "INTERNAL: ttrpc: an OK status is not an error");
}

}  // namespace
}  // namespace ttrpc::client_test
