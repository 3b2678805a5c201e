// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-proxyctl (the program that the environment variable TTRPC_PROXYCTL names) derives rules
// from the audit of a run. They allow the same run, and nothing else.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// These rules allow far more than the run needs.
constexpr char kWideRules[] = R"(
[[rule]]
name = "wide"
users = ["*"]
methods = ["/*/*"]
action = "allow"
backend = "back"
streams = true
)";

// Each row is the call of one user.
struct Caller {
  Identity identity;
  std::vector<Call> calls;
};

std::vector<Caller> TheRun() {
  return {{.identity = {.uid = 0, .gid = 0},
           .calls = {{.method = "Do"}, {.service = "test.Other", .method = "Do"}}},
          {.identity = {.uid = 1234, .gid = 99}, .calls = {{.method = "Do"}, {.method = "Do"}}},
          {.identity = {.uid = 65534, .gid = 99}, .calls = {{.method = "Do"}}}};
}

class LearnTest : public ProxyTest {
 protected:
  static std::string Program() {
    const char* program = std::getenv("TTRPC_PROXYCTL");
    EXPECT_NE(program, nullptr);
    return program == nullptr ? "false" : program;
  }
  std::string audit_path() const { return folder_ / "audit.log"; }
  std::string AuditToFile() const {
    return "[audit]\ncalls = \"all\"\ntarget = \"file:" + audit_path() + "\"\n";
  }
  void Stop() {
    daemon_->Signal(SIGTERM);
    EXPECT_EQ(daemon_->WaitForExit(), 0);
  }

  static void ExpectEachCallPasses(const Caller& caller, const std::string& front_path) {
    RawPeer peer(front_path, caller.identity);
    uint32_t stream_id = 1;
    for (const Call& call : caller.calls) {
      EXPECT_EQ(peer.Exchange(Request(stream_id, call)), Response(stream_id, call.payload));
      stream_id += 2;
    }
  }
  // Sends one message, receives one, and closes both sides.
  static void ExpectStreamPasses(RawPeer& peer, const std::string& method) {
    EXPECT_TRUE(peer.Send(
        Encode({Request(1, {.service = "test.Stream", .method = method}, kOpen), CloseStream(1)})));
    EXPECT_EQ(peer.Receive(), CloseStream(1));
  }
  static void ExpectDenied(RawPeer& peer, uint32_t stream_id, const Call& call) {
    EXPECT_THAT(peer.Exchange(Request(stream_id, call)),
                IsStatus(stream_id, StatusCode::kPermissionDenied, HasSubstr("may not call")));
  }
};

// Closes a stream when the peer does, and echoes everything else.
BackendReply CloseOrEcho(const WireMessage& message) {
  if (message.type != kData) return EchoDo(message);
  return {.bytes = Encode(CloseStream(message.stream_id))};
}

TEST_F(LearnTest, TheSameRunPassesUnderWhatWasLearnedAndNothingElse) {
  Start({.head = AuditToFile(),
         .rules = kWideRules + std::string("\n[[rule]]\nname = \"overflow\"\nusers = [65534]\n"
                                           "methods = [\"/*/*\"]\naction = \"allow\"\n"
                                           "backend = \"back\"\n"),
         .server = {.script = CloseOrEcho}});
  for (const Caller& caller : TheRun()) ExpectEachCallPasses(caller, front_path());
  {
    RawPeer peer = Peer({.uid = 1234, .gid = 99});
    ExpectStreamPasses(peer, "Talk");
  }
  Stop();

  const CommandResult learned = RunCommand(
      {.args = {Program(), "learn", "--audit", audit_path(), "--config", config_path()}});
  EXPECT_EQ(learned.status, 0);
  EXPECT_EQ(learned.err, "");
  Start({.head = AuditToFile(), .rules = learned.out, .server = {.script = CloseOrEcho}});
  for (const Caller& caller : TheRun()) ExpectEachCallPasses(caller, front_path());
  {
    RawPeer peer = Peer({.uid = 1234, .gid = 99});
    ExpectStreamPasses(peer, "Talk");
    ExpectDenied(peer, 3, {.service = "test.Other", .method = "Do"});
    ExpectDenied(peer, 5, {.service = "test.Stream", .method = "Hold"});
    EXPECT_THAT(peer.Exchange(Request(7, {.method = "Do"}, kOpen)),
                IsStatus(7, StatusCode::kInvalidArgument, "/test.Unary/Do may not stream"));
  }
  RawPeer root = Peer();
  ExpectDenied(root, 1, {.method = "Hold"});
  ExpectDenied(root, 3, {.service = "test.Stream", .method = "Talk"});
  RawPeer unmapped = Peer({.uid = 65534, .gid = 99});
  ExpectDenied(unmapped, 1, {.service = "test.Other", .method = "Do"});
  RawPeer stranger = Peer({.uid = 1235, .gid = 99});
  stranger.ExpectEnd();
}

TEST_F(LearnTest, ExplainSaysWhatTheDaemonDoes) {
  Start();
  const auto explain = [this](const std::string& method) {
    return RunCommand({.args = {Program(), "explain", "--config", config_path(), "--user", "0",
                                "--method", method}});
  };
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_THAT(explain("/test.Unary/Do").out, StartsWith("allowed: rule \"unary\""));
  ExpectDenied(peer, 3, {.service = "test.Other", .method = "Do"});
  EXPECT_THAT(explain("/test.Other/Do").out, StartsWith("denied: no rule matches"));
}

}  // namespace
}  // namespace integration
