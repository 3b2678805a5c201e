// SPDX-License-Identifier: Apache-2.0
//
// Audit lines: which events write one, when, and what it contains.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using nlohmann::json;
using ::testing::MatchesRegex;

const Call kHold = {.method = "Hold"};
const Call kDenied = {.service = "test.Denied", .method = "Do"};

bool IsAuditLine(const std::string& line) { return line.starts_with("{"); }

class AuditTest : public ProxyTest {
 protected:
  void StartWithAudit(const std::string& keys, const std::string& more_rules = "") {
    Start({.head = "[audit]\n" + keys, .rules = more_rules + kDefaultRules});
  }

  // Waits for `count` lines with this event and returns all of them. The log's own lines are text.
  std::vector<json> WaitForEvents(const std::string& event, size_t count) {
    const auto lines = daemon_->WaitForLines(count, [&event](const std::string& line) {
      return IsAuditLine(line) && json::parse(line, nullptr, false).value("event", "") == event;
    });
    std::vector<json> events;
    events.reserve(lines.size());
    for (const std::string& line : lines) events.push_back(json::parse(line));
    return events;
  }

  json WaitForEvent(const std::string& event) {
    const std::vector<json> events = WaitForEvents(event, 1);
    return events.empty() ? json::object() : events[0];
  }

  // Ends the daemon. Returns the events of all lines.
  std::vector<std::string> EventsInAll() {
    daemon_->Signal(SIGTERM);
    EXPECT_EQ(daemon_->WaitForExit(), 0);
    std::vector<std::string> events;
    std::istringstream log(daemon_->log());
    for (std::string line; std::getline(log, line);) {
      if (IsAuditLine(line)) events.push_back(json::parse(line).value("event", ""));
    }
    return events;
  }

  static void ExpectDenied(RawPeer& peer, const Call& call = kDenied) {
    EXPECT_THAT(peer.Exchange(Request(1, call)),
                IsStatus(1, StatusCode::kPermissionDenied, ::testing::_));
  }
};

TEST_F(AuditTest, CallIsOneLineAtItsEnd) {
  StartWithAudit("calls = \"all\"\n");
  RawPeer peer = Peer({.uid = 0, .gid = 4321});
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(peer.Exchange(Request(
                1, {.payload = std::string(100, 'x'), .metadata = {{"traceparent", trace}}})),
            Response(1, std::string(100, 'x')));
  const json line = WaitForEvent("call");
  EXPECT_THAT(line.value("time", ""),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}"
                           "(Z|[+-][0-9]{2}:[0-9]{2})"));
  EXPECT_EQ(line.value("listener", ""), "front");
  EXPECT_EQ(line.value("pid", 0), ::getpid());
  EXPECT_EQ(line.value("uid", -1), 0);
  EXPECT_EQ(line.value("gid", -1), 4321);
  EXPECT_EQ(line.value("service", ""), "test.Unary");
  EXPECT_EQ(line.value("method", ""), "Do");
  EXPECT_EQ(line.value("kind", ""), "unary");
  EXPECT_EQ(line.value("rule", ""), "unary");
  EXPECT_EQ(line.value("enforced", false), true);
  EXPECT_EQ(line.value("backend", ""), "back");
  EXPECT_EQ(line.value("code", ""), "OK");
  EXPECT_EQ(line.value("traceparent", ""), trace);
  EXPECT_GE(line.value("duration_us", -1), 0);
  EXPECT_GE(line.value("request_bytes", 0), 100);
  EXPECT_GE(line.value("response_bytes", 0), 100);
}

TEST_F(AuditTest, CodeIsWhatThePeerGot) {
  StartWithAudit("calls = \"all\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  backend_->WaitForMessages(0, 1);
  backend_->Send(0, StatusResponse(1, 5, "no such thing"));
  peer.Receive();
  EXPECT_EQ(WaitForEvent("call").value("code", ""), "NOT_FOUND");
  EXPECT_THAT(peer.Exchange(Request(3, {.method = "Hold", .timeout_nano = 1'000'000})),
              IsStatus(3, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  const std::vector<json> lines = WaitForEvents("call", 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].value("code", ""), "DEADLINE_EXCEEDED");
}

TEST_F(AuditTest, StreamIsOneLine) {
  StartWithAudit("calls = \"all\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Request(1, {.service = "test.Stream", .method = "Hold"}, kOpen),
                                Data(1, std::string(50, 'x')), CloseStream(1)})));
  backend_->WaitForMessages(0, 3);
  backend_->Send(0, Encode({Data(1, std::string(70, 'x')), CloseStream(1)}));
  peer.Receive();
  const json line = WaitForEvent("call");
  EXPECT_EQ(line.value("kind", ""), "stream");
  EXPECT_EQ(line.value("code", ""), "OK");
  EXPECT_GE(line.value("request_bytes", 0), 50);
  EXPECT_GE(line.value("response_bytes", 0), 70);
  peer.Close();
  WaitForEvent("disconnect");
  EXPECT_EQ(EventsInAll(), (std::vector<std::string>{"connect", "call", "disconnect"}));
}

