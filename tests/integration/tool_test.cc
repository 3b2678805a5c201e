// SPDX-License-Identifier: Apache-2.0
//
// The `ttrpc` command (the program that the environment variable TTRPC names), used through the
// daemon.
#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/proxy_test.h"

namespace integration {
namespace {

// Echoes messages of a stream, and closes when the peer does.
BackendReply EchoStream(const WireMessage& message) {
  if (message.type != kData) return EchoDo(message);
  if ((message.flags & kNoData) == 0)
    return {.bytes = Encode(Data(message.stream_id, message.data))};
  return {.bytes = Encode(CloseStream(message.stream_id))};
}

class ToolTest : public ProxyTest {
 protected:
  CommandResult Call(const std::string& method, const std::vector<std::string>& more) const {
    const char* program = std::getenv("TTRPC");
    EXPECT_NE(program, nullptr);
    if (program == nullptr) return {};
    Command command = {.args = {program, "call", "unix://" + front_path(), method, "--raw"}};
    command.args.insert(command.args.end(), more.begin(), more.end());
    return RunCommand(command);
  }
  static void Expect(const CommandResult& result, int status, const std::string& out,
                     const std::string& err) {
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.out, out);
    EXPECT_EQ(result.err, err);
  }
};

TEST_F(ToolTest, UnaryCallsAreForwarded) {
  Start();
  Expect(Call("test.Unary/Do", {"-d", "hello"}), 0, "hello", "");
  Expect(Call("test.Unary/Do", {}), 0, "", "");
}

TEST_F(ToolTest, StreamsAreForwarded) {
  Start({.server = {.script = EchoStream}});
  const std::string messages = "\x03one\x03two";
  Expect(Call("test.Stream/Talk", {"--stream", "both", "-d", messages}), 0, messages,
         "ttrpc: warning: some servers in Go crash if Talk does not take a stream; --proto or "
         "--descriptor-set prevents this\n");
}

TEST_F(ToolTest, WhatTheDaemonDeniesIsTold) {
  Start();
  Expect(Call("test.Other/Do", {}), 107, "",
         "PERMISSION_DENIED: uid 0 may not call /test.Other/Do\n");
}

// The daemon disconnects this user before it reads a byte, so it cannot send a reason.
TEST_F(ToolTest, AUserWhoIsNotAdmittedIsToldWhatItMayBe) {
  Start({.rules = ""});
  Expect(Call("test.Unary/Do", {}), 114, "",
         "UNAVAILABLE: ttrpc: closed before an answer; the server may not admit this user\n");
}

TEST_F(ToolTest, TimeoutsEndCalls) {
  Start({.server = {.script = Silent}});
  const CommandResult result = Call("test.Unary/Do", {"--timeout", "50ms"});
  EXPECT_EQ(result.status, 104);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "DEADLINE_EXCEEDED: context deadline exceeded\n");
}

}  // namespace
}  // namespace integration
