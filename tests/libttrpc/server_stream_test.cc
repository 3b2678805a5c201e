// SPDX-License-Identifier: Apache-2.0
//
// Streaming calls of a server, with raw bytes: each kind, its ends, and peers that break the rules.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server_harness.h"

namespace ttrpc {
namespace {

using test::CloseBytes;
using test::DataBytes;
using test::MessageBytes;
using test::RequestBytes;

constexpr uint8_t kClosed = kFlagRemoteClosed;
constexpr uint8_t kOpen = kFlagRemoteOpen;
constexpr uint8_t kNoData = kFlagNoData;
const char* const kNotActive = " INVALID_ARGUMENT: StreamID is no longer active";

using ServerStreamTest = test::ServerFixture;

TEST_F(ServerStreamTest, ServerStreamsToTheByte) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Count", "abc", kClosed));
  RunReady();
  peer->Read();
  EXPECT_EQ(peer->received(),
            DataBytes(1, "") + DataBytes(1, "a") + DataBytes(1, "ab") + CloseBytes(1));
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(ServerStreamTest, TheMethodDecidesWhateverTheFlagsSay) {
  Start();
  const auto peer = Connect();
  for (int flags = 0; flags < 8; ++flags) {
    EXPECT_EQ(Ask(*peer, RequestBytes(1, "Count", "a", static_cast<uint8_t>(flags))), "1 data/0");
    EXPECT_EQ(Next(*peer), "1 data/5");
    EXPECT_EQ(Ask(*peer, RequestBytes(1, "Echo", "x", static_cast<uint8_t>(flags))), "1 OK x");
  }
  // An empty request is a message.
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Count", "", kClosed | kNoData)), "1 data/5");
}

TEST_F(ServerStreamTest, ClientStreams) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Join", "", kOpen | kNoData));
  peer->Write(DataBytes(1, "a") + DataBytes(1, "") + DataBytes(1, "b"));
  EXPECT_EQ(Ask(*peer, CloseBytes(1)), "1 OK a,,b,");
  EXPECT_EQ(bench_.log, (std::vector<std::string>{
                            "Join OK", "Join sends FAILED_PRECONDITION: ttrpc: stream closed"}));
  // Go's client opens a stream without "no data".
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Join", "", kOpen) + CloseBytes(3)), "3 OK");
  // A payload of the closing message is delivered before the end.
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Join", "", kOpen) + DataBytes(5, "last", kClosed)),
            "5 OK last,");
  // A payload of the request is the first message. The request may also close the stream.
  EXPECT_EQ(Ask(*peer, RequestBytes(7, "Join", "first", kOpen) + CloseBytes(7)), "7 OK first,");
  EXPECT_EQ(Ask(*peer, RequestBytes(9, "Join", "only", kClosed)), "9 OK only,");
  EXPECT_EQ(Ask(*peer, RequestBytes(11, "Join", "", kClosed | kNoData)), "11 OK");
}

TEST_F(ServerStreamTest, AClientThatStreamsIsOwedAReply) {
  Start();
  EXPECT_EQ(Ask(*Connect(), RequestBytes(1, "Mute", "", kOpen | kNoData)),
            "1 INTERNAL: OK without a value");
  ServerOptions options;
  options.stream_interceptors = {[](Context&, const MethodInfo& method, RawStream& stream,
                                    StreamServerNext next) -> Task<Result<std::string>> {
    if (method.method == "Idle") co_return Status(StatusCode::kAborted, "not \xff");
    co_return co_await next(stream);
  }};
  Start(std::move(options));
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Mute", "", kOpen | kNoData)),
            "1 INTERNAL: OK without a value");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Count", "", kClosed)), "3 data/5");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Idle", "", kOpen | kNoData)),
            "5 ABORTED: not \xEF\xBF\xBD");
}

