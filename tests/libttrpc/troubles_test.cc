// SPDX-License-Identifier: Apache-2.0
//
// Problems that users of the other implementations reported, each named after its issue (Go:
// containerd/ttrpc, Rust: containerd/ttrpc-rust). A test hangs or fails if the library has the
// problem. SIGALRM ends a test that hangs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/temp_folder.h"
#include "support/wire.h"
#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/response.h"

namespace ttrpc {
namespace {

using std::chrono::seconds;

constexpr MethodInfo kEcho("trouble.T", "Echo");
constexpr MethodInfo kHang("trouble.T", "Hang");
constexpr MethodInfo kQuit("trouble.T", "Quit");
constexpr MethodInfo kFlood("trouble.T", "Flood", false, true);
constexpr MethodInfo kSizes("trouble.T", "Sizes", true, false);
constexpr MethodInfo kChat("trouble.T", "Chat", true, true);

constexpr int kDeadlineSeconds = 100;
constexpr size_t kPieceSize = 64 << 10;
const char kClosed[] = "UNAVAILABLE: ttrpc: closed";

// The objects that the service uses.
struct Service {
  Server* server = nullptr;
  EventLoop* loop = nullptr;
};

Task<Status> Echo(void*, Context&, std::string_view request, ReplySink& reply) {
  co_return reply.WriteBytes(request);
}

Task<Status> Hang(void*, Context& context, std::string_view, ReplySink&) {
  co_await context.Cancelled();
  co_return context.status();
}

Task<Status> Quit(void* service, Context&, std::string_view, ReplySink& reply) {
  const auto* const of = static_cast<const Service*>(service);
  of->server->Shutdown(seconds(kDeadlineSeconds), [loop = of->loop] { loop->Stop(); });
  co_return reply.WriteBytes("");
}

// Sends as many messages of kPieceSize as the request has bytes, or one empty message for none.
Task<Status> Flood(void*, Context&, RawStream& stream, ReplySink&) {
  const auto request = co_await stream.Receive();
  if (!request) co_return Status(StatusCode::kInternal, "no request");
  if (request->empty()) co_return co_await stream.Send("");
  for (size_t i = 0; i < request->size(); ++i) {
    if (Status sent = co_await stream.Send(std::string(kPieceSize, 'f')); !sent.ok())
      co_return sent;
  }
  co_return Status();
}

Task<Status> Sizes(void*, Context&, RawStream& stream, ReplySink& reply) {
  std::string sizes;
  while (const auto message = co_await stream.Receive())
    sizes += std::to_string(message->size()) + " ";
  if (!stream.status().ok()) co_return stream.status();
  co_return reply.WriteBytes(sizes);
}

Task<Status> Chat(void*, Context&, RawStream& stream, ReplySink&) {
  while (auto message = co_await stream.Receive()) {
    if (Status sent = co_await stream.Send(std::move(*message)); !sent.ok()) co_return sent;
  }
  co_return stream.status();
}

ServiceDescription Description(Service* service) {
  return {"trouble.T",
          service,
          {Method("Echo", Echo), Method("Hang", Hang), Method("Quit", Quit),
           Method("Flood", false, true, Flood), Method("Sizes", true, false, Sizes),
           Method("Chat", true, true, Chat)}};
}

std::pair<UniqueFd, UniqueFd> Sockets() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

std::string Text(const Result<std::string>& reply) {
  return reply ? *reply : reply.error().ToString();
}

// The other end of a connection, with blocking reads and writes.
class RawPeer {
 public:
  explicit RawPeer(UniqueFd socket) : socket_(std::move(socket)) {
    ::fcntl(socket_.get(), F_SETFL, 0);
  }

