// SPDX-License-Identifier: Apache-2.0
//
// A server's replies to raw bytes: unary calls, and everything that it refuses.
#include "ttrpc/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "server_harness.h"
#include "support/temp_folder.h"

namespace ttrpc {
namespace {

using test::CloseBytes;
using test::DataBytes;
using test::Envelope;
using test::MessageBytes;
using test::RawPeer;
using test::RequestBytes;
using test::RequestFor;

using ServerTest = test::ServerFixture;

// Encodes a request for test.Bytes/METHOD with this timeout.
std::string TimedRequest(uint32_t id, std::string_view method, int64_t timeout_nano) {
  RequestView request = RequestFor(method, "");
  request.timeout_nano = timeout_nano;
  return MessageBytes(MessageType::kRequest, id, 0, Envelope(request));
}

TEST_F(ServerTest, AnswersToTheByte) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Echo", "hello"));
  RunReady();
  peer->Read();
  EXPECT_EQ(peer->received(), MessageBytes(MessageType::kResponse, 1, 0, "\x12\x05hello"));
  peer->received().clear();
  // An empty reply has no bytes.
  peer->Write(RequestBytes(3, "Echo"));
  RunReady();
  peer->Read();
  EXPECT_EQ(peer->received(), MessageBytes(MessageType::kResponse, 3, 0, ""));
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(ServerTest, AHandlerRepliesOnce) {
  for (const bool intercepted : {false, true}) {
    SCOPED_TRACE(intercepted);
    ServerOptions options;
    if (intercepted) {
      options.unary_interceptors = {[](Context&, const MethodInfo&, std::string request,
                                       UnaryNext next) { return next(std::move(request)); }};
    }
    Start(std::move(options));
    const auto peer = Connect();
    EXPECT_EQ(Ask(*peer, RequestBytes(1, "Nothing")), "1 INTERNAL: OK without a value");
    EXPECT_EQ(Ask(*peer, RequestBytes(3, "Twice")), "3 OK first");
    EXPECT_EQ(bench_.log,
              std::vector<std::string>{"Twice FAILED_PRECONDITION: ttrpc: reply already written"});
    bench_.log.clear();
  }
}

TEST_F(ServerTest, AStatusIsSentAsUtf8) {
  Start();
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Fail", "caf\xe9: gone")),
            "1 NOT_FOUND: caf\xEF\xBF\xBD: gone");
}

TEST_F(ServerTest, ErrorsCarryTheirDetails) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Fail", "gone"));
  RunReady();
  peer->Read();
  EXPECT_EQ(peer->received(), MessageBytes(MessageType::kResponse, 1, 0,
                                           "\x0a\x15\x08\x05\x12\x04gone"
                                           "\x1a\x0b\x0a\x06type/a\x12\x01"
                                           "b"));
  EXPECT_EQ(Next(*peer), "1 NOT_FOUND: gone");
}

TEST_F(ServerTest, MessagesMayBeSplitAnywhere) {
  Start();
  const auto peer = Connect();
  const std::string whole = RequestBytes(1, "Echo", "split");
  for (size_t i = 1; i < whole.size(); ++i) {
    peer->Write(std::string_view(whole).substr(0, i));
    RunReady();
    peer->Read();
    ASSERT_EQ(peer->received(), "") << i;
    EXPECT_EQ(Ask(*peer, std::string_view(whole).substr(i)), "1 OK split") << i;
  }
}

TEST_F(ServerTest, AConnectionThatEndsWithinAMessageLeavesNothing) {
  Start();
  const std::string whole = RequestBytes(1, "Hang");
  for (size_t length = 0; length <= whole.size(); ++length) {
    const auto peer = Connect();
    peer->Write(std::string_view(whole).substr(0, length));
    RunReady();
    EXPECT_EQ(server_->calls(), length == whole.size() ? 1U : 0U);
    peer->Close();
    RunReady();
    EXPECT_EQ(server_->connections(), 0U) << length;
    EXPECT_EQ(bench_.alive, 0U);
  }
}