TEST_F(ServerStreamTest, BothStream) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Chat", "", kOpen | kNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(1, "one")), "1 data/0 one");
  EXPECT_EQ(Ask(*peer, DataBytes(1, "")), "1 data/0");
  EXPECT_EQ(Ask(*peer, DataBytes(1, "last", kClosed)), "1 data/0 last");
  EXPECT_EQ(Next(*peer), "1 data/5");
  EXPECT_EQ(bench_.log, std::vector<std::string>{"Chat OK"});
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(ServerStreamTest, AHandlerMayEndFirst) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Chat", "", kOpen | kNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(1, "done")), "1 data/5");
  EXPECT_EQ(Ask(*peer, DataBytes(1, "late")), std::string("1") + kNotActive);
  peer->Write(RequestBytes(3, "Chat", "", kOpen | kNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(3, "stop")), "3 ABORTED: stopped");
  EXPECT_EQ(Ask(*peer, CloseBytes(3)), std::string("3") + kNotActive);
}

TEST_F(ServerStreamTest, DataAfterTheCloseEndsTheCall) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Idle", "", kOpen | kNoData) + CloseBytes(1));
  // A second close has no effect.
  peer->Write(CloseBytes(1));
  EXPECT_EQ(Ask(*peer, DataBytes(1, "more")), std::string("1") + kNotActive);
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Echo", "x")), "3 OK x");
  // A method whose client does not stream accepts no data.
  peer->Write(RequestBytes(5, "Wait"));
  EXPECT_EQ(Ask(*peer, DataBytes(5, "")), std::string("5") + kNotActive);
  // The handlers continue until they end by themselves.
  EXPECT_EQ(server_->calls(), 2U);
  bench_.latch.Open();
  RunUntil([this] { return server_->calls() == 0; });
}

TEST_F(ServerStreamTest, AMessageThatIsTooLongIsNotSentAndTheStreamStays) {
  ServerOptions options;
  options.message_size = 1000;
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Chat", "", kOpen | kNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(1, "long 1001") + DataBytes(1, "next")), "1 data/0 next");
  EXPECT_EQ(bench_.log, std::vector<std::string>{
                            "Chat sends RESOURCE_EXHAUSTED: message length 1001 exceed maximum "
                            "message size of 1000"});
  peer->Write(DataBytes(1, "long 1000"));
  EXPECT_EQ(Next(*peer).size(), 1000 + std::string("1 data/0 ").size());
}

TEST_F(ServerStreamTest, MessagesMayBeSplitAnywhere) {
  Start();
  const auto peer = Connect();
  const std::string whole = RequestBytes(1, "Chat", "", kOpen | kNoData) + DataBytes(1, "hello") +
                            DataBytes(1, "", kNoData) + CloseBytes(1);
  for (size_t i = 1; i < whole.size(); ++i) {
    peer->Write(std::string_view(whole).substr(0, i));
    RunReady();
    peer->Write(std::string_view(whole).substr(i));
    EXPECT_EQ(Next(*peer), "1 data/0 hello") << i;
    EXPECT_EQ(Next(*peer), "1 data/5") << i;
  }
}

TEST_F(ServerStreamTest, APeerThatGoesIsToldToWhoeverReceivesOrSends) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Chat", "", kOpen | kNoData));
  peer->Write(RequestBytes(3, "Join", "", kOpen | kNoData));
  // The messages exceed the capacity of the socket and the queue.
  peer->Write(RequestBytes(5, "Count", std::string(3000, 'x'), kClosed));
  RunReady();
  EXPECT_EQ(bench_.alive, 3U);
  peer->Close();
  RunReady();
  EXPECT_EQ(bench_.alive, 0U);
  std::vector<std::string> log = bench_.log;
  std::sort(log.begin(), log.end());
  const std::string gone = " CANCELLED: context canceled";
  EXPECT_EQ(log, (std::vector<std::string>{"Chat" + gone, "Count" + gone, "Join" + gone}));
}