TEST_F(AuditTest, ConnectAndDisconnectNameThePeer) {
  StartWithAudit("calls = \"all\"\n");
  {
    const RawPeer peer = Peer({.uid = 0, .gid = 77});
    const json line = WaitForEvent("connect");
    EXPECT_EQ(line.value("uid", -1), 0);
    EXPECT_EQ(line.value("gid", -1), 77);
    EXPECT_EQ(line.value("listener", ""), "front");
  }
  EXPECT_EQ(WaitForEvent("disconnect").value("gid", -1), 77);
}

TEST_F(AuditTest, DenialIsOneLineAtOnce) {
  StartWithAudit("calls = \"denied\"\n", R"(
[[rule]]
name = "never this"
methods = ["/test.Never/*"]
action = "deny"
)");
  RawPeer peer = Peer();
  ExpectDenied(peer);
  json line = WaitForEvent("deny");
  EXPECT_EQ(line.value("uid", -1), 0);
  EXPECT_EQ(line.value("service", ""), "test.Denied");
  EXPECT_EQ(line.value("method", ""), "Do");
  EXPECT_EQ(line.value("code", ""), "PERMISSION_DENIED");
  EXPECT_EQ(line.value("enforced", true), true);
  EXPECT_FALSE(line.contains("rule")) << "no rule matched";
  ExpectDenied(peer, {.service = "test.Never"});
  EXPECT_EQ(WaitForEvents("deny", 2).at(1).value("rule", ""), "never this");
}

TEST_F(AuditTest, RefusedConnectionIsOneLineAtOnce) {
  StartWithAudit("calls = \"denied\"\n");
  RawPeer stranger = Peer({.uid = 4242, .gid = 77});
  stranger.ExpectEnd();
  const json line = WaitForEvent("refuse");
  EXPECT_EQ(line.value("uid", -1), 4242);
  EXPECT_EQ(line.value("gid", -1), 77);
  EXPECT_EQ(line.value("pid", -1), ::getpid());
  EXPECT_EQ(line.value("listener", ""), "front");
}

TEST_F(AuditTest, RefusedMessagesAreLinesAtOnce) {
  StartWithAudit("calls = \"denied\"\n[limits]\nmessage_size = \"1KiB\"\n");
  RawPeer peer = Peer();
  const std::vector<std::pair<WireMessage, std::string>> refused = {
      {Echo(2), "INVALID_ARGUMENT"},
      {RawRequest(1, "\xff"), "INVALID_ARGUMENT"},
      {Request(1, {.service = "a b"}), "INVALID_ARGUMENT"},
      {Request(1, Call(), kOpen), "INVALID_ARGUMENT"},
      {Data(1, "x"), "INVALID_ARGUMENT"},
      {RawRequest(1, std::string(1025, 'x')), "RESOURCE_EXHAUSTED"}};
  for (size_t i = 0; i < refused.size(); ++i) {
    EXPECT_TRUE(peer.Exchange(refused[i].first).has_value());
    const std::vector<json> lines = WaitForEvents("refuse", i + 1);
    ASSERT_EQ(lines.size(), i + 1);
    EXPECT_EQ(lines[i].value("code", ""), refused[i].second);
  }
}

// The line of refused data must name the call, whichever kind of call it was.
TEST_F(AuditTest, RefusedDataNamesItsCall) {
  StartWithAudit("calls = \"denied\"\n");
  RawPeer peer = Peer();
  for (uint32_t id = 1; id < 6; id += 2) {  // the second and the third reuse memory of the first
    EXPECT_TRUE(peer.Send(Request(id, kHold)));
    EXPECT_THAT(peer.Exchange(Data(id, "x")),
                IsStatus(id, StatusCode::kInvalidArgument, "StreamID is no longer active"));
    const std::vector<json> lines = WaitForEvents("refuse", id / 2 + 1);
    ASSERT_EQ(lines.size(), id / 2 + 1);
    EXPECT_EQ(lines.back().value("service", ""), "test.Unary");
    EXPECT_EQ(lines.back().value("method", ""), "Hold");
    EXPECT_EQ(lines.back().value("kind", ""), "unary");
    EXPECT_EQ(lines.back().value("rule", ""), "unary");
    EXPECT_FALSE(lines.back().contains("duration_us"));
  }
  peer.Close();
  EXPECT_EQ(EventsInAll(), (std::vector<std::string>{"refuse", "refuse", "refuse"}));
}