TEST_F(ServerTest, RefusesToTheLetter) {
  Start();
  const auto peer = Connect();
  RequestView unknown = RequestFor("Echo", "");
  unknown.service = "test.Other";
  const std::string odd = "INVALID_ARGUMENT: StreamID must be odd for client initiated streams";
  EXPECT_EQ(Ask(*peer, MessageBytes(MessageType::kRequest, 1, 0, Envelope(unknown))),
            "1 UNIMPLEMENTED: service test.Other");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Other")), "3 UNIMPLEMENTED: method Other");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "")), "3 UNIMPLEMENTED: method ");
  EXPECT_EQ(Ask(*peer, MessageBytes(MessageType::kRequest, 5, 0, "")), "5 UNIMPLEMENTED: service ");
  EXPECT_EQ(Ask(*peer, RequestBytes(2, "Echo")), "2 " + odd);
  EXPECT_EQ(Ask(*peer, RequestBytes(0, "Echo")), "0 " + odd);
  EXPECT_EQ(Ask(*peer, DataBytes(4, "x")), "4 " + odd);
  EXPECT_EQ(Ask(*peer, DataBytes(7, "x")), "7 INVALID_ARGUMENT: StreamID is no longer active");
  EXPECT_EQ(Ask(*peer, CloseBytes(7)), "7 INVALID_ARGUMENT: StreamID is no longer active");
  EXPECT_EQ(Ask(*peer, RequestBytes(9, "Echo", "fine")), "9 OK fine");
  EXPECT_EQ(Ask(*peer, DataBytes(9, "")), "9 INVALID_ARGUMENT: StreamID is no longer active");
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  Start();
  const auto peer = Connect();
  const std::string good = Envelope(RequestFor("Echo", "x"));
  const std::string text = "1 INVALID_ARGUMENT: unmarshal request error: ";
  const auto ask = [&](const std::string& envelope) {
    return Ask(*peer, MessageBytes(MessageType::kRequest, 1, 0, envelope));
  };
  EXPECT_EQ(ask("\x0a"), text + "truncated or over-long varint");
  EXPECT_EQ(ask(good + "\x0a\x01"), text + "truncated field");
  EXPECT_EQ(ask(good + std::string("\x0a\x01x")), text + "service repeated");
  EXPECT_EQ(ask(good + std::string("\x12\x00", 2)), text + "method repeated");
  EXPECT_EQ(ask(good + std::string("\x1a\x00", 2)), text + "payload repeated");
  EXPECT_EQ(ask("\x08\x01"), text + "service has the wrong wire type");
  EXPECT_EQ(ask("\x0a\x01\xff"), text + "service is not valid UTF-8");
  // Unknown fields, which a later version may add, are ignored, as in Go.
  EXPECT_EQ(ask(good + "\x7a\x03new\x38\x01"), "1 OK x");
  // A truncated request is either refused, or is another, shorter request.
  for (size_t length = 0; length < good.size(); ++length) {
    const std::string answer = ask(good.substr(0, length));
    EXPECT_TRUE(answer.starts_with(text) || answer.starts_with("1 UNIMPLEMENTED") ||
                answer == "1 OK")
        << length << ": " << answer;
  }
}

TEST_F(ServerTest, AnyOddIdThatIsNotInUseWillDo) {
  Start();
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(0xffffffff, "Echo", "a")), "4294967295 OK a");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "b")), "5 OK b");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "c")), "5 OK c");
  peer->Write(RequestBytes(3, "Wait", "still there"));
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Echo", "d")),
            "3 INVALID_ARGUMENT: StreamID cannot be re-used and must increment");
  bench_.latch.Open();
  EXPECT_EQ(Next(*peer), "3 OK still there");
}

TEST_F(ServerTest, OtherTypesOfMessagesMeanNothing) {
  Start();
  const auto peer = Connect();
  for (const int type : {0, 2, 4, 255})
    peer->Write(MessageBytes(static_cast<MessageType>(type), 1, 0xff, "x"));
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Echo", "next")), "1 OK next");
}

TEST_F(ServerTest, AReservedByteEndsTheConnectionAndItsCalls) {
  Start();
  const auto peer = Connect();
  const auto other = Connect();
  peer->Write(RequestBytes(1, "Hang"));
  peer->Write(std::string("\x01\0\0\0\0\0\0\x01\x01\0", 10));
  EXPECT_EQ(Next(*peer), "closed");
  RunReady();
  EXPECT_EQ(server_->connections(), 1U);
  EXPECT_EQ(bench_.log, std::vector<std::string>{"Hang CANCELLED: context canceled"});
  EXPECT_EQ(Ask(*other, RequestBytes(1, "Echo", "fine")), "1 OK fine");
}