TEST_F(ServerStreamTest, SendingWaitsForAPeerThatTakesNothing) {
  Start();
  const auto peer = Connect();
  const auto other = Connect();
  peer->Write(RequestBytes(1, "Count", std::string(3000, 'x'), kClosed));
  RunReady();
  EXPECT_EQ(bench_.alive, 1U);
  // The connection is still read, and other calls are served.
  peer->Write(RequestBytes(3, "Fail", "in between"));
  EXPECT_EQ(Ask(*other, RequestBytes(1, "Echo", "x")), "1 OK x");
  size_t sizes = 0;
  std::string message;
  bool in_between = false;
  while ((message = Next(*peer)) != "1 data/5") {
    ASSERT_NE(message, "closed");
    if (message == "3 NOT_FOUND: in between") {
      in_between = true;
    } else {
      sizes += std::max(message.size(), std::string("1 data/0 ").size()) - 9;
    }
  }
  EXPECT_TRUE(in_between);
  EXPECT_EQ(sizes, 2999U * 3000 / 2);
}

// Both sides write and neither reads. Go's connections stall in this situation.
TEST_F(ServerStreamTest, BothSidesMayWriteAtOnceWithFullSockets) {
  Start();
  const auto peer = Connect();
  constexpr size_t kMessages = 64;
  const std::string long_one(256U << 10, 'x');
  peer->Write(RequestBytes(1, "Chat", "", kOpen | kNoData));
  for (size_t i = 0; i < kMessages; ++i) peer->Write(DataBytes(1, long_one));
  peer->Write(CloseBytes(1));
  // The peer reads nothing until its own writing is blocked or finished.
  RunReady();
  for (size_t i = 0; i < kMessages; ++i) {
    const std::string got = Next(*peer);
    ASSERT_EQ(got.size(), long_one.size() + std::string("1 data/0 ").size()) << got.substr(0, 80);
  }
  EXPECT_EQ(Next(*peer), "1 data/5");
  EXPECT_TRUE(peer->written());
}

TEST_F(ServerStreamTest, AStreamThatNobodyReadsFailsAloneInTheEnd) {
  ServerOptions options;
  options.stream_buffer = 1000;
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Idle", "", kOpen | kNoData));
  peer->Write(RequestBytes(3, "Chat", "", kOpen | kNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(1, std::string(900, 'x')) + DataBytes(3, "busy")),
            "3 data/0 busy");
  EXPECT_EQ(Ask(*peer, DataBytes(1, std::string(101, 'x')) + DataBytes(3, "held up")),
            "1 RESOURCE_EXHAUSTED: ttrpc: stream buffer full");
  EXPECT_EQ(Next(*peer), "3 data/0 held up");
  EXPECT_EQ(Ask(*peer, DataBytes(3, "busy") + CloseBytes(3)), "3 data/0 busy");
  EXPECT_EQ(Next(*peer), "3 data/5");
  bench_.latch.Open();
  RunReady();
  EXPECT_EQ(bench_.log.back(), "Idle RESOURCE_EXHAUSTED: ttrpc: stream buffer full");
  EXPECT_EQ(bench_.alive, 0U);
}

TEST_F(ServerStreamTest, AStreamThatIsReadAgainInTimeGoesOn) {
  ServerOptions options;
  options.stream_buffer = 10;
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Idle", "", kOpen | kNoData));
  for (int i = 0; i < 100; ++i) peer->Write(DataBytes(1, std::string(100, 'x')));
  peer->Write(CloseBytes(1));
  RunReady();
  bench_.latch.Open();
  EXPECT_EQ(Next(*peer), "1 data/0 10000");
  EXPECT_EQ(Next(*peer), "1 data/5");
}

