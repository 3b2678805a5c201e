// SPDX-License-Identifier: Apache-2.0
//
// SIGHUP and the rules for existing peers. A peer belongs to the socket by which it connected, even
// if its listener is renamed. A peer whose socket was removed stays under the rules that name no
// listener.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "harness/admin_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;

constexpr Identity kUser = {.uid = 40001, .gid = 40001};

std::string Listener(const std::string& name, const std::string& path,
                     const std::string& keys = "mode = \"0666\"\n") {
  return "[[listener]]\nname = \"" + name + "\"\naddress = \"unix://" + path + "\"\n" + keys;
}

// `where` has names of listeners in quotes; if it is empty, the rule names none.
std::string Allow(const std::string& name, const std::string& where, const std::string& method,
                  const std::string& backend = "back") {
  return "[[rule]]\nname = \"" + name + "\"\nusers = [0, 40001]\nmethods = [\"" + method +
         "\"]\naction = \"allow\"\nbackend = \"" + backend + "\"\n" +
         (where.empty() ? "" : "listeners = [" + where + "]\n");
}

WireMessage Other(uint32_t id) { return Request(id, {.service = "test.Other", .payload = "o"}); }

auto IsDenied(uint32_t id) { return IsStatus(id, StatusCode::kPermissionDenied, ::testing::_); }

class ReloadSocketsTest : public AdminTest {
 protected:
  void ReloadTo(const std::string& rules, const std::string& head = "",
                const std::string& backend = "") {
    WriteConfig({.head = Head() + head, .backend = backend, .rules = rules});
    Reload("reloaded: ");
  }
  std::string pub() const { return folder_ / "pub.sock"; }
  std::string priv() const { return folder_ / "priv.sock"; }
};

TEST_F(ReloadSocketsTest, AListenersNameAtAnotherSocketGivesNoRightsToPeersOfThisOne) {
  StartWithAdmin({.rules = Listener("s1", pub()) + Allow("echo", "\"s1\"", "/test.Unary/*")});
  RawPeer peer(pub(), kUser);
  ExpectEcho(peer, 1);
  ReloadTo(Listener("s1", priv(), "mode = \"0600\"\n") + Listener("s2", pub()) +
           Allow("all", "\"s1\"", "/*/*") + Allow("echo", "\"s2\"", "/test.Unary/*"));
  EXPECT_THAT(peer.Exchange(Other(3)), IsDenied(3));
  ExpectEcho(peer, 5);
  RawPeer root(priv());
  EXPECT_EQ(root.Exchange(Other(1)), Response(1, "o"));
}

TEST_F(ReloadSocketsTest, SwappedAddressesSwapTheNamesOfPeers) {
  const std::string rules =
      Allow("a", "\"a\"", "/test.Unary/*") + Allow("b", "\"b\"", "/test.Other/*");
  StartWithAdmin({.rules = Listener("a", pub()) + Listener("b", priv()) + rules});
  RawPeer a(pub(), kUser);
  RawPeer b(priv(), kUser);
  ExpectEcho(a, 1);
  EXPECT_EQ(b.Exchange(Other(1)), Response(1, "o"));
  ReloadTo(Listener("b", pub()) + Listener("a", priv()) + rules);
  EXPECT_EQ(a.Exchange(Other(3)), Response(3, "o"));
  EXPECT_THAT(a.Exchange(Echo(5)), IsDenied(5));
  ExpectEcho(b, 3);
  EXPECT_THAT(b.Exchange(Other(5)), IsDenied(5));
}