TEST_F(ServerTest, TheLongestMessageAndOneByteMore) {
  Start();
  const auto peer = Connect();
  // The envelope has exactly the maximum length, and the reply is shorter.
  const size_t rest = Envelope(RequestFor("Echo", std::string(1 << 21, 'x'))).size() - (1U << 21);
  const std::string longest((4U << 20) - rest, 'x');
  const std::string request = RequestBytes(1, "Echo", longest);
  ASSERT_EQ(request.size(), (4U << 20) + kMessageHeaderLength);
  EXPECT_TRUE(Ask(*peer, request) == "1 OK " + longest);
  const std::string too_long = " exceed maximum message size of 4194304";
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Echo", longest + "x")),
            "3 RESOURCE_EXHAUSTED: message length 4194305" + too_long);
  // The stream of messages stays in step.
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "next")), "5 OK next");
  // Oversized data ends the call that it is for.
  peer->Write(RequestBytes(7, "Chat") + RequestBytes(9, "Wait", "other"));
  EXPECT_EQ(Ask(*peer, DataBytes(7, std::string((4U << 20) + 7, 'x'))),
            "7 RESOURCE_EXHAUSTED: message length 4194311" + too_long);
  EXPECT_EQ(Ask(*peer, DataBytes(7, "x")), "7 INVALID_ARGUMENT: StreamID is no longer active");
  EXPECT_EQ(Ask(*peer, DataBytes(11, std::string((4U << 20) + 1, 'x'))),
            "11 RESOURCE_EXHAUSTED: message length 4194305" + too_long);
  // Messages of other types are ignored, whatever their length.
  peer->Write(MessageBytes(MessageType::kResponse, 9, 0, std::string((4U << 20) + 1, 'x')));
  EXPECT_EQ(Ask(*peer, RequestBytes(13, "Echo", "next")), "13 OK next");
  EXPECT_EQ(server_->calls(), 1U);
}

TEST_F(ServerTest, ARequestThatIsTooLongLeavesTheLiveCallOfItsIdAlone) {
  ServerOptions options;
  options.message_size = 100;
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Wait", "live"));
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Echo", std::string(100, 'x'))),
            "1 RESOURCE_EXHAUSTED: message length 120 exceed maximum message size of 100");
  bench_.latch.Open();
  EXPECT_EQ(Next(*peer), "1 OK live");
}

TEST_F(ServerTest, AReplyThatIsTooLongIsRefusedToItsCall) {
  ServerOptions options;
  options.message_size = 1000;
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Join"));
  for (const char letter : {'a', 'b'}) peer->Write(DataBytes(1, std::string(498, letter)));
  EXPECT_EQ(Ask(*peer, CloseBytes(1)),
            "1 RESOURCE_EXHAUSTED: message length 1001 exceed maximum message size of 1000");
  peer->Write(RequestBytes(3, "Join"));
  peer->Write(DataBytes(3, std::string(498, 'a')) + DataBytes(3, std::string(497, 'b')));
  EXPECT_EQ(Ask(*peer, CloseBytes(3)),
            "3 OK " + std::string(498, 'a') + "," + std::string(497, 'b') + ",");
}

TEST_F(ServerTest, NoLimitIsAboveWhatAHeaderHolds) {
  ServerOptions options;
  options.message_size = 0xffff'ffff;
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Join"));
  for (const char letter : {'a', 'b'}) peer->Write(DataBytes(1, std::string(8U << 20, letter)));
  EXPECT_EQ(
      Ask(*peer, CloseBytes(1)),
      "1 RESOURCE_EXHAUSTED: message length 16777223 exceed maximum message size of 16777215");
}

TEST_F(ServerTest, AStatusThatIsTooLongIsNotSent) {
  ServerOptions options;
  options.message_size = 2000;
  Start(std::move(options));
  const auto peer = Connect();
  // The reply adds more bytes to the name than the request does.
  const std::string name(1975, 'n');
  RequestView unknown;
  unknown.service = name;
  EXPECT_EQ(Ask(*peer, MessageBytes(MessageType::kRequest, 1, 0, Envelope(unknown))),
            "1 UNIMPLEMENTED: service " + name);
  const std::string longer(1990, 'n');
  unknown.service = longer;
  EXPECT_EQ(Ask(*peer, MessageBytes(MessageType::kRequest, 1, 0, Envelope(unknown))),
            "1 RESOURCE_EXHAUSTED: message length 2006 exceed maximum message size of 2000");
}

TEST_F(ServerTest, DataForAUnaryCallEndsIt) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Hang"));
  EXPECT_EQ(Ask(*peer, DataBytes(1, "x")), "1 INVALID_ARGUMENT: StreamID is no longer active");
  RunReady();
  EXPECT_EQ(server_->calls(), 0U);
  EXPECT_EQ(bench_.log,
            std::vector<std::string>{"Hang INVALID_ARGUMENT: StreamID is no longer active"});
  // The handler's later result is not sent.
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Echo", "next")), "1 OK next");
}