TEST_F(AuditTest, ShadowDecisionIsOneLineAndTheCallGoesOn) {
  StartWithAudit("calls = \"denied\"\n", R"(
[[rule]]
name = "deny one day"
users = ["*"]
methods = ["/test.Unary/*"]
action = "deny"
enforce = false

[[rule]]
name = "allow one day"
users = ["*"]
methods = ["/test.Denied/*"]
action = "allow"
backend = "back"
enforce = false
)");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  backend_->WaitForMessages(0, 1);
  json line = WaitForEvent("deny");  // while the call is still in flight
  EXPECT_EQ(line.value("rule", ""), "deny one day");
  EXPECT_EQ(line.value("enforced", true), false);
  EXPECT_EQ(line.value("method", ""), "Hold");

  ExpectDenied(peer = Peer());
  line = WaitForEvent("call");
  EXPECT_EQ(line.value("rule", ""), "allow one day");
  EXPECT_EQ(line.value("enforced", true), false);
  EXPECT_EQ(WaitForEvents("deny", 2).at(1).value("enforced", true), true);
}

TEST_F(AuditTest, DeniedLeavesAllowedCallsOut) {
  StartWithAudit("calls = \"denied\"\n");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  ExpectDenied(peer);
  peer.Close();
  EXPECT_EQ(EventsInAll(), std::vector<std::string>{"deny"});
}

TEST_F(AuditTest, NoneWritesNothing) {
  StartWithAudit("calls = \"none\"\n");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  ExpectDenied(peer);
  peer.Exchange(Echo(2));
  Peer({.uid = 4242, .gid = 1}).ExpectEnd();
  peer.Close();
  EXPECT_EQ(EventsInAll(), std::vector<std::string>());
}

TEST_F(AuditTest, RuleOverridesWhatIsWritten) {
  StartWithAudit("calls = \"none\"\n", R"(
[[rule]]
name = "watched"
users = ["root"]
methods = ["/test.Watched/*"]
action = "allow"
backend = "back"
audit = "all"

[[rule]]
name = "denied and audited"
methods = ["/test.Audited/*"]
action = "deny"
audit = "denied"
)");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  ExpectDenied(peer);
  EXPECT_EQ(peer.Exchange(Request(3, {.service = "test.Watched"})), Response(3, ""));
  ExpectDenied(peer, {.service = "test.Audited"});
  peer.Close();
  EXPECT_EQ(EventsInAll(), (std::vector<std::string>{"call", "deny"}));
}

TEST_F(AuditTest, RuleOverridesDownwardsToo) {
  StartWithAudit("calls = \"all\"\n", R"(
[[rule]]
name = "not audited"
methods = ["/test.Denied/*"]
action = "deny"
audit = "none"
)");
  RawPeer peer = Peer();
  ExpectDenied(peer);
  ExpectEcho(peer, 1);
  peer.Close();
  WaitForEvent("disconnect");
  EXPECT_EQ(EventsInAll(), (std::vector<std::string>{"connect", "call", "disconnect"}));
}

