// SPDX-License-Identifier: Apache-2.0
//
// The `ttrpc` command as users run it: the real program with a real server.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <thread>

#include "chat.pb.h"
#include "chat_server.h"
#include "splitter.h"
#include "tool_process.h"
#include "tool_testing.h"
#include "ttrpc/address.h"

namespace ttrpc::tool {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ToolCallTest : public SchemaTest {
 protected:
  ToolCallTest() : server_(socket()) { folder_.Write("chat.proto", ChatProto()); }

  std::string socket() const { return folder_ / "chat.sock"; }

  std::vector<std::string> Args(const std::string& method,
                                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"call",    "unix://" + socket(),   "example.Chat/" + method,
                                     "--proto", folder_ / "chat.proto", "--compact"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::vector<std::string> RawArgs(const std::string& method,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"call", "unix://" + socket(), "example.Chat/" + method,
                                     "--raw"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  ToolResult Call(const std::string& method, const std::vector<std::string>& more = {},
                  const std::string& input = "") const {
    return RunTool(Args(method, more), input);
  }
  static void Expect(const ToolResult& result, int status, const std::string& out,
                     const std::string& err) {
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.out, out);
    EXPECT_EQ(result.err, err);
  }

  ChatServer server_;
};

TEST_F(ToolCallTest, Unary) {
  Expect(Call("Say", {"-d", R"({"text":"hi","number":"7"})"}), 0,
         "{\"text\":\"hi\",\"number\":\"7\"}\n", "");
  Expect(Call("Say"), 0, "{}\n", "");
  Expect(Call("Say", {"-d", "{}"}), 0, "{}\n", "");
  Expect(Call("Say", {"-d", "-"}), 0, "{}\n", "");
}

TEST_F(ToolCallTest, RepliesAreIndentedUnlessCompact) {
  Expect(RunTool({"call", "unix://" + socket(), "example.Chat.Say", "-d", R"({"replyTo":"a"})",
                  "--proto-names", "-I", folder_.path(), "--proto", "chat.proto"}),
         0, "{\n \"reply_to\": \"a\"\n}\n", "");
}

TEST_F(ToolCallTest, TheRequestMayComeFromAFileOrAPipe) {
  const std::string file = folder_.Write("note.json", "{\"text\":\n\"from a file\"}\n");
  Expect(Call("Say", {"-d", "@" + file}), 0, "{\"text\":\"from a file\"}\n", "");
  Expect(Call("Say", {"-d", "-"}, "{\"text\":\"piped\"}"), 0, "{\"text\":\"piped\"}\n", "");
  Expect(Call("Say", {"-d", "@"}, "{\"text\":\"piped\"}"), 0, "{\"text\":\"piped\"}\n", "");
  Expect(Call("Say", {"-d", "@/dev/null"}), 0, "{}\n", "");
  const std::string none = folder_ / "none";
  Expect(Call("Say", {"-d", "@" + none}), 65, "",
         "ttrpc: " + none + ": No such file or directory\n");
  Expect(Call("Say", {"-d", "@" + folder_.path()}), 65, "",
         "ttrpc: " + folder_.path() + ": Is a directory\n");
}

TEST_F(ToolCallTest, AByteOrderMarkBeforeJsonIsSkipped) {
  const std::string json = "\xEF\xBB\xBF{\"text\":\"marked\"}";
  const std::string file = folder_.Write("note.json", json);
  Expect(Call("Say", {"-d", "@" + file}), 0, "{\"text\":\"marked\"}\n", "");
  Expect(Call("Say", {"-d", "-"}, json), 0, "{\"text\":\"marked\"}\n", "");
}

TEST_F(ToolCallTest, UnknownFieldsAreIgnoredOnRequest) {
  Expect(Call("Say", {"-d", R"({"text":"hi","txt":1})"}), 65, "",
         "ttrpc: message 1: txt: Cannot find field.\n");
  Expect(Call("Say", {"--allow-unknown-fields", "-d",
                      R"({"text":"hi","txt":{"a":[1]},"mood":"MOOD_ODD"})"}),
         0, "{\"text\":\"hi\"}\n", "");
}

TEST_F(ToolCallTest, ADescriptorSetFromStandardInput) {
  google::protobuf::FileDescriptorSet set;
  LoadChat()->pool().FindFileByName("chat.proto")->CopyTo(set.add_file());
  Expect(RunTool({"list", "--descriptor-set", "-"}, set.SerializeAsString()), 0, "example.Chat\n",
         "");
  Expect(RunTool({"call", "unix://" + socket(), "example.Chat/Say", "--compact", "--descriptor-set",
                  "-", "-d", R"({"text":"hi"})"},
                 set.SerializeAsString()),
         0, "{\"text\":\"hi\"}\n", "");
  Expect(RunTool({"list", "--descriptor-set", "-"}, "text"), 65, "",
         "standard input: error: not a descriptor set; write one with protoc -o\n");
}

TEST_F(ToolCallTest, ServerStreaming) {
  Expect(Call("Count", {"-d", R"({"number":3})"}), 0,
         "{\"number\":\"1\"}\n{\"number\":\"2\"}\n{\"number\":\"3\"}\n", "");
  Expect(Call("Count"), 0, "", "");
  Expect(Call("Count", {"-d", R"({"number":1,"text":"fail"})"}), 110, "{\"number\":\"1\"}\n",
         "ABORTED: as asked\n");
}

TEST_F(ToolCallTest, ClientStreaming) {
  Expect(Call("Sum", {"-d", R"({"number":1}{"number":2} {"number":40})"}), 0,
         "{\"number\":\"43\"}\n", "");
  Expect(Call("Sum"), 0, "{}\n", "");
  Expect(Call("Sum", {"-d", "-"}, "{\"number\":1}\n\n{\"number\":2}\n"), 0, "{\"number\":\"3\"}\n",
         "");
}

TEST_F(ToolCallTest, AReplyThatComesEarlyIsNotHeldUpByTheInput) {
  ToolProcess process(Args("Sum", {"-d", "-"}));
  process.Write(R"({"number":5,"text":"stop"})");
  EXPECT_EQ(process.ReadLine(), "{\"number\":\"5\"}");
  Expect(process.Wait(), 0, "", "");
}

TEST_F(ToolCallTest, AConversationGoesOnWhileTheInputIsOpen) {
  ToolProcess process(Args("Talk", {"-d", "-"}));
  for (const char* text : {"one", "two", "three"}) {
    const std::string note = "{\"text\":\"" + std::string(text) + "\"}";
    process.Write(note);
    EXPECT_EQ(process.ReadLine(), note);
  }
  process.CloseInput();
  Expect(process.Wait(), 0, "", "");
}

TEST_F(ToolCallTest, AValueMayComeInPieces) {
  ToolProcess process(Args("Talk", {"-d", "-"}));
  process.Write("{\"text\":\"first\"}{\"text\":");
  EXPECT_EQ(process.ReadLine(), "{\"text\":\"first\"}");
  process.Write("\"second\"}");
  EXPECT_EQ(process.ReadLine(), "{\"text\":\"second\"}");
  process.CloseInput();
  Expect(process.Wait(), 0, "", "");
}

TEST_F(ToolCallTest, TheEndOfTheCallEndsTheProgramThoughTheInputIsOpen) {
  ToolProcess process(Args("Talk", {"-d", "-"}));
  process.Write("{\"text\":\"bye\"}");
  Expect(process.Wait(), 0, "", "");
  ToolProcess failing(Args("Talk", {"-d", "-"}));
  failing.Write("{\"text\":\"fail\"}");
  Expect(failing.Wait(), 115, "", "DATA_LOSS: as asked\n");
}

TEST_F(ToolCallTest, ManyMessagesBothWays) {
  std::string notes;
  for (int i = 1; i <= 3000; ++i) {
    notes +=
        "{\"text\":\"" + std::string(300, 'x') + "\",\"number\":\"" + std::to_string(i) + "\"}\n";
  }
  const ToolResult result = Call("Talk", {"-d", "-"}, notes);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(result.out == notes);
}

TEST_F(ToolCallTest, AMethodThatTakesOneMessageRefusesMore) {
  for (const char* method : {"Say", "Count"}) {
    Expect(Call(method, {"-d", "{}{}"}), 65, "",
           "ttrpc: the input has several messages; this method takes one\n");
  }
}

TEST_F(ToolCallTest, BadInputIsTold) {
  Expect(Call("Say", {"-d", "{\"txt\":1}"}), 65, "", "ttrpc: message 1: txt: Cannot find field.\n");
  Expect(Call("Say", {"-d", "5"}), 65, "",
         "ttrpc: message 1: the whole value: Root element must be a message.\n");
  Expect(Call("Say", {"-d", "{\"text\":"}), 65, "",
         "ttrpc: message 1: incomplete at the end of the input\n");
  Expect(Call("Say", {"-d", R"({"text" 1})"}), 65, "",
         "ttrpc: message 1: Expected : between key:value pair.\n  {\"text\" 1}\n          ^\n");
  ToolProcess process(Args("Talk", {"-d", "-"}));
  process.Write("{\"text\":\"a\"}");
  EXPECT_EQ(process.ReadLine(), "{\"text\":\"a\"}");
  process.Write("{\"txt\":1}");
  Expect(process.Wait(), 65, "", "ttrpc: message 2: txt: Cannot find field.\n");
}

TEST_F(ToolCallTest, ABadValueInAReplyIsMarkedAndReported) {
  constexpr char kPause[] =
      R"("pause":{"@invalid":"seconds 400000000000 and nanos 0 are not a valid Duration",)"
      R"("@value":"CIDA7o7SCw=="}})";
  const std::string reported =
      "ttrpc: reply: pause: seconds 400000000000 and nanos 0 are not a valid Duration\n";
  Expect(Call("Say", {"-d", R"({"text":"bad pause"})"}), 65,
         std::string("{\"text\":\"bad pause\",") + kPause + "\n", reported);
  // The stream goes on.
  Expect(Call("Count", {"-d", R"({"number":2,"text":"bad pause"})"}), 65,
         std::string("{\"number\":\"1\",") + kPause + "\n{\"number\":\"2\"," + kPause + "\n",
         reported + reported);
}

TEST_F(ToolCallTest, AStatusComesWithItsDetails) {
  Expect(Call("Fail", {"-d", R"({"code":7,"message":"not you"})"}), 107, "",
         "PERMISSION_DENIED: not you\n"
         "  {\"@type\":\"type.googleapis.com/example.Fault\",\"code\":7,\"message\":\"not you\"}\n"
         "  {\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"3s\"}\n"
         "  {\"@type\":\"no.Such\",\"@value\":\"Af8=\"}\n");
}

TEST_F(ToolCallTest, AStatusAsJson) {
  Expect(Call("Fail", {"--json", "-d", R"({"code":5,"message":"a \"b\""})"}), 105, "",
         "{\n"
         " \"code\": 5,\n"
         " \"status\": \"NOT_FOUND\",\n"
         " \"message\": \"a \\\"b\\\"\",\n"
         " \"details\": [\n"
         "  {\"@type\":\"type.googleapis.com/example.Fault\",\"code\":5,\"message\":\"a "
         "\\\"b\\\"\"},\n"
         "  {\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"3s\"},\n"
         "  {\"@type\":\"no.Such\",\"@value\":\"Af8=\"}\n"
         " ]\n"
         "}\n");
  Expect(Call("Count", {"--json", "-d", R"({"text":"fail"})"}), 110, "",
         "{\n \"code\": 10,\n \"status\": \"ABORTED\",\n \"message\": \"as asked\"\n}\n");
}

TEST_F(ToolCallTest, EachCodeHasItsExitStatus) {
  for (int code = 1; code <= 16; ++code) {
    EXPECT_EQ(Call("Fail", {"-d", "{\"code\":" + std::to_string(code) + "}"}).status, 100 + code);
  }
  const ToolResult odd = Call("Fail", {"-d", R"({"code":4711,"message":"odd"})"});
  EXPECT_EQ(odd.status, 102);
  EXPECT_THAT(odd.err, StartsWith("CODE_4711: odd\n"));
}

TEST_F(ToolCallTest, AMessageThatATerminalWouldObeyIsShownInstead) {
  const ToolResult result = Call("Fail", {"-d", R"({"code":2,"message":"\u001b[2J"})"});
  EXPECT_THAT(result.err, StartsWith("UNKNOWN: \\x1b[2J\n"));
  EXPECT_EQ(result.err.find('\x1b'), std::string::npos);
}

TEST_F(ToolCallTest, MethodsThatNobodyHas) {
  Expect(
      Call("Shout"), 65, "",
      "ttrpc: service \"example.Chat\" has no method \"Shout\"; use Say, Count, Sum, Talk, Fail\n");
  Expect(RunTool(RawArgs("Shout")), 112, "", "UNIMPLEMENTED: method Shout\n");
}

TEST_F(ToolCallTest, Metadata) {
  Expect(Call("Say", {"-d", R"({"text":"metadata"})", "--metadata", "a=1", "--metadata", "Key=x=y",
                      "--metadata", "a="}),
         0, "{\"text\":\"a=1;key=x=y;a=;\"}\n", "");
}

TEST_F(ToolCallTest, Timeout) {
  Expect(Call("Say", {"-d", R"({"text":"hang"})", "--timeout", "50ms"}), 104, "",
         "DEADLINE_EXCEEDED: context deadline exceeded\n");
  // The input is open and empty.
  ToolProcess process(Args("Talk", {"-d", "-", "--timeout", "50ms"}));
  Expect(process.Wait(), 104, "", "DEADLINE_EXCEEDED: context deadline exceeded\n");
}

TEST_F(ToolCallTest, MessagesThatAreTooLong) {
  Expect(Call("Say", {"-d", R"({"text":"long","number":2000})", "--max-message-size", "1KiB"}), 108,
         "", "RESOURCE_EXHAUSTED: message length 2009 exceed maximum message size of 1024\n");
  const ToolResult sent =
      Call("Say", {"-d", "-"}, "{\"text\":\"" + std::string(5U << 20, 'x') + "\"}");
  EXPECT_EQ(sent.status, 108);
  EXPECT_THAT(sent.err, HasSubstr("RESOURCE_EXHAUSTED: message length 5242"));
  const ToolResult streamed =
      Call("Talk", {"-d", "-"}, "{\"text\":\"" + std::string(5U << 20, 'x') + "\"}");
  EXPECT_EQ(streamed.status, 108);
  EXPECT_THAT(streamed.err, HasSubstr("RESOURCE_EXHAUSTED: message length 5242"));
}

TEST_F(ToolCallTest, AServerThatIsNotThere) {
  const std::string none = folder_ / "none.sock";
  std::vector<std::string> args = Args("Say");
  args[1] = "unix://" + none;
  Expect(RunTool(args), 69, "",
         "ttrpc: cannot connect: unix://" + none + ": No such file or directory\n");
  args[1] = "hvsock://" + none + ":1";
  Expect(RunTool(args), 69, "",
         "ttrpc: cannot connect: hvsock://" + none + ":1: No such file or directory\n");
  // An open input does not delay the error.
  args[2] = "example.Chat/Talk";
  args.insert(args.end(), {"-d", "-"});
  ToolProcess process(args);
  EXPECT_EQ(process.Wait().status, 69);
}

// Accepts one connection and closes it as soon as anything is received.
class Closer {
 public:
  explicit Closer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress address = Address::Parse("unix://" + path)->ToSocketAddress();
    EXPECT_EQ(::bind(fd_.get(), address.get(), address.length), 0);
    EXPECT_EQ(::listen(fd_.get(), 1), 0);
    thread_ = std::thread([this] {
      const UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char byte = 0;
      EXPECT_EQ(::read(peer.get(), &byte, 1), 1);
    });
  }
  ~Closer() { thread_.join(); }
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;

 private:
  UniqueFd fd_;
  std::thread thread_;
};

constexpr char kClosedBeforeAnAnswer[] =
    "UNAVAILABLE: ttrpc: closed before an answer; the server may not admit this user\n";

TEST_F(ToolCallTest, AServerThatGoesAwayIsUnavailable) {
  const Closer closer(folder_ / "closer.sock");
  std::vector<std::string> args = Args("Say");
  args[1] = "unix://" + (folder_ / "closer.sock");
  Expect(RunTool(args), 114, "", kClosedBeforeAnAnswer);
}

TEST_F(ToolCallTest, AServerThatGoesAwayIsUnavailableAlsoAsJson) {
  const Closer closer(folder_ / "closer.sock");
  std::vector<std::string> args = Args("Say", {"--json"});
  args[1] = "unix://" + (folder_ / "closer.sock");
  const ToolResult result = RunTool(args);
  EXPECT_EQ(result.status, 114);
  EXPECT_THAT(result.err, HasSubstr("\"message\": \"ttrpc: closed before an answer; the server may "
                                    "not admit this user\""));
}

// Answers the first message of one connection with one message, then closes.
class OneAnswer {
 public:
  explicit OneAnswer(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress address = Address::Parse("unix://" + path)->ToSocketAddress();
    EXPECT_EQ(::bind(fd_.get(), address.get(), address.length), 0);
    EXPECT_EQ(::listen(fd_.get(), 1), 0);
    thread_ = std::thread([this] {
      const UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char message[64];
      EXPECT_GT(::read(peer.get(), message, sizeof message), 0);
      // The message is data for stream 1, which stays open.
      constexpr std::string_view kData("\0\0\0\2\0\0\0\1\3\0\x10\1", 12);
      EXPECT_EQ(::write(peer.get(), kData.data(), kData.size()), 12);
    });
  }
  ~OneAnswer() { thread_.join(); }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;