TEST_F(ServerTest, ADeadlineIsToldAndTheReplyIsSentAllTheSame) {
  Start();
  const auto peer = Connect();
  // A negative timeout has passed before the call begins.
  for (const int64_t timeout : {int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(Ask(*peer, TimedRequest(1, "Show", timeout)),
              "1 OK DEADLINE_EXCEEDED: context deadline exceeded deadline nobody");
    EXPECT_EQ(Ask(*peer, TimedRequest(1, "Hang", timeout)),
              "1 DEADLINE_EXCEEDED: context deadline exceeded");
  }
  EXPECT_EQ(Ask(*peer, TimedRequest(1, "Hang", 1'000'000)),
            "1 DEADLINE_EXCEEDED: context deadline exceeded");
  EXPECT_EQ(Ask(*peer, TimedRequest(1, "Show", std::numeric_limits<int64_t>::max())),
            "1 OK OK deadline nobody");
  EXPECT_EQ(Ask(*peer, TimedRequest(1, "Show", 0)), "1 OK OK none nobody");
  peer->Write(TimedRequest(1, "Wait", -1));
  RunReady();
  bench_.log.clear();
  bench_.latch.Open();
  EXPECT_EQ(Next(*peer), "1 OK");
  EXPECT_EQ(bench_.log,
            std::vector<std::string>{"Wait DEADLINE_EXCEEDED: context deadline exceeded"});
}

TEST_F(ServerTest, MetadataIsInTheContext) {
  Start();
  const auto peer = Connect();
  RequestView request = RequestFor("Show", "Key");
  request.metadata = {{"key", "one"}, {"KEY", "not found"}, {"other", "x"}, {"key", "two"}};
  EXPECT_EQ(Ask(*peer, MessageBytes(MessageType::kRequest, 1, 0, Envelope(request))),
            "1 OK OK none nobody one two");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Show", "key")), "3 OK OK none nobody");
}

TEST_F(ServerTest, APeerThatGoesCancelsItsCallsAndNoOthers) {
  Start();
  const auto peer = Connect();
  const auto other = Connect();
  peer->Write(RequestBytes(1, "Hang") + RequestBytes(3, "Wait") + RequestBytes(5, "Hang"));
  other->Write(RequestBytes(1, "Hang"));
  RunReady();
  EXPECT_EQ(server_->calls(), 4U);
  peer->Close();
  RunReady();
  EXPECT_EQ(server_->calls(), 1U);
  EXPECT_EQ(server_->connections(), 1U);
  const std::string cancelled = "Hang CANCELLED: context canceled";
  EXPECT_EQ(bench_.log, (std::vector<std::string>{cancelled, cancelled}));
  // The handler outlives its connection.
  EXPECT_EQ(bench_.alive, 2U);
  bench_.latch.Open();
  RunReady();
  EXPECT_EQ(bench_.log.back(), "Wait CANCELLED: context canceled");
  EXPECT_EQ(bench_.alive, 1U);
}

TEST_F(ServerTest, AnExceptionIsAStatus) {
  Start();
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Throw")), "1 INTERNAL: unhandled exception: late");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "ThrowEarly")), "3 INTERNAL: unhandled exception: early");
}

TEST_F(ServerTest, CallsRunSideBySide) {
  Start();
  const auto peer = Connect();
  std::string requests;
  for (uint32_t id = 1; id < 400; id += 2) requests += RequestBytes(id, "Wait", std::to_string(id));
  EXPECT_EQ(Ask(*peer, requests + RequestBytes(1001, "Echo")), "1001 OK");
  EXPECT_EQ(server_->calls(), 200U);
  bench_.latch.Open();
  for (uint32_t id = 1; id < 400; id += 2)
    EXPECT_EQ(Next(*peer), std::to_string(id) + " OK " + std::to_string(id));
}

TEST_F(ServerTest, NamesAreRegisteredOnce) {
  Start();
  EXPECT_EQ(server_->Register(test::BytesService(bench_)),
            Status(StatusCode::kAlreadyExists, "service test.Bytes is already registered"));
}

TEST_F(ServerTest, ServesOnlyWhatListens) {
  Start();
  UniqueFd idle(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(server_->Serve(std::move(idle)),
            Status(StatusCode::kInvalidArgument, "the socket does not listen"));
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const UniqueFd other(pipes[1]);
  EXPECT_EQ(server_->Serve(UniqueFd(pipes[0])).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(server_->Serve(UniqueFd()).code(), StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, ListensAtAnAddress) {
  Start();
  const ::test::TempFolder folder;
  const std::string path = folder.path() + "/sock";
  const auto address = Address::Parse("unix://" + path);
  ASSERT_TRUE(address);
  ASSERT_EQ(server_->Listen(*address), Status());
  EXPECT_EQ(server_->Listen(*address).code(), StatusCode::kAlreadyExists);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un where{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(where.sun_path, sizeof where.sun_path - 1);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  RawPeer peer(std::move(socket));
  EXPECT_EQ(Ask(peer, RequestBytes(1, "Echo", "there")), "1 OK there");
  server_->Close();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_EQ(Next(peer), "closed");
}

}  // namespace
}  // namespace ttrpc