  static std::string Message(uint32_t id, MessageType type, std::string_view data,
                             uint8_t flags = 0) {
    return ::test::Message({.stream_id = id, .type = type, .flags = flags}, data);
  }
  static std::string Request(uint32_t id, const MethodInfo& method, std::string_view payload) {
    RequestView request;
    request.service = method.service;
    request.method = method.method;
    request.payload = payload;
    std::string data(EncodedRequestSize(request), '\0');
    EncodeRequest(request, data.data());
    return Message(id, MessageType::kRequest, data);
  }
  static std::string Reply(uint32_t id, std::string_view payload) {
    std::string data(EncodedReplySize(payload.size()), '\0');
    char* const place = EncodeReplyHead(payload.size(), data.data());
    payload.copy(place, payload.size());
    return Message(id, MessageType::kResponse, data);
  }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void Close() { socket_.reset(); }

 private:
  UniqueFd socket_;
};

class TroublesTest : public testing::Test {
 protected:
  void SetUp() override { ::alarm(kDeadlineSeconds); }
  void TearDown() override { ::alarm(0); }

  void StartServer(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(loop_.io(), std::move(options));
    service_ = {.server = server_.get(), .loop = &loop_};
    ASSERT_EQ(server_->Register(Description(&service_)), Status());
  }
  void Connect(ServerOptions server = {}, ClientOptions client = {}) {
    StartServer(std::move(server));
    auto [ours, theirs] = Sockets();
    server_->ServeConnection(std::move(theirs));
    client_ = Client::Over(loop_.io(), std::move(ours), std::move(client));
  }
  // Connects a client of the library to a hand-written server.
  RawPeer ConnectToRaw(ClientOptions options = {}) {
    auto [ours, theirs] = Sockets();
    client_ = Client::Over(loop_.io(), std::move(ours), std::move(options));
    return RawPeer(std::move(theirs));
  }
  std::string Call(const MethodInfo& method, std::string request) {
    return Text(loop_.Run(client_->Call(method, context_, std::move(request))));
  }
  // Sends these bytes and returns the server's `count` replies, as "ID: payload or status'
  // message".
  std::vector<std::string> Exchange(std::string_view bytes, size_t count) {
    auto [ours, theirs] = Sockets();
    server_->ServeConnection(std::move(theirs));
    MessageDecoder decoder(kMaxMessageSize);
    std::vector<std::string> answers;
    Timer look(loop_.io(), [&, fd = ours.get()] {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      char buffer[4096];
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      std::string_view input(buffer, n > 0 ? static_cast<size_t>(n) : 0);
      for (auto next = decoder.Next(&input); next.event == MessageDecoder::Event::kMessage;
           next = decoder.Next(&input)) {
        ResponseView response;
        EXPECT_EQ(ParseResponse(next.data, &response), Status());
        answers.push_back(std::to_string(next.header.stream_id) + ": " +
                          std::string(response.payload) + std::string(response.message));
      }
      if (answers.size() >= count || n == 0) return loop_.Stop();
      look.Start(std::chrono::nanoseconds(0));
    });
    look.Start(std::chrono::nanoseconds(0));
    loop_.RunForever();
    return answers;
  }
  // Runs the loop until the server has no connection left.
  void AwaitNoConnection() {
    Timer look(loop_.io(), [&] {
      if (server_->connections() == 0) return loop_.Stop();
      look.Start(std::chrono::milliseconds(1));
    });
    look.Start(std::chrono::nanoseconds(0));
    loop_.RunForever();
  }

