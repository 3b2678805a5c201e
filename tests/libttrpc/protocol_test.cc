// SPDX-License-Identifier: Apache-2.0
//
// Checks libttrpc/PROTOCOL.md against the library: the constants, and the examples, each of which
// is decoded and exchanged byte for byte with a server and a client of the library.
#include <event2/event.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cctype>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/response.h"

namespace ttrpc {
namespace {

using testing::ElementsAre;

struct ExampleMessage {
  bool from_client = false;
  std::string bytes;
  std::vector<std::string> comments;
};

struct Example {
  std::string name;
  std::vector<ExampleMessage> messages;

  // Returns all bytes that one side sends.
  std::string Of(bool client) const {
    std::string all;
    for (const ExampleMessage& message : messages)
      if (message.from_client == client) all += message.bytes;
    return all;
  }
};

std::vector<std::string> Lines() {
  std::ifstream file(PROTOCOL_MD);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string Unhex(const std::string& text) {
  std::string digits;
  for (const char c : text)
    if (std::isspace(static_cast<unsigned char>(c)) == 0) digits += c;
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

void AddLine(const std::string& line, Example* example) {
  if (line == "client" || line == "server") {
    example->messages.push_back({line == "client", "", {}});
    return;
  }
  ExampleMessage& message = example->messages.back();
  const size_t comment = line.find('#');
  message.bytes += Unhex(line.substr(0, comment));
  if (comment != std::string::npos) message.comments.push_back(line.substr(comment + 2));
}

std::vector<Example> Examples() {
  std::vector<Example> examples;
  bool inside = false;
  for (const std::string& line : Lines()) {
    if (line.starts_with("```hex ")) {
      inside = true;
      examples.push_back({line.substr(7), {}});
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      AddLine(line, &examples.back());
    }
  }
  return examples;
}

Example ExampleOf(const std::string& name) {
  for (Example& example : Examples())
    if (example.name == name) return std::move(example);
  ADD_FAILURE() << "no example named " << name;
  return {};
}

std::string Comment(const MessageHeader& header) {
  static const std::map<MessageType, std::string> kNames = {{MessageType::kRequest, "request"},
                                                            {MessageType::kResponse, "response"},
                                                            {MessageType::kData, "data"}};
  std::ostringstream out;
  out << header.length << " bytes, stream " << header.stream_id << ", " << kNames.at(header.type)
      << ", flags 0x0" << int{header.flags};
  return out.str();
}

// Returns the comments that describe a request, in their order.
std::vector<std::string> Comments(const RequestView& request) {
  std::vector<std::string> says = {"service \"" + std::string(request.service) + '"',
                                   "method \"" + std::string(request.method) + '"'};
  if (!request.payload.empty()) says.emplace_back("payload: ");
  if (request.timeout_nano != 0)
    says.push_back("timeout_nano " + std::to_string(request.timeout_nano));
  for (const MetadataEntry& entry : request.metadata)
    says.push_back("metadata \"" + std::string(entry.key) + "\" = \"" + std::string(entry.value) +
                   '"');
  return says;
}

void CheckRequest(std::string_view data, const std::vector<std::string>& comments) {
  RequestView request;
  const Status status = ParseRequest(data, UnknownFieldAction::kRefuse, &request);
  ASSERT_TRUE(status.ok()) << status;
  std::string again(EncodedRequestSize(request), '\0');
  EncodeRequest(request, again.data());
  EXPECT_EQ(again, data) << "the library writes it differently";
  const std::vector<std::string> says = Comments(request);
  ASSERT_EQ(comments.size(), says.size() + 1);
  for (size_t i = 0; i < says.size(); ++i)
    EXPECT_THAT(comments[i + 1], testing::StartsWith(says[i]));
}

void CheckResponse(std::string_view data, const std::vector<std::string>& comments) {
  ResponseView response;
  const Status status = ParseResponse(data, &response);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(comments.size(), 2U);
  if (response.code == StatusCode::kOk) {
    EXPECT_THAT(comments[1], testing::StartsWith("payload: "));
  } else {
    EXPECT_EQ(comments[1], "status: code " + std::to_string(static_cast<int>(response.code)) +
                               ", message \"" + std::string(response.message) + '"');
  }
}

TEST(ProtocolDocumentTest, EachExampleIsWhatItsCommentsSay) {
  size_t messages = 0;
  for (const Example& example : Examples()) {
    for (const ExampleMessage& message : example.messages) {
      SCOPED_TRACE(example.name + ", message " + std::to_string(++messages));
      MessageDecoder decoder(kDefaultMessageSize);
      std::string_view input = message.bytes;
      const MessageDecoder::Decoded decoded = decoder.Next(&input);
      ASSERT_EQ(decoded.event, MessageDecoder::Event::kMessage);
      EXPECT_TRUE(input.empty());
      ASSERT_FALSE(message.comments.empty());
      EXPECT_EQ(message.comments[0], Comment(decoded.header));
      if (decoded.header.type == MessageType::kRequest)
        CheckRequest(decoded.data, message.comments);
      if (decoded.header.type == MessageType::kResponse)
        CheckResponse(decoded.data, message.comments);
    }
  }
  EXPECT_GE(messages, 20U);
}

TEST(ProtocolDocumentTest, ConstantsAreTheLibrarys) {
  std::map<std::string, uint64_t> found;
  for (const std::string& line : Lines()) {
    if (!line.starts_with("| `k")) continue;
    std::istringstream words(line);
    std::string bar;
    std::string name;
    uint64_t value = 0;
    words >> bar >> name >> bar >> value;
    found[name.substr(1, name.size() - 2)] = value;
  }
  const std::map<std::string, uint64_t> expected = {
      {"kMessageHeaderLength", kMessageHeaderLength}, {"kDefaultMessageSize", kDefaultMessageSize},
      {"kMaxMessageSize", kMaxMessageSize},           {"kFlagRemoteClosed", kFlagRemoteClosed},
      {"kFlagRemoteOpen", kFlagRemoteOpen},           {"kFlagNoData", kFlagNoData},
      {"kMaxMetadataEntries", kMaxMetadataEntries},
  };
  EXPECT_EQ(found, expected);
}

// The following services implement the examples on bytes.

const std::string kHelloWorld = "\x0a\x05World";

Task<Status> SayHello(void*, Context&, std::string_view request, ReplySink& reply) {
  if (request.empty()) co_return Status(StatusCode::kInvalidArgument, "nobody to greet");
  co_return reply.WriteBytes("\x0a\x0dHello, World!");
}

Task<Status> CountDown(void*, Context&, RawStream& stream, ReplySink&) {
  std::optional<std::string> request = co_await stream.Receive();
  if (request != "\x08\x02") co_return Status(StatusCode::kInternal, "another request");
  for (const char* line : {"\x0a\x01\x32", "\x0a\x01\x31"})
    if (Status sent = co_await stream.Send(line); !sent.ok()) co_return sent;
  co_return Status();
}

Task<Status> Listen(void*, Context&, RawStream& stream, ReplySink& reply) {
  std::vector<size_t> lengths;
  while (auto message = co_await stream.Receive()) lengths.push_back(message->size());
  if (lengths != std::vector<size_t>{5, 0}) co_return Status(StatusCode::kInternal, "others");
  co_return reply.WriteBytes("\x08\x02\x10\x03");
}

Task<Status> Repeat(void*, Context&, RawStream& stream, ReplySink&) {
  while (auto message = co_await stream.Receive()) {
    if (*message == "\x0a\x04stop") co_return Status(StatusCode::kAborted, "stopped");
    if (Status sent = co_await stream.Send(*message); !sent.ok()) co_return sent;
  }
  co_return stream.status();
}

constexpr MethodInfo kSayHello("example.Greeter", "SayHello");
constexpr MethodInfo kCountDown("example.Chat", "CountDown", false, true);
constexpr MethodInfo kListen("example.Chat", "Listen", true, false);
constexpr MethodInfo kRepeat("example.Chat", "Repeat", true, true);

class ProtocolPlayTest : public testing::Test {
 protected:
  ProtocolPlayTest() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    ours_ = UniqueFd(fds[0]);
    raw_ = UniqueFd(fds[1]);
  }

  void Write(const std::string& bytes) {
    ASSERT_EQ(::send(raw_.get(), bytes.data(), bytes.size(), 0), std::ssize(bytes));
  }

  // Returns all bytes that arrive in more turns of the loop than needed.
  std::string Read() {
    std::string all;
    for (int turn = 0; turn < 20; ++turn) {
      event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
      char buffer[1024];
      const ssize_t n = ::recv(raw_.get(), buffer, sizeof buffer, 0);
      if (n > 0) all.append(buffer, static_cast<size_t>(n));
    }
    return all;
  }

  EventLoop loop_;
  UniqueFd ours_;
  UniqueFd raw_;
};

TEST_F(ProtocolPlayTest, TheServerAnswersAsEachExampleSays) {
  for (const Example& example : Examples()) {
    SCOPED_TRACE(example.name);
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    raw_ = UniqueFd(fds[1]);
    Server server(loop_.io());
    ASSERT_TRUE(server.Register({"example.Greeter", nullptr, {{"SayHello", SayHello}}}).ok());
    ASSERT_TRUE(server
                    .Register({"example.Chat",
                               nullptr,
                               {{"CountDown", false, true, CountDown},
                                {"Listen", true, false, Listen},
                                {"Repeat", true, true, Repeat}}})
                    .ok());
    server.ServeConnection(UniqueFd(fds[0]));
    // The messages are exchanged in the order of the document.
    std::string expected;
    for (const ExampleMessage& message : example.messages) {
      if (!message.from_client) {
        expected += message.bytes;
        continue;
      }
      if (!expected.empty()) {
        EXPECT_EQ(Read(), expected);
        expected.clear();
      }
      Write(message.bytes);
    }
    EXPECT_EQ(Read(), expected);
  }
}

// Calls `method` with `request` and `messages`. The bytes on the wire must be those of the example,
// whose reply the client then gets.
class ProtocolClientTest : public ProtocolPlayTest {
 protected:
  void Play(const Example& example, const MethodInfo& method, std::optional<std::string> request,
            const std::vector<std::string>& messages) {
    client_ = Client::Over(loop_.io(), std::move(ours_));
    stream_ = client_->OpenStream(method, context_, std::move(request));
    for (const std::string& message : messages) {
      const Status sent = loop_.Run(stream_->Send(message));
      EXPECT_TRUE(sent.ok()) << sent;
    }
    if (example.name != "stream that fails") stream_->CloseSend();
    EXPECT_EQ(Read(), example.Of(true));
    Write(example.Of(false));
    Read();
    received_.clear();
    while (true) {
      std::optional<std::string> message = loop_.Run(stream_->Receive());
      if (!message) break;
      received_.push_back(*message);
    }
  }

  Context context_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<RawClientStream> stream_;
  std::vector<std::string> received_;
};

TEST_F(ProtocolClientTest, Unary) {
  const Example example = ExampleOf("unary");
  const auto client = Client::Over(loop_.io(), std::move(ours_));
  auto call = client->Call(kSayHello, context_, kHelloWorld);
  EXPECT_EQ(Read(), example.Of(true));
  Write(example.Of(false));
  const Result<std::string> reply = loop_.Run(std::move(call));
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(*reply, "\x0a\x0dHello, World!");
}

TEST_F(ProtocolClientTest, Error) {
  const Example example = ExampleOf("error");
  const auto client = Client::Over(loop_.io(), std::move(ours_));
  auto call = client->Call(kSayHello, context_, "");
  EXPECT_EQ(Read(), example.Of(true));
  Write(example.Of(false));
  const Result<std::string> reply = loop_.Run(std::move(call));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), Status(StatusCode::kInvalidArgument, "nobody to greet"));
}

TEST_F(ProtocolClientTest, ServerStreaming) {
  Play(ExampleOf("server streaming"), kCountDown, "\x08\x02", {});
  EXPECT_THAT(received_, ElementsAre("\x0a\x01\x32", "\x0a\x01\x31"));
  EXPECT_EQ(stream_->status(), Status());
}

TEST_F(ProtocolClientTest, ClientStreaming) {
  Play(ExampleOf("client streaming"), kListen, std::nullopt, {"\x0a\x03one", ""});
  EXPECT_THAT(received_, ElementsAre());
  const Result<std::string> reply = loop_.Run(stream_->Finish());
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(*reply, "\x08\x02\x10\x03");
}

TEST_F(ProtocolClientTest, Bidirectional) {
  Play(ExampleOf("bidirectional"), kRepeat, std::nullopt, {"\x0a\x03one"});
  EXPECT_THAT(received_, ElementsAre("\x0a\x03one"));
  EXPECT_EQ(stream_->status(), Status());
}

TEST_F(ProtocolClientTest, StreamThatFails) {
  Play(ExampleOf("stream that fails"), kRepeat, std::nullopt, {"\x0a\x04stop"});
  EXPECT_THAT(received_, ElementsAre());
  EXPECT_EQ(stream_->status(), Status(StatusCode::kAborted, "stopped"));
}

}  // namespace
}  // namespace ttrpc
