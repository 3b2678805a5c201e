// SPDX-License-Identifier: Apache-2.0
//
// SIGHUP: what a new configuration changes, for which peers, and what stays.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <vector>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;

constexpr Identity kUser = {.uid = 40001, .gid = 40001};

std::string AllowRule(const std::string& name, const std::string& who, const std::string& method,
                      const std::string& backend = "back") {
  return "[[rule]]\nname = \"" + name + "\"\n" + who + "\nmethods = [\"" + method +
         "\"]\naction = \"allow\"\nbackend = \"" + backend + "\"\n";
}

class ReloadTest : public ProxyTest {
 protected:
  void ReloadTo(const Scene& scene) {
    WriteConfig(scene);
    Reload("reloaded: ");
  }
  void ExpectRefused(const Scene& scene, const std::string& why) {
    WriteConfig(scene);
    Reload("reload refused: the configuration is unchanged");
    EXPECT_THAT(daemon_->log(), HasSubstr(why));
  }
  // Returns a scene with one more listener.
  Scene WithListener(const std::string& name, const std::string& path,
                     const std::string& keys = "") const {
    return {.rules = std::string(kDefaultRules) + "[[listener]]\nname = \"" + name +
                     "\"\naddress = \"unix://" + path + "\"\n" + keys};
  }
  std::string other_path() const { return folder_ / "other.sock"; }
  size_t Descriptors() const {
    const auto folder = "/proc/" + std::to_string(daemon_->pid()) + "/fd";
    const std::filesystem::directory_iterator begin(folder), end;
    return static_cast<size_t>(std::distance(begin, end));
  }
};

TEST_F(ReloadTest, NewRulesCountForOpenPeersAtOnce) {
  Start({.rules = AllowRule("all", "users = [40001]", "/test.Unary/*")});
  RawPeer peer = Peer(kUser);
  ExpectEcho(peer, 1);
  ReloadTo({.rules = AllowRule("all", "users = [40001]", "/test.Other/*")});
  EXPECT_THAT(peer.Exchange(Echo(3)),
              IsStatus(3, StatusCode::kPermissionDenied, "uid 40001 may not call /test.Unary/Do"));
  EXPECT_EQ(peer.Exchange(Request(5, {.service = "test.Other", .payload = "x"})), Response(5, "x"));
  EXPECT_EQ(backend_->connections(), 1U) << "the backend is the same, and so is the connection";
}

