// SPDX-License-Identifier: Apache-2.0
//
// Permissions of peers that really are other users: effective ids, supplementary groups, and an id
// that the daemon's user namespace does not map.
#include <gtest/gtest.h>

#include "harness/proxy_test.h"

namespace integration {
namespace {

// Rules are numbered in the order in which a test has them.
std::string Rule(const std::string& keys) {
  static int rules = 0;
  return "\n[[rule]]\nname = \"rule " + std::to_string(++rules) + "\"\n" + keys;
}

std::string Allow(const std::string& who, const std::string& methods = "/test.Unary/*") {
  return Rule(who + "\nmethods = [\"" + methods + "\"]\naction = \"allow\"\nbackend = \"back\"\n");
}

class PolicyUsersTest : public ProxyTest {
 protected:
  void ExpectAllowed(const Identity& identity) {
    SCOPED_TRACE(identity.uid);
    RawPeer peer = Peer(identity);
    ExpectEcho(peer, 1);
  }

  void ExpectDenied(const Identity& identity, const std::string& service = "test.Unary") {
    SCOPED_TRACE(identity.uid);
    RawPeer peer = Peer(identity);
    EXPECT_THAT(
        peer.Exchange(Request(1, {.service = service})),
        IsStatus(1, StatusCode::kPermissionDenied,
                 "uid " + std::to_string(identity.uid) + " may not call /" + service + "/Do"));
  }

  void ExpectClosed(const Identity& identity) {
    SCOPED_TRACE(identity.uid);
    RawPeer peer = Peer(identity);
    peer.ExpectEnd();  // before it has sent anything
  }