TEST_F(ServerStreamTest, AFullStreamThatEndsLetsTheConnectionBeRead) {
  ServerOptions options;
  options.stream_buffer = 10;
  Start(std::move(options));
  const auto peer = Connect();
  // The handler replies early and does not receive the queued messages.
  peer->Write(RequestBytes(1, "Early", std::string(100, 'x'), kOpen));
  EXPECT_EQ(Next(*peer), "1 OK early");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Echo", "x")), "3 OK x");
  peer->Write(RequestBytes(5, "Early", "", kOpen | kNoData) + DataBytes(5, std::string(100, 'x')));
  EXPECT_EQ(Next(*peer), "5 OK early");
  EXPECT_EQ(Next(*peer), std::string("5") + kNotActive);
  EXPECT_EQ(Ask(*peer, RequestBytes(7, "Echo", "x")), "7 OK x");
  // A disconnect of the peer no longer matters to that handler.
  peer->Close();
  RunReady();
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(bench_.alive, 2U);
  bench_.latch.Open();
  RunReady();
  EXPECT_EQ(bench_.log,
            (std::vector<std::string>{"Early more", "Early none", "Early OK", "Early OK"}));
  EXPECT_EQ(bench_.alive, 0U);
}

TEST_F(ServerStreamTest, ADeadlineEndsReceivingAndSending) {
  Start();
  const auto peer = Connect();
  for (const char* method : {"Join", "Chat"}) {
    RequestView request = test::RequestFor(method, "");
    request.timeout_nano = 1'000'000;
    peer->Write(MessageBytes(MessageType::kRequest, 1, kOpen | kNoData, test::Envelope(request)));
    EXPECT_EQ(Next(*peer), "1 DEADLINE_EXCEEDED: context deadline exceeded");
  }
  RequestView request = test::RequestFor("Count", "abc");
  request.timeout_nano = -1;
  peer->Write(MessageBytes(MessageType::kRequest, 1, kClosed, test::Envelope(request)));
  EXPECT_EQ(Next(*peer), "1 DEADLINE_EXCEEDED: context deadline exceeded");
}

// Doubles each received message and marks each sent one.
class Wrapped final : public RawStream {
 public:
  explicit Wrapped(RawStream& inner) : inner_(inner) {}
  Task<std::optional<std::string>> Receive() override {
    std::optional<std::string> message = co_await inner_.Receive();
    if (message) *message += *message;
    co_return message;
  }
  Task<Status> Send(std::string message) override {
    co_return co_await inner_.Send("<" + message + ">");
  }
  const Status& status() const override { return inner_.status(); }

 private:
  RawStream& inner_;
};

Task<Result<std::string>> Wrap(Context&, const MethodInfo&, RawStream& stream,
                               StreamServerNext next) {
  Wrapped wrapped(stream);
  Result<std::string> reply = co_await next(wrapped);
  if (!reply) co_return reply.error();
  co_return *reply + "!";
}

Task<Result<std::string>> RefuseJoin(Context&, const MethodInfo& method, RawStream& stream,
                                     StreamServerNext next) {
  if (method.method == "Join") co_return Status(StatusCode::kPermissionDenied, "not that one");
  co_return co_await next(stream);
}

TEST_F(ServerStreamTest, InterceptorsWrapStreams) {
  ServerOptions options;
  options.stream_interceptors = {Wrap, Wrap};
  Start(std::move(options));
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Chat", "ab", kOpen) + CloseBytes(1)),
            "1 data/0 <<abababab>>");
  EXPECT_EQ(Next(*peer), "1 data/5");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Join", "a", kOpen) + CloseBytes(3)), "3 OK aaaa,!!");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "unary is not theirs")), "5 OK unary is not theirs");
}

TEST_F(ServerStreamTest, InterceptorsRefuseThrowAndAnswer) {
  ServerOptions options;
  options.stream_interceptors = {[](Context&, const MethodInfo& method, RawStream& stream,
                                    StreamServerNext next) -> Task<Result<std::string>> {
                                   if (method.method == "Idle")
                                     throw std::runtime_error("before there is a task");
                                   return next(stream);
                                 },
                                 RefuseJoin};
  Start(std::move(options));
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Join", "", kOpen | kNoData)),
            "1 PERMISSION_DENIED: not that one");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Idle", "", kOpen | kNoData)),
            "3 INTERNAL: unhandled exception: before there is a task");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Chat", "x", kOpen)), "5 data/0 x");
}

}  // namespace
}  // namespace ttrpc