 private:
  UniqueFd fd_;
  std::thread thread_;
};

TEST_F(ToolCallTest, AServerThatHasAnsweredAdmitsUs) {
  const OneAnswer server(folder_ / "one.sock");
  std::vector<std::string> args = Args("Count");
  args[1] = "unix://" + (folder_ / "one.sock");
  Expect(RunTool(args), 114, "{\"number\":\"1\"}\n", "UNAVAILABLE: ttrpc: closed\n");
}

TEST_F(ToolCallTest, HelpThatCannotBePrintedIsAFailure) {
  const std::string schema = " --proto " + (folder_ / "chat.proto");
  for (const std::string& words : std::vector<std::string>{
           "--version", "--help", "call --help", "list" + schema, "list example.Chat" + schema,
           "describe" + schema, "call unix://" + socket() + " example.Chat/Say -d {}" + schema}) {
    Expect(RunToolOntoFullDevice(words), 74, "",
           "ttrpc: standard output: No space left on device\n");
  }
}

TEST_F(ToolCallTest, RawUnary) {
  example::Note note;
  note.set_text(std::string("a\0\n", 3));
  note.set_number(-1);
  const std::string bytes = note.SerializeAsString();
  Expect(RunTool(RawArgs("Say", {"-d", "-"}), bytes), 0, bytes, "");
  Expect(RunTool(RawArgs("Say", {"-d", "@" + folder_.Write("note", bytes)})), 0, bytes, "");
  Expect(RunTool(RawArgs("Say", {"-d", "\x0a\x01z"})), 0, "\x0a\x01z", "");
  Expect(RunTool(RawArgs("Say")), 0, "", "");
}

TEST_F(ToolCallTest, RawStreams) {
  std::string one;
  std::string two;
  AppendDelimited("\x10\x01", &one);
  AppendDelimited("\x10\x02", &two);
  const auto warning = [](const std::string& method) {
    return "ttrpc: warning: some servers in Go crash if " + method +
           " does not take a stream; --proto or --descriptor-set prevents this\n";
  };
  Expect(RunTool(RawArgs("Talk", {"--stream", "both", "-d", "-"}), one + two), 0, one + two,
         warning("Talk"));
  Expect(RunTool(RawArgs("Sum", {"--stream", "client", "-d", "-"}), one + two), 0, "\x10\x03",
         warning("Sum"));
  // The client sends nothing after the request.
  Expect(RunTool(RawArgs("Count", {"--stream", "server", "-d", "\x10\x02"})), 0, one + two, "");
  Expect(RunTool(RawArgs("Talk", {"--stream", "both", "-d", "\x05zz"})), 65, "",
         warning("Talk") + "ttrpc: message 1: incomplete at the end of the input\n");
}

TEST_F(ToolCallTest, ASignalEndsItAndWhatWasPrintedIsWhole) {
  ToolProcess process(Args("Talk", {"-d", "-"}));
  process.Write("{\"text\":\"a\"}");
  EXPECT_EQ(process.ReadLine(), "{\"text\":\"a\"}");
  process.Signal(SIGINT);
  Expect(process.Wait(), 128 + SIGINT, "", "");
}

TEST_F(ToolCallTest, NobodyReadsStandardOutput) {
  ToolProcess process(Args("Talk", {"-d", "-"}));
  process.CloseOutput();
  process.Write("{}");
  Expect(process.Wait(), 128 + SIGPIPE, "", "");
  ToolProcess ignoring(Args("Talk", {"-d", "-"}), /*ignores_sigpipe=*/true);
  ignoring.CloseOutput();
  ignoring.Write("{}");
  Expect(ignoring.Wait(), 74, "", "ttrpc: standard output: Broken pipe\n");
}

TEST_F(ToolCallTest, BadSchemasAndLooks) {
  const std::string bad =
      folder_.Write("bad.proto", "syntax = \"proto3\";\nmessage M { X x = 1; }\n");
  Expect(RunTool({"list", "--proto", bad}), 65, "", bad + ":2:13: error: \"X\" is not defined.\n");
  const std::string chat = folder_ / "chat.proto";
  Expect(RunTool({"list", "--proto", chat}), 0, "example.Chat\n", "");
  Expect(RunTool({"describe", "example.Fault", "--proto", chat}), 0,
         "message Fault {\n  int32 code = 1;\n  string message = 2;\n}\n", "");
  Expect(RunTool({"describe", "nothing", "--proto", chat}), 65, "",
         "ttrpc: the schema does not define \"nothing\"; list its services with ttrpc list\n");
  EXPECT_EQ(RunTool({"call"}).status, 64);
}

}  // namespace
}  // namespace ttrpc::tool