  EventLoop loop_;
  Context context_;
  Service service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

Task<size_t> SendAllThenReceiveAll(Client& client, Context& context, size_t pieces) {
  auto stream = client.OpenStream(kChat, context, std::nullopt);
  for (size_t i = 0; i < pieces; ++i) {
    if (Status sent = co_await stream->Send(std::string(kPieceSize, 'x')); !sent.ok()) co_return 0;
  }
  stream->CloseSend();
  size_t received = 0;
  while (const auto message = co_await stream->Receive()) received += message->size();
  co_return received;
}

Task<void> Note(Task<size_t> task, std::vector<size_t>* sizes, EventLoop& loop, size_t wanted) {
  sizes->push_back(co_await std::move(task));
  if (sizes->size() == wanted) loop.Stop();
}

// Both sides have more to write than the sockets hold, and each must read although its writing is
// blocked. Each side runs on its own thread.
TEST_F(TroublesTest, BothSidesWriteAtOnce_Go72_Go94_Go168_Go174) {
  constexpr size_t kStreams = 8;
  constexpr size_t kPieces = 16;
  auto [ours, theirs] = Sockets();
  for (const int fd : {ours.get(), theirs.get()}) {
    const int size = 4096;
    ASSERT_EQ(::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  }
  std::thread serving([socket = std::move(theirs)]() mutable {
    EventLoop loop;
    Server server(loop.io());
    Service service = {.server = &server, .loop = &loop};
    EXPECT_EQ(server.Register(Description(&service)), Status());
    server.ServeConnection(std::move(socket));
    loop.RunForever();
  });
  client_ = Client::Over(loop_.io(), std::move(ours));
  std::vector<size_t> sizes;
  TaskGroup streams;
  for (size_t i = 0; i < kStreams; ++i) {
    streams.Spawn(
        Note(SendAllThenReceiveAll(*client_, context_, kPieces), &sizes, loop_, kStreams));
  }
  loop_.RunForever();
  EXPECT_EQ(sizes, std::vector<size_t>(kStreams, kPieces * kPieceSize));
  EXPECT_EQ(Call(kQuit, ""), "");
  client_.reset();
  serving.join();
}

// Closing a Unix socket with unread bytes resets the other end.
TEST_F(TroublesTest, ConnectionThatIsResetIsForgotten_Go123) {
  StartServer();
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 20; ++i) {
    auto [ours, theirs] = Sockets();
    server_->ServeConnection(std::move(theirs));
    client_ = Client::Over(loop_.io(), std::move(ours));
    auto hanging = client_->Call(kHang, context_, "");
    EXPECT_EQ(Call(kEcho, "x"), "x");
    auto [raw, other] = Sockets();
    server_->ServeConnection(std::move(other));
    RawPeer(std::move(raw)).Send(RawPeer::Request(1, kEcho, "nobody reads the reply"));
    client_.reset();
  }
  AwaitNoConnection();
  EXPECT_EQ(server_->calls(), 0U);
  EXPECT_EQ(OpenDescriptors(), before);
}

// A message that is too long is discarded to its last byte, whatever follows it.
TEST_F(TroublesTest, OversizedMessagesLeaveTheConnectionInStep_Go7_Go171_Rust198) {
  ServerOptions server;
  server.message_size = 1000;
  StartServer(std::move(server));
  // The refused messages have different lengths, so that they end at different offsets of a read.
  std::string bytes;
  uint32_t id = 1;
  for (const size_t size : {1001, 65536, 200001}) {
    bytes += RawPeer::Message(id, MessageType::kRequest, std::string(size, '\x01'));
    bytes += RawPeer::Request(id + 2, kEcho, "in step");
    id += 4;
  }
  const std::vector<std::string> answers = Exchange(bytes, 6);
  EXPECT_EQ(answers, (std::vector<std::string>{
                         "1: message length 1001 exceed maximum message size of 1000",
                         "3: in step",
                         "5: message length 65536 exceed maximum message size of 1000",
                         "7: in step",
                         "9: message length 200001 exceed maximum message size of 1000",
                         "11: in step",
                     }));
}

TEST_F(TroublesTest, OversizedRepliesFailTheirCallOnly_Go7_Go171_Rust198) {
  ClientOptions options;
  options.message_size = 1000;
  RawPeer raw = ConnectToRaw(std::move(options));
  auto first = client_->Call(kEcho, context_, "");
  auto second = client_->Call(kEcho, context_, "");
  raw.Send(RawPeer::Reply(1, std::string(70000, 'x')) + RawPeer::Reply(3, "in step"));
  EXPECT_EQ(Text(loop_.Run(std::move(first))),
            "RESOURCE_EXHAUSTED: message length 70004 exceed maximum message size of 1000");
  EXPECT_EQ(Text(loop_.Run(std::move(second))), "in step");
  EXPECT_EQ(Call(kEcho, std::string(1000, 'x')),
            "RESOURCE_EXHAUSTED: message length 1020 exceed maximum message size of 1000");
  EXPECT_FALSE(client_->closed());
}

Task<std::string> SendEmpties(Client& client, Context& context, int count) {
  auto stream = client.OpenStream(kSizes, context, std::nullopt);
  for (int i = 0; i < count; ++i) {
    if (Status sent = co_await stream->Send(""); !sent.ok()) co_return sent.ToString();
  }
  co_return Text(co_await stream->Finish());
}

Task<std::string> ReceiveSizes(std::unique_ptr<RawClientStream> stream) {
  std::string sizes;
  while (const auto message = co_await stream->Receive())
    sizes += std::to_string(message->size()) + " ";
  co_return sizes + Text(co_await stream->Finish());
}

TEST_F(TroublesTest, EmptyPayloadsAreMessages_Go126_Go157_Rust49_Rust208_Rust221) {
  Connect();
  EXPECT_EQ(Call(kEcho, ""), "");
  EXPECT_EQ(loop_.Run(SendEmpties(*client_, context_, 0)), "");
  EXPECT_EQ(loop_.Run(SendEmpties(*client_, context_, 3)), "0 0 0 ");
  EXPECT_EQ(loop_.Run(ReceiveSizes(client_->OpenStream(kFlood, context_, ""))), "0 ");
  EXPECT_EQ(loop_.Run(ReceiveSizes(client_->OpenStream(kFlood, context_, "1"))), "65536 ");
}

TEST_F(TroublesTest, LastMessageBeforeTheCloseIsDelivered_Rust311) {
  RawPeer raw = ConnectToRaw();
  auto unary = client_->Call(kEcho, context_, "");
  auto stream = ReceiveSizes(client_->OpenStream(kFlood, context_, ""));
  auto lost = client_->Call(kEcho, context_, "");
  raw.Send(RawPeer::Message(3, MessageType::kData, "last", kFlagRemoteClosed) +
           RawPeer::Reply(1, "last"));
  raw.Close();
  EXPECT_EQ(Text(loop_.Run(std::move(lost))), kClosed);
  EXPECT_EQ(Text(loop_.Run(std::move(unary))), "last");
  EXPECT_EQ(loop_.Run(std::move(stream)), "4 ");
}

TEST_F(TroublesTest, ReplyIsSentBeforeTheServerShutsDown_Rust311) {
  Connect();
  const std::string large(3 << 20, 'x');  // more than the socket holds
  auto call = client_->Call(kEcho, context_, large);
  EXPECT_EQ(Call(kQuit, ""), "");
  EXPECT_EQ(Text(loop_.Run(std::move(call))), large);
  AwaitNoConnection();
}

TEST_F(TroublesTest, AcceptingWithoutDescriptorsDoesNotSpin_Libevent71_Libevent581_Rust083) {
  const ::test::TempFolder folder;
  const Address address = *Address::Parse("unix://" + (folder / "s"));
  int told = 0;
  ServerOptions options;
  options.on_trouble = [&](const Status&) { ++told; };
  StartServer(std::move(options));
  ASSERT_EQ(server_->Listen(address), Status());
  client_ = Client::Dial(loop_.io(), address);
  auto call = client_->Call(kEcho, context_, "after all");

  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  Timer enough(loop_.io(), [this] { loop_.Stop(); });
  enough.Start(std::chrono::milliseconds(30));
  loop_.RunForever();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_GE(told, 1);
  EXPECT_LE(told, 5) << "a spinning loop reports each attempt";
  EXPECT_EQ(Text(loop_.Run(std::move(call))), "after all");
}

TEST_F(TroublesTest, ShutdownMayComeBeforeServing) {
  const ::test::TempFolder folder;
  const Address address = *Address::Parse("unix://" + (folder / "s"));
  StartServer();
  ASSERT_EQ(server_->Listen(address), Status());
  client_ = Client::Dial(loop_.io(), address);  // waits to be accepted
  auto call = client_->Call(kEcho, context_, "");
  bool done = false;
  server_->Shutdown(seconds(kDeadlineSeconds), [&done] { done = true; });
  (void)server_->Listen(*Address::Parse("unix://" + (folder / "late")));
  auto [ours, theirs] = Sockets();
  server_->ServeConnection(std::move(theirs));
  EXPECT_EQ(Text(loop_.Run(std::move(call))), kClosed);
  client_ = Client::Over(loop_.io(), std::move(ours));
  EXPECT_EQ(Call(kEcho, ""), kClosed);
  EXPECT_TRUE(done);
  EXPECT_EQ(server_->connections(), 0U);
}

// In Go's client, one stream that nobody reads blocks all others on its connection.
TEST_F(TroublesTest, UnreadStreamDoesNotHoldUpTheOthers) {
  ClientOptions options;
  options.stream_buffer = kPieceSize;
  Connect({}, std::move(options));
  auto unread = client_->OpenStream(kFlood, context_, std::string(100, 'x'));
  EXPECT_EQ(Call(kEcho, "x"), "x");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(loop_.Run(ReceiveSizes(client_->OpenStream(kFlood, context_, "1"))), "65536 ");
    EXPECT_EQ(loop_.Run(SendEmpties(*client_, context_, 1)), "0 ");
  }
  EXPECT_EQ(Text(loop_.Run(unread->Finish())), "RESOURCE_EXHAUSTED: ttrpc: stream buffer full");
}

// Empty messages use memory too. A buffer that counted only their bytes would accept any number of
// them.
TEST_F(TroublesTest, EmptyMessagesFillTheBufferOfAnUnreadStream) {
  ClientOptions options;
  options.stream_buffer = 10'000;
  RawPeer raw = ConnectToRaw(std::move(options));
  auto unread = client_->OpenStream(kFlood, context_, "");
  auto other = client_->Call(kEcho, context_, "");
  std::string empties;
  for (int i = 0; i < 1000; ++i) empties += RawPeer::Message(1, MessageType::kData, "");
  raw.Send(empties + RawPeer::Reply(3, "after them"));
  EXPECT_EQ(Text(loop_.Run(std::move(other))), "after them");
  EXPECT_EQ(Text(loop_.Run(unread->Finish())), "RESOURCE_EXHAUSTED: ttrpc: stream buffer full");
}

TEST_F(TroublesTest, ResetInTheMiddleOfAMessage) {
  RawPeer raw = ConnectToRaw();
  auto call = client_->Call(kEcho, context_, "a request that is not read");
  raw.Send(RawPeer::Reply(1, std::string(1 << 16, 'x')).substr(0, 1000));
  raw.Close();
  EXPECT_EQ(Text(loop_.Run(std::move(call))), kClosed);

  StartServer();
  auto [ours, theirs] = Sockets();
  server_->ServeConnection(std::move(theirs));
  RawPeer peer(std::move(ours));
  peer.Send(RawPeer::Request(1, kHang, "") + RawPeer::Request(3, kEcho, "the reply is not read") +
            RawPeer::Request(5, kEcho, std::string(1 << 16, 'x')).substr(0, 1000));
  Timer close(loop_.io(), [&peer] { peer.Close(); });
  close.Start(std::chrono::milliseconds(1));
  AwaitNoConnection();
  EXPECT_EQ(server_->calls(), 0U);
}

}  // namespace
}  // namespace ttrpc
