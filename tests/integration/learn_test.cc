// SPDX-License-Identifier: Apache-2.0
//
// From an audit to rules: what ttrpc-proxyctl learns of a run lets the same run pass, and nothing
// else.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <set>
#include <string>
#include <tuple>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr char kBroadRules[] = R"([[rule]]
name = "whoever may come"
users = [0, 1234, "40000-40999"]
methods = ["/test.*/*"]
action = "allow"
backend = "back"
streams = true
)";

// One kind of call: who, what, and whether it goes on sending.
using Kind = std::tuple<uid_t, std::string, bool>;

const std::set<Kind>& TheRun() {
  static const std::set<Kind> kRun = {
      {0, "test.Unary", false},    {0, "test.Stream", true},     {0, "test.Other", false},
      {1234, "test.Unary", false}, {40001, "test.Unary", false}, {40002, "test.Stream", true},
  };
  return kRun;
}

std::set<Kind> EveryKind() {
  std::set<Kind> all;
  for (const uid_t uid : {0U, 1234U, 40001U, 40002U, 40003U, 50000U}) {
    for (const char* service : {"test.Unary", "test.Stream", "test.Other", "test.Never"}) {
      for (const bool streams : {false, true}) all.emplace(uid, service, streams);
    }
  }
  return all;
}

class LearnTest : public ProxyTest {
 protected:
  std::string audit_path() const { return folder_ / "audit.json"; }
  std::string Head() const {
    return "[audit]\ncalls = \"all\"\ntarget = \"file:" + audit_path() + "\"\n";
  }

  // Whether a call of this kind gets the backend's answer.
  bool Passes(const Kind& kind) const {
    const auto& [uid, service, streams] = kind;
    RawPeer peer = Peer({.uid = uid, .gid = uid});
    const WireMessage request =
        Request(1, {.service = service, .payload = "echo"}, streams ? kOpen : uint8_t{0});
    peer.Send(request);
    return peer.Receive() == Response(1, "echo");
  }

  std::string Learn() const {
    const char* const ctl = std::getenv("TTRPC_PROXYCTL");
    EXPECT_NE(ctl, nullptr) << "TTRPC_PROXYCTL does not name the program to test";
    const CommandResult result = RunCommand({.args = {ctl != nullptr ? ctl : "", "learn", "--audit",
                                                      audit_path(), "--config", config_path()}});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }
};

TEST_F(LearnTest, TheSameRunPassesAndEverythingElseIsDenied) {
  Start({.head = Head(), .rules = kBroadRules});
  for (const Kind& kind : TheRun()) EXPECT_TRUE(Passes(kind));
  daemon_->Signal(SIGTERM);
  ASSERT_EQ(daemon_->WaitForExit(), 0);

  const std::string rules = Learn();
  SCOPED_TRACE(rules);
  WriteConfig({.head = Head(), .rules = rules});
  StartDaemon();
  for (const Kind& kind : EveryKind()) {
    EXPECT_EQ(Passes(kind), TheRun().contains(kind))
        << std::get<0>(kind) << " " << std::get<1>(kind) << " " << std::get<2>(kind);
  }
}

}  // namespace
}  // namespace integration
