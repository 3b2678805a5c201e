// SPDX-License-Identifier: Apache-2.0
//
// Audit lines name the reason why something was refused, denied or ended, and the user. A client
// cannot distinguish some of these cases, so the line must.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kAll = "[audit]\ncalls = \"all\"\n";
const Call kHold = {.method = "Hold"};

class AuditReasonTest : public ProxyTest {
 protected:
  // Returns the first line with this event and reason, or an empty object if none comes in time.
  json WaitFor(const std::string& event, const std::string& reason) {
    const auto lines = daemon_->WaitForLines(1, [&event, &reason](const std::string& line) {
      if (!line.starts_with("{")) return false;
      const json object = json::parse(line, nullptr, false);
      return object.value("event", "") == event && object.value("reason", "") == reason;
    });
    return lines.empty() ? json::object() : json::parse(lines[0]);
  }
};

TEST_F(AuditReasonTest, ARefusedConnectionSaysWhyAndWho) {
  Start({.head = kAll + "[limits]\nconnections_per_user = 1\n"});
  Peer({.uid = 4242, .gid = 77}).ExpectEnd();
  const json stranger = WaitFor("refuse", "not_admitted");
  EXPECT_EQ(stranger.value("uid", -1), 4242);
  std::string comm;
  std::ifstream file("/proc/self/comm");
  std::getline(file, comm);
  EXPECT_EQ(stranger.value("comm", ""), comm);
  EXPECT_FALSE(stranger.contains("peer"));
  EXPECT_FALSE(stranger.contains("limit"));
  EXPECT_FALSE(stranger.contains("user")) << "the uid has no name";

  RawPeer first = Peer();
  ExpectEcho(first, 1);
  Peer().ExpectEnd();
  const json second = WaitFor("refuse", "too_many_connections");
  EXPECT_EQ(second.value("limit", ""), "connections_per_user");
  EXPECT_EQ(second.value("detail", ""), "limit connections_per_user = 1 reached");
  EXPECT_EQ(second.value("user", ""), "root");
}

TEST_F(AuditReasonTest, ADenialSaysWhetherARuleDeniesIt) {
  Start({.head = kAll, .rules = std::string(kDefaultRules) + R"(
[[rule]]
name = "never this"
methods = ["/test.Never/*"]
action = "deny"
)"});
  RawPeer peer = Peer();
  peer.Exchange(Request(1, {.service = "test.Other"}));
  const json none = WaitFor("deny", "no_rule");
  EXPECT_EQ(none.value("stream", 0), 1);
  EXPECT_GT(none.value("peer", 0), 0);
  EXPECT_EQ(none.value("user", ""), "root");
  peer.Exchange(Request(3, {.service = "test.Never"}));
  EXPECT_EQ(WaitFor("deny", "deny_rule").value("rule", ""), "never this");
}

TEST_F(AuditReasonTest, ALimitIsNamed) {
  Start({.head = kAll + "[limits]\ncalls_per_connection = 1\nmessage_size = \"1KiB\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  peer.Exchange(Echo(3));
  const json calls = WaitFor("refuse", "limit");
  EXPECT_EQ(calls.value("limit", ""), "calls_per_connection");
  EXPECT_EQ(calls.value("detail", ""), "limit calls_per_connection = 1 reached");

  RawPeer other = Peer();
  other.Exchange(RawRequest(1, std::string(1025, 'x')));
  const auto lines = daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"limit\":\"message_size\"") != std::string::npos;
  });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("message length 1025 exceed maximum message size of 1024"));
}

TEST_F(AuditReasonTest, WhatCannotBeReadIsMalformed) {
  Start({.head = kAll});
  RawPeer peer = Peer();
  peer.Exchange(RawRequest(1, "\xff"));
  EXPECT_THAT(WaitFor("refuse", "malformed").value("detail", ""),
              HasSubstr("unmarshal request error: "));
}

// The client learns only the name of the backend.
TEST_F(AuditReasonTest, ABackendThatCannotBeReachedSaysWhy) {
  Start({.head = kAll});
  backend_.reset();  // removes its socket, too
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Echo(1)),
              IsStatus(1, StatusCode::kUnavailable, "backend \"back\" cannot be reached"));
  const json line = WaitFor("call", "backend_unreachable");
  EXPECT_EQ(line.value("detail", ""), "unix://" + back_path() + ": No such file or directory");
  EXPECT_EQ(line.value("code", ""), "UNAVAILABLE");
}

TEST_F(AuditReasonTest, ABackendOfSomebodyElseSaysWhose) {
  Start({.head = kAll, .backend = "users = [4242]\n"});
  RawPeer peer = Peer();
  peer.Exchange(Echo(1));
  EXPECT_EQ(WaitFor("call", "backend_owner").value("detail", ""),
            "unix://" + back_path() + ": uid 0 listens there, but it is not in users");
}

TEST_F(AuditReasonTest, ALostBackendSaysSo) {
  Start({.head = kAll});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  backend_->WaitForMessages(0, 1);
  backend_.reset();
  peer.ExpectEnd();
  const json line = WaitFor("call", "backend_lost");
  EXPECT_EQ(line.value("detail", ""), "backend \"back\" disconnected");
  EXPECT_EQ(line.value("method", ""), "Hold");
}

TEST_F(AuditReasonTest, ADeadlineSaysSo) {
  Start({.head = kAll});
  RawPeer peer = Peer();
  peer.Exchange(Request(1, {.method = "Hold", .timeout_nano = 1'000'000}));
  EXPECT_EQ(WaitFor("call", "deadline").value("code", ""), "DEADLINE_EXCEEDED");
}

TEST_F(AuditReasonTest, APeerThatKeepsNoTimeoutSaysSo) {
  Start({.head = kAll + "[timeouts]\nfirst_request = \"10ms\"\n"});
  Peer().ExpectEnd();
  EXPECT_EQ(WaitFor("disconnect", "deadline").value("detail", ""), "timeout first_request expired");
}

// A call that succeeded has no reason.
TEST_F(AuditReasonTest, WhatABackendAnsweredHasNone) {
  Start({.head = kAll});
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  const auto lines = daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"event\":\"call\"") != std::string::npos;
  });
  ASSERT_EQ(lines.size(), 1U);
  const json line = json::parse(lines[0]);
  for (const char* key : {"reason", "limit", "detail"}) EXPECT_FALSE(line.contains(key)) << key;
  EXPECT_EQ(line.value("user", ""), "root");
  EXPECT_EQ(line.value("stream", 0), 1);
}

}  // namespace
}  // namespace integration