TEST_F(ReloadTest, APeerThatNoRuleAdmitsAnyMoreIsClosedWithItsCalls) {
  Start({.rules = AllowRule("user", "users = [40001]", "/test.Unary/*") +
                  AllowRule("group", "groups = [40002]", "/test.Unary/*")});
  RawPeer user = Peer(kUser);
  RawPeer member = Peer({.uid = 40003, .gid = 40003, .groups = {40002}});
  EXPECT_TRUE(user.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  ExpectEcho(member, 1);
  ReloadTo({.rules = AllowRule("group", "groups = [40002]", "/test.Unary/*")});
  user.ExpectEnd();
  backend_->WaitForEnd(0);
  ExpectEcho(member, 3);  // a rule for its supplementary groups admits it
  Peer(kUser).ExpectEnd();
}

TEST_F(ReloadTest, CallsInFlightFinishUnderTheVerdictTheyGot) {
  const std::string audit = folder_ / "audit";
  const std::string head = "[audit]\ncalls = \"all\"\ntarget = \"file:" + audit + "\"\n";
  Start({.head = head, .rules = AllowRule("old", "users = [40001]", "/test.Unary/*")});
  RawPeer peer = Peer(kUser);
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  ReloadTo({.head = head,
            .rules = AllowRule("first", "users = [0]", "/none/*") +
                     AllowRule("new", "users = [40001]", "/test.Other/*")});
  EXPECT_THAT(peer.Exchange(Echo(3)), IsStatus(3, StatusCode::kPermissionDenied, ::testing::_));
  backend_->Send(0, Response(1, "late"));
  EXPECT_EQ(peer.Receive(), Response(1, "late"));
  peer.Close();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(ReadFile(audit),
              HasSubstr("\"method\":\"Hold\",\"kind\":\"unary\",\"rule\":\"old\""));
}

TEST_F(ReloadTest, ListenersComeAndGoAndKeepTheirPeers) {
  Start();
  RawPeer front = Peer();
  ExpectEcho(front, 1);
  ReloadTo(WithListener("other", other_path()));
  RawPeer other(other_path());
  ExpectEcho(other, 1);
  ExpectEcho(front, 3);
  ReloadTo({});
  EXPECT_FALSE(std::filesystem::exists(other_path()));
  ExpectEcho(other, 3);  // peers of a removed listener stay
  // A listener of that name returns at another socket. No rule admits the peers of the old one.
  Scene back = WithListener("other", other_path());
  back.rules = AllowRule("front", "listeners = [\"front\"]\nusers = [0]", "/test.Unary/*") +
               AllowRule("other", "listeners = [\"other\"]\nusers = [0]", "/test.Other/*") +
               "[[listener]]\nname = \"other\"\naddress = \"unix://" + other_path() + "\"\n";
  ReloadTo(back);
  other.ExpectEnd();
  ExpectEcho(front, 5);
}

TEST_F(ReloadTest, AListenerThatIsRenamedKeepsItsSocketAndPeers) {
  Start(WithListener("old", other_path()));
  struct stat before {};
  ASSERT_EQ(::lstat(other_path().c_str(), &before), 0);
  RawPeer peer(other_path());
  ExpectEcho(peer, 1);
  ReloadTo({.rules = AllowRule("all", "listeners = [\"new\"]\nusers = [0]", "/test.Other/*") +
                     "[[listener]]\nname = \"new\"\naddress = \"unix://" + other_path() + "\"\n"});
  struct stat after {};
  ASSERT_EQ(::lstat(other_path().c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_THAT(peer.Exchange(Echo(3)), IsStatus(3, StatusCode::kPermissionDenied, ::testing::_));
  EXPECT_EQ(RawPeer(other_path()).Exchange(Request(1, {.service = "test.Other", .payload = "x"})),
            Response(1, "x"));
}

TEST_F(ReloadTest, OwnerGroupAndModeAreAppliedToTheSocketThatIsThere) {
  // An owner in the first configuration makes the sandbox keep the right to set owners.
  Start({.listener = "owner = \"daemon\"\n"});
  struct stat before {};
  ASSERT_EQ(::lstat(front_path().c_str(), &before), 0);
  ReloadTo({.listener = "mode = \"0660\"\nowner = \"1234\"\ngroup = \"4321\"\n"});
  struct stat after {};
  ASSERT_EQ(::lstat(front_path().c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode & 07777, 0660U);
  EXPECT_EQ(after.st_uid, 1234U);
  EXPECT_EQ(after.st_gid, 4321U);
  ReloadTo({});
  ASSERT_EQ(::lstat(front_path().c_str(), &after), 0);
  EXPECT_EQ(after.st_mode & 07777, 0666U);
  EXPECT_EQ(after.st_uid, 0U);
  EXPECT_EQ(after.st_gid, 0U);
}

TEST_F(ReloadTest, ABackendElsewhereTakesTheNextCallAndTheOldOneItsLast) {
  Start();
  RecordingBackend elsewhere(folder_ / "elsewhere.sock");
  RawPeer peer = Peer();
  RawPeer idle = Peer();
  ExpectEcho(idle, 1);
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(1, 1);
  ReloadTo({.backend = "address = \"unix://" + folder_ / "elsewhere.sock" + "\"\n"});
  backend_->WaitForEnd(0);  // the connection without calls
  ExpectEcho(peer, 3);
  ExpectEcho(idle, 3);
  EXPECT_EQ(elsewhere.connections(), 2U);
  backend_->Send(1, Response(1, "last"));
  EXPECT_EQ(peer.Receive(), Response(1, "last"));
  backend_->WaitForEnd(1);
  ExpectEcho(peer, 5);
}

TEST_F(ReloadTest, ABadFileChangesNothingAndSaysWhereItIsWrong) {
  Start();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  const size_t descriptors = Descriptors();
  WriteFile(config_path(), "[limits]\nconnections = \"many\"\n[[listener]]\nnaem = \"x\"\n");
  Reload("reload refused: the configuration is unchanged");
  EXPECT_THAT(daemon_->log(), HasSubstr(config_path() + ":2:15: "));
  EXPECT_THAT(daemon_->log(), HasSubstr(config_path() + ":4:1: "));
  ASSERT_EQ(::unlink(config_path().c_str()), 0);
  Reload("reload refused: the configuration is unchanged");
  ExpectEcho(peer, 3);
  RawPeer other = Peer();
  ExpectEcho(other, 1);
  EXPECT_LE(Descriptors(), descriptors + 2) << "the second peer has two more";
}

// A reload does each step that can fail before any step that cannot be undone.
TEST_F(ReloadTest, WhatCannotBeDoneChangesNothing) {
  // The sandbox would take away the right to set owners, and each reload would fail for that.
  Start({.head = "[daemon]\nsandbox = false\n"});
  RawPeer peer = Peer();
  const std::string access = "mode = \"0600\"\nowner = \"1234\"\n";
  const std::string other = "[[listener]]\nname = \"other\"\naddress = \"unix://" + other_path() +
                            "\"\n" + AllowRule("new", "users = [0]", "/test.Other/*");
  const std::string lost =
      "[[listener]]\nname = \"lost\"\naddress = \"unix://" + (folder_ / "no/such/s") + "\"\n";
  const std::string passed = "[[listener]]\nname = \"lost\"\naddress = \"systemd:none\"\n";
  ExpectRefused({.listener = access, .rules = other + lost}, "listener \"lost\": ");
  ExpectRefused(
      {.listener = access, .rules = other + passed},
      "listener \"lost\": no socket was passed with FileDescriptorName=none; set it in the "
      ".socket unit, then restart that unit and the service\n");
  ExpectRefused({.head = "[audit]\ntarget = \"file:" + (folder_ / "no/such/audit") + "\"\n",
                 .listener = access,
                 .rules = other},
                "no/such/audit");
  ExpectRefused({.head = "[log]\ntarget = \"file:" + (folder_ / "no/such/log") + "\"\n",
                 .listener = access,
                 .rules = other},
                "no/such/log");
  struct stat front {};
  ASSERT_EQ(::lstat(front_path().c_str(), &front), 0);
  EXPECT_EQ(front.st_mode & 07777, 0666U);
  EXPECT_EQ(front.st_uid, 0U);
  EXPECT_FALSE(std::filesystem::exists(other_path()));
  ExpectEcho(peer, 1);
}

TEST_F(ReloadTest, ALimitBelowPresentUseRefusesOnlyWhatIsNew) {
  Start();
  RawPeer peer = Peer();
  RawPeer other = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  ReloadTo({.head = "[limits]\ncalls_per_connection = 1\nconnections_per_user = 1\n"
                    "message_size = \"1KiB\"\n"});
  EXPECT_THAT(peer.Exchange(Echo(5)), IsStatus(5, StatusCode::kResourceExhausted,
                                               "limit calls_per_connection = 1 reached"));
  Peer().ExpectEnd();
  backend_->Send(0, Encode({Response(1, "one"), Response(3, "three")}));
  EXPECT_EQ(peer.Receive(), Response(1, "one"));
  EXPECT_EQ(peer.Receive(), Response(3, "three"));
  ExpectEcho(other, 1);
  EXPECT_THAT(
      other.Exchange(Request(3, {.payload = std::string(2000, 'x')})),
      IsStatus(3, StatusCode::kResourceExhausted, HasSubstr("maximum message size of 1024")));
}

TEST_F(ReloadTest, TimeoutsCountForThoseWhoWaitAlready) {
  Start();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  ReloadTo({.head = "[timeouts]\nidle = \"20ms\"\n"});
  peer.ExpectEnd();
}

TEST_F(ReloadTest, AuditAndLogGoWhereTheyAreToGo) {
  Start();
  const std::string audit = folder_ / "audit";
  const std::string log = folder_ / "log";
  WriteConfig({.head = "[log]\ntarget = \"file:" + log +
                       "\"\n[audit]\ncalls = \"all\"\ntarget = \"file:" + audit + "\"\n"});
  daemon_->Signal(SIGHUP);
  // The outcome of the reload is logged to the new target.
  for (;;) {
    RawPeer peer = Peer();
    ExpectEcho(peer, 1);
    if (std::filesystem::exists(log) && ReadFile(log).find("reloaded: ") != std::string::npos)
      break;
  }
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Exchange(Request(7, {.payload = "audited"})).has_value());
  peer.Close();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(ReadFile(audit), HasSubstr("\"event\":\"call\""));
}

TEST_F(ReloadTest, AsManyAsYouLike) {
  Start();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  const size_t descriptors = Descriptors();
  for (uint32_t i = 0; i < 200; ++i) {
    daemon_->Signal(SIGHUP);
    ExpectEcho(peer, 3 + 2 * i);
  }
  Reload("reloaded: ");
  ExpectEcho(peer, 1001);
  // This may have been the outcome of the last reload but one, and another may still run.
  EXPECT_TRUE(Eventually([&] { return Descriptors() == descriptors; })) << Descriptors();
}

TEST_F(ReloadTest, NotWhileItDrains) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  RawPeer idle = Peer();
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  Reload("reload refused while draining: the configuration is unchanged");
  EXPECT_FALSE(std::filesystem::exists(front_path()));
  backend_->Send(0, Response(1, "last"));
  EXPECT_EQ(peer.Receive(), Response(1, "last"));
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

TEST_F(ReloadTest, WhatOnlyAStartTakesIsSaid) {
  Start();
  ReloadTo({.head = "[daemon]\ndrain_timeout = \"1h\"\n"});
  EXPECT_THAT(daemon_->log(), HasSubstr("changes in [daemon] take effect at the next start"));
}

}  // namespace
}  // namespace integration