TEST_F(ReloadSocketsTest, PeersOfARemovedListenerGoOnByTheRulesThatNameNone) {
  const std::string audit = folder_ / "audit";
  const std::string head = "[audit]\ncalls = \"all\"\ntarget = \"file:" + audit + "\"\n";
  const std::string keys = "mode = \"0666\"\nunknown_fields = \"drop\"\ncall_max = \"77s\"\n";
  StartWithAdmin({.head = head,
                  .rules = Listener("gone", pub(), keys) + Allow("gone's", "\"gone\"", "/*/*") +
                           Allow("all's", "", "/test.Unary/*")});
  RawPeer peer(pub(), kUser);
  EXPECT_EQ(peer.Exchange(Other(1)), Response(1, "o"));
  RecordingBackend elsewhere(folder_ / "elsewhere.sock");
  ReloadTo(Allow("front's", "\"front\"", "/*/*") + Allow("all's", "", "/test.Unary/*"), head,
           "address = \"unix://" + folder_ / "elsewhere.sock" + "\"\n");
  EXPECT_THAT(daemon_->log(), HasSubstr("listener \"gone\": removed; 1 peer stays connected\n"));
  backend_->WaitForEnd(0);  // the old backend is retired
  EXPECT_THAT(peer.Exchange(Other(3)), IsDenied(3));
  // The peer keeps the timeouts and the `unknown_fields` of its former listener.
  const WireMessage odd = RawRequest(5, EncodeCall({.payload = "x"}) + VarintField(1000, 1));
  EXPECT_EQ(peer.Exchange(odd), Response(5, "x"));
  ASSERT_EQ(elsewhere.WaitForMessages(0, 1).size(), 1U);
  EXPECT_EQ(elsewhere.WaitForMessages(0, 1)[0],
            Request(1, {.payload = "x", .timeout_nano = 77'000'000'000}));
  EXPECT_EQ(Call(&v1::AdminClient::ListPeers)->peers(0).listener(), "gone");
  // A new listener of this name has another socket, so its rules do not apply to the old peer.
  ReloadTo(Listener("gone", pub(), keys) + Allow("gone's", "\"gone\"", "/*/*") +
               Allow("all's", "", "/test.Unary/*"),
           head, "address = \"unix://" + folder_ / "elsewhere.sock" + "\"\n");
  EXPECT_THAT(peer.Exchange(Other(7)), IsDenied(7));
  // No rule admits the peer any more.
  ReloadTo(Allow("front's", "\"front\"", "/*/*"), head);
  peer.ExpectEnd();
  EXPECT_THAT(ReadFile(audit), HasSubstr("\"event\":\"deny\",\"listener\":\"gone\""));
}

TEST_F(ReloadSocketsTest, CloseEndsThePeersOfAListenerThatIsGoneOrHere) {
  StartWithAdmin({.rules = Listener("gone", pub()) + Allow("all's", "", "/test.Unary/*")});
  RawPeer one(pub(), kUser);
  RawPeer two(pub(), kUser);
  RawPeer front = Peer(kUser);
  ExpectEcho(one, 1);
  ExpectEcho(two, 1);
  ExpectEcho(front, 1);
  ReloadTo(Allow("all's", "", "/test.Unary/*"));
  ExpectEcho(one, 3);
  v1::TapRequest of_gone;
  of_gone.add_listeners("gone");
  auto tap = Tap(of_gone);
  ExpectEcho(one, 5);
  EXPECT_EQ(Next(tap)->stream_id(), 5U);
  v1::ClosePeerRequest request;
  request.set_listener("gone");
  const auto closed = Call(&v1::AdminClient::ClosePeer, request);
  ASSERT_TRUE(closed) << closed.error();
  EXPECT_EQ(closed->closed(), 2U);
  one.ExpectEnd();
  two.ExpectEnd();
  ExpectEcho(front, 3);
  const auto none = Call(&v1::AdminClient::ClosePeer, request);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), StatusCode::kNotFound);
  EXPECT_EQ(none.error().message(), "no listener \"gone\"; use \"front\"");
  EXPECT_EQ(loop_.Run(admin_->Tap(context_, of_gone).Finish()).code(), StatusCode::kNotFound);
  request.set_listener("front");
  EXPECT_EQ(Call(&v1::AdminClient::ClosePeer, request)->closed(), 1U);
  front.ExpectEnd();
  EXPECT_EQ(Call(&v1::AdminClient::ClosePeer, request)->closed(), 0U);
  daemon_->WaitForLines(4, [](const std::string& line) {
    return line.find("\"method\":\"ClosePeer\"") != line.npos;
  });
}

// Another program has deleted the files of the sockets.
TEST_F(ReloadSocketsTest, SocketsWhoseFilesWereRemovedComeBack) {
  const std::string metrics = folder_ / "metrics.sock";
  const std::string head = "[metrics]\naddress = \"unix://" + metrics + "\"\n";
  const std::string rules = Allow("all's", "", "/test.Unary/*");
  const std::string group = "group = \"40001\"\n";
  StartWithAdmin(
      {.head = head, .rules = Listener("pub", pub(), "mode = \"0660\"\n" + group) + rules});
  RawPeer peer(pub(), kUser);
  ExpectEcho(peer, 1);
  for (const std::string& path : {pub(), admin_path(), metrics})
    ASSERT_TRUE(std::filesystem::remove(path));
  ReloadTo(Listener("pub", pub(), "mode = \"0666\"\n" + group) + rules, head);
  EXPECT_TRUE(std::filesystem::is_socket(metrics));
  RawPeer again(pub(), kUser);
  ExpectEcho(again, 1);
  ExpectEcho(peer, 3);  // the listener has not changed
  Dial();
  EXPECT_EQ(Status().listeners_size(), 2);
}

TEST_F(ReloadSocketsTest, WhatTookAPathRefusesTheReload) {
  const std::string rules = Listener("pub", pub()) + Allow("all's", "", "/test.Unary/*");
  StartWithAdmin({.rules = rules});
  ASSERT_TRUE(std::filesystem::remove(pub()));
  WriteFile(pub(), "precious");
  WriteConfig({.head = Head(), .rules = rules});
  Reload("reload refused: the configuration is unchanged");
  EXPECT_THAT(daemon_->log(), HasSubstr("listener \"pub\": unix://" + pub() +
                                        " is not a socket; remove the file or use another path"));
  EXPECT_EQ(ReadFile(pub()), "precious");
  EXPECT_EQ(Status().reloads_refused(), 1U);
}

TEST_F(ReloadSocketsTest, AUsersConnectionsToAListenerCountForTheSocket) {
  const std::string keys = "mode = \"0666\"\nconnections_per_user = 1\n";
  const std::string rules = Allow("all's", "", "/test.Unary/*");
  StartWithAdmin({.rules = Listener("a", pub(), keys) + rules});
  RawPeer peer(pub(), kUser);
  ExpectEcho(peer, 1);
  ReloadTo(Listener("b", pub(), keys) + Listener("a", priv(), keys) + rules);
  RawPeer(pub(), kUser).ExpectEnd();
  RawPeer other(priv(), kUser);
  ExpectEcho(other, 1);
}

}  // namespace
}  // namespace integration