  // Expects that only the calls of ExpectAllowed() have reached the backend.
  void ExpectReached(size_t calls) {
    EXPECT_EQ(backend_->connections(), calls);
    for (size_t i = 0; i < calls; ++i) EXPECT_EQ(backend_->WaitForEnd(i), std::vector{Echo(1)});
  }
};

TEST_F(PolicyUsersTest, UserByNameAndByNumber) {
  Start({.rules = Allow("users = [\"daemon\", 1234]")});
  ExpectAllowed({.uid = 1, .gid = 1});  // the uid of the user "daemon" on every Debian system
  ExpectAllowed({.uid = 1234, .gid = 99});
  ExpectClosed({.uid = 1235, .gid = 1234, .groups = {1234, 1}});
  ExpectClosed({.uid = 0, .gid = 0});  // root needs a rule like any other user
  ExpectReached(2);
}

TEST_F(PolicyUsersTest, RangeHasBothItsEnds) {
  Start({.rules = Allow("users = [\"2000-2999\"]")});
  ExpectClosed({.uid = 1999, .gid = 2000});
  ExpectAllowed({.uid = 2000, .gid = 2000});
  ExpectAllowed({.uid = 2999, .gid = 2000});
  ExpectClosed({.uid = 3000, .gid = 2000});
  ExpectReached(2);
}

TEST_F(PolicyUsersTest, EffectiveGroup) {
  Start({.rules = Allow("groups = [4321]")});
  ExpectAllowed({.uid = 1234, .gid = 4321});
  ExpectClosed({.uid = 4321, .gid = 1234});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, SupplementaryGroup) {
  Start({.rules = Allow("groups = [\"4300-4399\", \"daemon\"]")});
  ExpectAllowed({.uid = 1234, .gid = 1234, .groups = {10, 4350, 20}});
  ExpectAllowed({.uid = 1234, .gid = 1234, .groups = {1}});
  ExpectClosed({.uid = 1234, .gid = 1234, .groups = {10, 20}});
  ExpectClosed({.uid = 1234, .gid = 1234});
  ExpectReached(2);
}

TEST_F(PolicyUsersTest, SupplementaryGroupBeyondTheFirstHundreds) {
  std::vector<gid_t> groups;
  for (gid_t group = 10000; group < 11000; ++group) groups.push_back(group);
  Start({.rules = Allow("groups = [10999]")});
  ExpectAllowed({.uid = 1234, .gid = 1234, .groups = groups});
  groups.pop_back();
  ExpectClosed({.uid = 1234, .gid = 1234, .groups = groups});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, UsersAndGroupsMustBothMatch) {
  Start({.rules = Allow("users = [1234]\ngroups = [4321]")});
  ExpectAllowed({.uid = 1234, .gid = 99, .groups = {4321}});
  ExpectClosed({.uid = 1234, .gid = 99});
  ExpectClosed({.uid = 1235, .gid = 4321});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, StarIsAnyMappedUser) {
  Start({.rules = Allow("users = [\"*\"]")});
  ExpectAllowed({.uid = 0, .gid = 0});
  ExpectAllowed({.uid = 3'000'000'000, .gid = 1});
  ExpectClosed({.uid = 65534, .gid = 1});
  ExpectReached(2);
}

TEST_F(PolicyUsersTest, RangeLeavesTheOverflowIdOut) {
  Start({.rules = Allow("users = [\"65000-66000\"]")});
  ExpectAllowed({.uid = 65533, .gid = 65534});
  ExpectAllowed({.uid = 65535, .gid = 65534});
  ExpectClosed({.uid = 65534, .gid = 1234});
  ExpectReached(2);
}

TEST_F(PolicyUsersTest, StarAndRangesOfGroupsLeaveTheOverflowIdOut) {
  Start({.rules = Allow("groups = [\"65000-66000\"]")});
  ExpectClosed({.uid = 1234, .gid = 65534, .groups = {65534}});
  ExpectAllowed({.uid = 1234, .gid = 65534, .groups = {65533}});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, FirstRuleThatMatchesDecides) {
  Start({.rules = Rule(R"(users = [2500]
methods = ["/test.Unary/*"]
action = "deny"
)") + Allow("users = [\"2000-2999\"]") +
                  Allow("users = [2500]", "/test.Other/*")});
  ExpectAllowed({.uid = 2499, .gid = 1});
  ExpectDenied({.uid = 2500, .gid = 1});
  ExpectAllowed({.uid = 2501, .gid = 1});
  ExpectReached(2);
}

TEST_F(PolicyUsersTest, DenyWithoutUsersIsForEveryone) {
  Start({.rules = Rule(R"(methods = ["/test.Other/*"]
action = "deny"
)") + Allow("users = [\"*\"]", "/*/*")});
  ExpectDenied({.uid = 0, .gid = 0}, "test.Other");
  ExpectDenied({.uid = 1234, .gid = 1234}, "test.Other");
  ExpectAllowed({.uid = 1234, .gid = 1234});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, DenyOfStarHasTheOverflowIdToo) {
  Start({.rules = Rule(R"(users = ["*"]
methods = ["/test.Other/*"]
action = "deny"
)") + Allow("users = [\"*\", 65534]", "/*/*")});
  ExpectDenied({.uid = 65534, .gid = 1}, "test.Other");
  ExpectAllowed({.uid = 65534, .gid = 1});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, RuleThatIsNotEnforcedOnlyWatches) {
  Start({.rules = Rule(R"(users = ["*"]
methods = ["/test.Unary/*"]
action = "deny"
enforce = false
)") + Allow("users = [1234]") +
                  Allow("users = [1234, 4321]\nenforce = false", "/*/*")});
  ExpectAllowed({.uid = 1234, .gid = 1});
  ExpectDenied({.uid = 1234, .gid = 1}, "test.Other");
  ExpectClosed({.uid = 4321, .gid = 1});  // only a rule that is not enforced would admit it
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, RuleOfAnotherListenerAdmitsNobody) {
  const std::string other = folder_ / "other.sock";
  Start({.rules = "\n[[listener]]\nname = \"other\"\nmode = \"0666\"\naddress = \"unix://" + other +
                  "\"\n" + Allow("listeners = [\"front\"]\nusers = [1234]") +
                  Allow("listeners = [\"other\"]\nusers = [4321]")});
  ExpectAllowed({.uid = 1234, .gid = 1});
  ExpectClosed({.uid = 4321, .gid = 1});
  RawPeer peer(other, {.uid = 1234, .gid = 1});
  peer.ExpectEnd();
  RawPeer admitted(other, {.uid = 4321, .gid = 1});
  ExpectEcho(admitted, 1);
}

TEST_F(PolicyUsersTest, MethodsAreMatchedWholeAndByPart) {
  Start({.rules = Allow("users = [0]", "/test.*nary/D*")});
  ExpectAllowed({});
  ExpectDenied({}, "test.UnaryX");
  ExpectDenied({}, "xtest.Unary");
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(1, {.method = "XDo"})),
              IsStatus(1, StatusCode::kPermissionDenied, "uid 0 may not call /test.Unary/XDo"));
  EXPECT_THAT(peer.Exchange(Request(3, {.method = "do"})),
              IsStatus(3, StatusCode::kPermissionDenied, "uid 0 may not call /test.Unary/do"));
}

TEST_F(PolicyUsersTest, ConnectionWorksOnForItsUserAfterTheSocketIsPassedOn) {
  Start({.rules = Allow("users = [1234]")});
  // One user connected, and another uses the connection (this thread is root). The identity is the
  // first user's.
  ExpectAllowed({.uid = 1234, .gid = 1});
  RawPeer peer = Peer({.uid = 1234, .gid = 1});
  RunAs({.uid = 4321, .gid = 1}, [&peer] { ExpectEcho(peer, 1); });
}

// An unmapped peer has the overflow id.
TEST_F(PolicyUsersTest, UnmappedUserIsNotAdmittedByStar) {
  Start({.rules = Allow("users = [\"*\"]"), .user_namespace = UserNamespace::kOnlyRoot});
  ExpectAllowed({.uid = 0, .gid = 0});
  ExpectClosed({.uid = 1234, .gid = 0});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, UnmappedUserIsNotAdmittedByARange) {
  Start({.rules = Allow("users = [\"1-4294967294\", 0]"),
         .user_namespace = UserNamespace::kOnlyRoot});
  ExpectClosed({.uid = 1234, .gid = 0});
  ExpectAllowed({.uid = 0, .gid = 0});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, UnmappedUserIsNotAdmittedByItsOutsideId) {
  Start({.rules = Allow("users = [1234, 0]"), .user_namespace = UserNamespace::kOnlyRoot});
  ExpectClosed({.uid = 1234, .gid = 0});
  ExpectAllowed({.uid = 0, .gid = 0});
  ExpectReached(1);
}

TEST_F(PolicyUsersTest, UnmappedUserIsAdmittedByTheWrittenOutId) {
  Start({.rules = Allow("users = [65534]"), .user_namespace = UserNamespace::kOnlyRoot});
  ExpectAllowed({.uid = 1234, .gid = 1234});
  ExpectClosed({.uid = 0, .gid = 0});
  RawPeer peer = Peer({.uid = 1234, .gid = 1234});
  EXPECT_THAT(peer.Exchange(Request(1, {.service = "test.Other"})),
              IsStatus(1, StatusCode::kPermissionDenied, "uid 65534 may not call /test.Other/Do"));
}

TEST_F(PolicyUsersTest, UnmappedGroupsAreNotAdmittedByStar) {
  Start({.rules = Allow("groups = [\"*\"]"), .user_namespace = UserNamespace::kOnlyRoot});
  ExpectClosed({.uid = 1234, .gid = 1234, .groups = {1234, 4321}});
  ExpectAllowed({.uid = 1234, .gid = 0});
  ExpectReached(1);
}

// A cached decision about an allowed call must not allow a call that the rules treat differently.
TEST_F(PolicyUsersTest, AnAllowedCallOpensNoWayForOthers) {
  Start({.rules =
             Rule("users = [0]\nmethods = [\"/test.Unary/Do\"]\nmetadata = { \"mode\" = \"bad\" }\n"
                  "action = \"deny\"\n") +
             Allow("users = [0]", "/test.Unary/Do") + Allow("users = [0]", "/test.Plain/Do")});
  RawPeer peer = Peer();
  const auto denied = [&](uint32_t id, const struct Call& fields) {
    EXPECT_THAT(peer.Exchange(Request(id, fields)),
                IsStatus(id, StatusCode::kPermissionDenied,
                         "uid 0 may not call /" + fields.service + "/" + fields.method));
  };
  for (uint32_t id = 1; id < 20; id += 10) {
    ExpectEcho(peer, id);
    denied(id, {.metadata = {{"mode", "bad"}}});
    EXPECT_EQ(peer.Exchange(Request(id, {.service = "test.Plain", .payload = "p"})),
              Response(id, "p"));
    EXPECT_EQ(peer.Exchange(Request(id, {.service = "test.Plain", .payload = "q"})),
              Response(id, "q"));
    denied(id, {.service = "test.Plain", .method = "Don"});
    denied(id, {.service = "test.Plai", .method = "Do"});
    denied(id, {.metadata = {{"mode", "bad"}}});
  }
}

}  // namespace
}  // namespace integration
