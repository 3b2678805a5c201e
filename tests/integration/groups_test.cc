// SPDX-License-Identifier: Apache-2.0
//
// Supplementary groups: how often the daemon reads them from the kernel. Peers that have as many
// groups as a process may have do not affect others.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "harness/faults.h"
#include "harness/proxy_test.h"

namespace integration {
namespace {

std::string ForGroups(const std::string& name, const std::string& groups,
                      const std::string& method) {
  return "[[rule]]\nname = \"" + name + "\"\ngroups = [" + groups + "]\nmethods = [\"" + method +
         "\"]\naction = \"allow\"\nbackend = \"back\"\n";
}

const std::string kForRoot =
    "[[rule]]\nname = \"root\"\nusers = [0]\nmethods = [\"/test.Unary/*\"]\naction = \"allow\"\n"
    "backend = \"back\"\n";

// Returns a user with this many groups, from 100000 on.
Identity Member(size_t groups) {
  Identity member = {.uid = 40001, .gid = 40001, .groups = std::vector<gid_t>(groups)};
  std::iota(member.groups.begin(), member.groups.end(), 100000);
  return member;
}

WireMessage Other(uint32_t id) { return Request(id, {.service = "test.Other", .payload = "o"}); }

class GroupsTest : public ProxyTest {
 protected:
  void ReloadTo(const std::string& rules) {
    WriteConfig({.rules = rules});
    Reload("reloaded: ");
  }
  void StartCounting(const std::string& rules) {
    faults_ = std::make_unique<Faults>(folder_ / "page");
    WriteConfig({.rules = rules});
    StartBackend();
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--config", config_path(), "--log-level", "debug"},
        DaemonSurroundings{.environment = faults_->environment()});
    ASSERT_TRUE(daemon_->WaitUntilReady());
  }
  // Returns how often the daemon asks the kernel while `action` runs.
  template <typename Action>
  uint32_t Asked(const Action& action) {
    faults_->Arm({.calls = FaultBit(FaultCall::kGetsockopt), .first = UINT32_MAX});
    action();
    const uint32_t seen = faults_->seen();
    faults_->Disarm();
    return seen;
  }

  std::unique_ptr<Faults> faults_;
};

// The daemon asks whether a descriptor is a connection, who is at its other end, and their groups.
TEST_F(GroupsTest, TheKernelIsAskedOnceAndOnlyWhereARuleNamesGroups) {
  const std::string few = ForGroups("few", "100001, 100002", "/test.Unary/*");
  StartCounting(few + kForRoot);
  std::vector<RawPeer> peers;
  EXPECT_EQ(Asked([&] {
              peers.push_back(Peer(Member(10)));
              EXPECT_THAT(peers[0].Exchange(Other(1)),
                          IsStatus(1, StatusCode::kPermissionDenied, ::testing::_));
            }),
            3U);
  // The rules name fewer groups, and the daemon has already compared these.
  EXPECT_EQ(Asked([&] {
              ReloadTo(ForGroups("one", "100002", "/test.Other/*"));
              EXPECT_THAT(peers[0].Exchange(Echo(3)),
                          IsStatus(3, StatusCode::kPermissionDenied, ::testing::_));
            }),
            0U);
  // The rules name other groups, so the daemon asks for their number and for the groups.
  EXPECT_EQ(Asked([&] {
              ReloadTo(ForGroups("other", "100005", "/test.Other/*"));
              EXPECT_THAT(peers[0].Exchange(Echo(5)),
                          IsStatus(5, StatusCode::kPermissionDenied, ::testing::_));
            }),
            2U);
  ReloadTo(
      "[[rule]]\nname = \"all\"\nusers = [40001]\nmethods = [\"/test.Unary/*\"]\n"
      "action = \"allow\"\nbackend = \"back\"\n");
  EXPECT_EQ(Asked([&] {
              peers.push_back(Peer(Member(10)));
              EXPECT_THAT(peers[1].Exchange(Other(1)),
                          IsStatus(1, StatusCode::kPermissionDenied, ::testing::_));
            }),
            2U);
}

TEST_F(GroupsTest, AsManyAsAProcessMayHaveDecideLikeAnyOthers) {
  Start({.rules = ForGroups("last", "165535", "/test.Unary/*") + kForRoot});
  RawPeer member = Peer(Member(65536));
  ExpectEcho(member, 1);
  Peer(Member(65535)).ExpectEnd();
}

// Requests that arrive meanwhile wait. The new rules decide about them, never the old ones.
TEST_F(GroupsTest, AReloadThatNamesOtherGroupsDecidesWhatItsPeersSendNext) {
  Start({.rules = ForGroups("first", "100000", "/test.Unary/*") + kForRoot});
  constexpr size_t kPeers = 40;
  std::vector<RawPeer> peers;
  for (size_t i = 0; i < kPeers; ++i) peers.push_back(Peer(Member(65536)));
  for (RawPeer& peer : peers) ExpectEcho(peer, 1);
  RawPeer root = Peer();
  ExpectEcho(root, 1);
  ReloadTo(ForGroups("second", "165535", "/test.Other/*") + kForRoot);
  for (RawPeer& peer : peers) EXPECT_TRUE(peer.Send(Encode({Echo(3), Other(5)})));
  ExpectEcho(root, 3);
  for (RawPeer& peer : peers) {
    EXPECT_THAT(peer.Receive(), IsStatus(3, StatusCode::kPermissionDenied, ::testing::_));
    EXPECT_EQ(peer.Receive(), Response(5, "o"));
  }
  // None of the peers has this group.
  ReloadTo(ForGroups("third", "99999", "/test.Other/*") + kForRoot);
  for (RawPeer& peer : peers) peer.ExpectEnd();
  ExpectEcho(root, 5);
}

TEST_F(GroupsTest, ReloadsOnTopOfEachOtherEndWithTheLast) {
  Start({.rules = ForGroups("first", "100000", "/test.Unary/*") + kForRoot});
  std::vector<RawPeer> peers;
  for (size_t i = 0; i < 20; ++i) peers.push_back(Peer(Member(65536)));
  for (RawPeer& peer : peers) ExpectEcho(peer, 1);
  for (const std::string group : {"100001", "99999", "100002"}) {
    ReloadTo(ForGroups("next", group + ", 100000", "/test.Other/*") + kForRoot);
  }
  for (RawPeer& peer : peers) {
    EXPECT_THAT(peer.Exchange(Echo(3)), IsStatus(3, StatusCode::kPermissionDenied, ::testing::_));
    EXPECT_EQ(peer.Exchange(Other(5)), Response(5, "o"));
  }
}

TEST_F(GroupsTest, WhoeverWaitsWithManyIsClosedByADrain) {
  Start({.rules = ForGroups("last", "165535", "/test.Unary/*") + kForRoot});
  std::vector<RawPeer> peers;
  for (size_t i = 0; i < 40; ++i) peers.push_back(Peer(Member(65536)));
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

}  // namespace
}  // namespace integration