TEST_F(AuditTest, WhatIsNoTraceparentIsLeftOut) {
  StartWithAudit("calls = \"denied\"\n");
  RawPeer peer = Peer();
  const std::string evil = "\"}\r\n{\"event\": \"call\"}\x1b[31m\t\\";
  Call call = kDenied;
  call.metadata = {{"traceparent", evil}};
  ExpectDenied(peer, call);
  EXPECT_FALSE(WaitForEvent("deny").contains("traceparent")) << "it is malformed";
  call.metadata = {{"traceparent", std::string(1 << 20, 'x')}};
  ExpectDenied(peer, call);
  const std::vector<json> lines = WaitForEvents("deny", 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_FALSE(lines[1].contains("traceparent"));
  peer.Close();
  EXPECT_EQ(EventsInAll(), (std::vector<std::string>{"deny", "deny"}));
}

TEST_F(AuditTest, LinesOverTheRateAreCountedAndTold) {
  constexpr int kDenials = 50;
  Start({.head = "[audit]\ncalls = \"denied\"\nrate_per_user = 3\n",
         .rules = std::string(kDefaultRules) + R"(
[[rule]]
name = "another user"
users = [1234]
methods = ["/test.Unary/*"]
action = "allow"
backend = "back"
)"});
  RawPeer peer = Peer();
  for (int i = 0; i < kDenials; ++i) ExpectDenied(peer);
  RawPeer other = Peer({.uid = 1234, .gid = 1});
  ExpectDenied(other);  // still has a rate of its own
  const auto told = daemon_->WaitForLines(1, [](const std::string& line) {
    return IsAuditLine(line) && json::parse(line).contains("suppressed");
  });
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(json::parse(told[0]).value("uid", -1), 0);
  peer.Close();
  other.Close();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  int written = 0;
  int suppressed = 0;
  int of_other = 0;
  std::istringstream log(daemon_->log());
  for (std::string line; std::getline(log, line);) {
    if (!IsAuditLine(line)) continue;
    const json parsed = json::parse(line);
    suppressed += parsed.value("suppressed", 0);
    if (parsed.contains("suppressed")) continue;
    (parsed.value("uid", -1) == 0 ? written : of_other) += 1;
  }
  EXPECT_GE(written, 3);
  EXPECT_EQ(written + suppressed, kDenials);
  EXPECT_EQ(of_other, 1);
}

class AuditFileTest : public AuditTest {
 protected:
  std::string file() const { return folder_ / "audit.log"; }

  size_t LinesIn(const std::string& path) const {
    std::istringstream lines(ReadFile(path));
    size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_EQ(json::parse(line).value("event", ""), "deny");
    }
    return count;
  }
};

TEST_F(AuditFileTest, LinesAreAppendedToAFileThatOthersCannotRead) {
  const std::string keys = "target = \"file:" + file() + "\"\n";
  for (size_t run = 1; run <= 2; ++run) {
    StartWithAudit(keys);
    {
      RawPeer peer = Peer();
      ExpectDenied(peer);
    }
    TearDown();
    EXPECT_EQ(LinesIn(file()), run);
    EXPECT_EQ(daemon_->log().find("test.Denied"), std::string::npos) << "it is in the log as well";
  }
  struct stat attributes = {};
  ASSERT_EQ(::stat(file().c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 07777, 0640U);
}

TEST_F(AuditFileTest, SignalReopensIt) {
  StartWithAudit("target = \"file:" + file() + "\"\n");
  RawPeer peer = Peer();
  ExpectDenied(peer);
  EXPECT_TRUE(Eventually([this] { return std::filesystem::file_size(file()) > 0; }));
  std::filesystem::rename(file(), file() + ".1");
  daemon_->Signal(SIGUSR1);
  EXPECT_TRUE(Eventually([this] { return std::filesystem::exists(file()); }));
  ExpectDenied(peer);
  peer.Close();
  TearDown();
  EXPECT_EQ(LinesIn(file() + ".1"), 1U);
  EXPECT_EQ(LinesIn(file()), 1U);
}

TEST_F(AuditFileTest, TargetThatFailsLosesLinesOnly) {
  StartWithAudit("target = \"file:/dev/full\"\non_error = \"drop\"\n");
  RawPeer peer = Peer();
  ExpectDenied(peer);
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("audit") != std::string::npos;  // the log reports the failure
  });
  ExpectEcho(peer, 1);
}

// A line is written after the call that it is about, so the failure shows a little later.
TEST_F(AuditFileTest, TargetThatFailsRefusesCallsIfAskedTo) {
  StartWithAudit("target = \"file:/dev/full\"\non_error = \"refuse-calls\"\n");
  RawPeer peer = Peer();
  ExpectDenied(peer);
  std::optional<WireMessage> answer;
  EXPECT_TRUE(Eventually([&peer, &answer] {
    answer = peer.Exchange(Echo(1));
    return answer != Response(1, "echo");
  }));
  EXPECT_THAT(answer, IsStatus(1, StatusCode::kUnavailable, "the audit cannot record this call"));
  EXPECT_THAT(peer.Exchange(Echo(3)),
              IsStatus(3, StatusCode::kUnavailable, "the audit cannot record this call"));
}

TEST_F(AuditFileTest, FileThatCannotBeOpenedIsABadConfiguration) {
  WriteConfig({.head = "[audit]\ntarget = \"file:" + (folder_ / "no/such/audit.log") + "\"\n"});
  const CommandResult result = RunDaemon({"--config", config_path()});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, ::testing::HasSubstr(folder_ / "no/such/audit.log"));
}

}  // namespace
}  // namespace integration
