// SPDX-License-Identifier: Apache-2.0
//
// Rules that name workloads: `ids` with {uid} and {user}, `namespaces` and `annotations`, also when
// a reload changes them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "harness/shims_test.h"

namespace integration {
namespace {

constexpr char kTeamAnnotation[] = "io.kubernetes.cri.sandbox-namespace";

// Debian gives uid 1 to this user, which the daemon looks up.
constexpr Identity kDaemonUser = {.uid = 1, .gid = 1};

std::string Rule(const std::string& action, const std::string& users, const std::string& keys) {
  // Names of rules must differ.
  const std::string name = action + " " + std::to_string(std::hash<std::string>()(keys));
  return "[[rule]]\nname = \"" + name + "\"\n" +
         (users.empty() ? "" : "users = [" + users + "]\n") +
         "methods = [\"/containerd.task.v3.Task/*\"]\naction = \"" + action + "\"\n" + keys +
         (action == "allow" ? "backend = \"shim\"\n" : "");
}

class WorkloadPolicyTest : public ShimsTest {
 protected:
  void StartWith(const std::vector<Bundle>& workloads, const std::string& rules) {
    for (const Bundle& bundle : workloads) StartWorkload(bundle);
    StartShims(Fronts::kEach, {.rules = rules});
    for (const Bundle& bundle : workloads) AwaitFront(bundle);
  }
  void ExpectMay(const Identity& who, const Bundle& bundle) {
    RawPeer peer = FrontPeer(bundle, who);
    ExpectServed(peer, 1, TaskCall("State", bundle.id), bundle);
  }
  void ExpectMayNot(const Identity& who, const Bundle& bundle) {
    RawPeer peer = FrontPeer(bundle, who);
    EXPECT_THAT(peer.Exchange(Request(1, TaskCall("State", bundle.id))), IsDenied(1));
  }
  static Bundle WithAnnotation(const std::string& id, const std::string& value) {
    return {.id = id,
            .config = ConfigWith("\"" + std::string(kTeamAnnotation) + "\":\"" + value + "\"")};
  }
};

TEST_F(WorkloadPolicyTest, IdsOfTheUsersOwnUid) {
  const Bundle alices = {.id = "40001-web"};
  const Bundle bobs = {.id = "40002-web"};
  const Bundle longer = {.id = "400012-web"};
  StartWith({alices, bobs, longer}, Rule("allow", "\"*\"", "ids = [\"{uid}-*\"]\n"));
  ExpectMay(Someone(kAlice), alices);
  ExpectMayNot(Someone(kAlice), bobs);
  ExpectMayNot(Someone(kAlice), longer);
  ExpectMay(Someone(kBob), bobs);
  ExpectMayNot({}, alices);
}

TEST_F(WorkloadPolicyTest, IdsOfTheUsersOwnName) {
  const Bundle own = {.id = "daemon.web"};
  const Bundle other = {.id = "root.web"};
  StartWith({own, other}, Rule("allow", "\"*\"", "ids = [\"{user}.*\"]\n"));
  ExpectMay(kDaemonUser, own);
  ExpectMayNot(kDaemonUser, other);
  ExpectMay({}, other);
  // This uid has no name.
  ExpectMayNot(Someone(kAlice), own);
}

TEST_F(WorkloadPolicyTest, AnUnknownNameDeniesWhereARuleDenies) {
  const Bundle web = {.id = "web"};
  StartWith({web}, Rule("deny", "", "ids = [\"{user}\"]\n") + Rule("allow", "\"*\"", ""));
  ExpectMay(kDaemonUser, web);
  ExpectMayNot(Someone(kAlice), web);
}

TEST_F(WorkloadPolicyTest, CallsOfAPeerKeepTheirOrderWhileItsNameIsRead) {
  const Bundle own = {.id = "daemon.web"};
  StartWith({own}, Rule("allow", "\"*\"", "ids = [\"{user}.*\"]\n"));
  RawPeer peer = FrontPeer(own, kDaemonUser);
  std::string bytes;
  for (uint32_t id = 1; id < 20; id += 2) bytes += Encode(Request(id, TaskCall("State", own.id)));
  EXPECT_TRUE(peer.Send(bytes));
  for (uint32_t id = 1; id < 20; id += 2) EXPECT_EQ(peer.Receive(), Response(id, NameOf(own)));
}

TEST_F(WorkloadPolicyTest, Namespaces) {
  const Bundle first = {.id = "web", .name_space = "team-a"};
  const Bundle second = {.id = "web", .name_space = "team-b"};
  const Bundle third = {.id = "web", .name_space = "k8s.io"};
  StartWith({first, second, third},
            Rule("deny", "", "namespaces = [\"team-b\"]\n") +
                Rule("allow", "40001", "namespaces = [\"default\", \"team-*\"]\n"));
  ExpectMay(Someone(kAlice), first);
  ExpectMayNot(Someone(kAlice), second);
  ExpectMayNot(Someone(kAlice), third);
}

TEST_F(WorkloadPolicyTest, Annotations) {
  const Bundle team = WithAnnotation("team", "team-a");
  const Bundle other = WithAnnotation("other", "team-b");
  const Bundle none = {.id = "none"};
  Bundle garbage = {.id = "garbage"};
  garbage.config = "{\"annotations\":{\"" + std::string(kTeamAnnotation) + "\":\"team-a\"";
  StartWith({team, other, none, garbage},
            Rule("allow", "40001",
                 "annotations = { \"" + std::string(kTeamAnnotation) + "\" = \"team-a\" }\n"));
  ExpectMay(Someone(kAlice), team);
  ExpectMayNot(Someone(kAlice), other);
  ExpectMayNot(Someone(kAlice), none);
  ExpectMayNot(Someone(kAlice), garbage);
}

// Nobody can know what a workload without the annotation is.
TEST_F(WorkloadPolicyTest, AMissingAnnotationAlwaysMeetsADenyRule) {
  const Bundle team = WithAnnotation("team", "team-a");
  const Bundle secret = WithAnnotation("secret", "secret");
  const Bundle none = {.id = "none"};
  StartWith({team, secret, none},
            Rule("deny", "",
                 "annotations = { \"" + std::string(kTeamAnnotation) + "\" = \"secret\" }\n") +
                Rule("allow", "40001", ""));
  ExpectMay(Someone(kAlice), team);
  ExpectMayNot(Someone(kAlice), secret);
  ExpectMayNot(Someone(kAlice), none);
}

TEST_F(WorkloadPolicyTest, AnnotationsOfFilesThatOthersMayWriteDoNotCount) {
  const Bundle owner = WithAnnotation("owner", "team-a");
  const Bundle writable = WithAnnotation("writable", "team-a");
  const Bundle link = WithAnnotation("link", "team-a");
  for (const Bundle& bundle : {owner, writable, link}) {
    StartShim(bundle);
    bundles().Make({.id = bundle.id, .config = bundle.config});
  }
  const auto file = [this](const Bundle& bundle) {
    return bundles().PathOf(bundle) + "/config.json";
  };
  ASSERT_EQ(::chown(file(owner).c_str(), kAlice, 0), 0);
  ASSERT_EQ(::chmod(file(writable).c_str(), 0666), 0);
  std::filesystem::rename(file(link), folder_ / "elsewhere");
  std::filesystem::create_symlink(folder_ / "elsewhere", file(link));
  for (const Bundle& bundle : {owner, writable, link})
    bundles().Put(bundle, "bootstrap.json", Bootstrap(SocketOf(bundle)));
  StartShims(Fronts::kEach, {.rules = Rule("allow", "40001",
                                           "annotations = { \"" + std::string(kTeamAnnotation) +
                                               "\" = \"team-a\" }\n")});
  for (const Bundle& bundle : {owner, writable, link}) {
    AwaitFront(bundle);
    ExpectMayNot(Someone(kAlice), bundle);
  }
}

// The file was read before for other keys.
TEST_F(WorkloadPolicyTest, ReloadReadsAnnotationsThatNoRuleNamedBefore) {
  const Bundle team = WithAnnotation("team", "team-a");
  const Bundle other = WithAnnotation("other", "team-b");
  Bundle tier = {.id = "tier", .config = ConfigWith(R"("example.org/tier":"gold")")};
  StartWith({team, other, tier}, Rule("allow", "40001", "ids = [\"nothing\"]\n"));
  ExpectMayNot(Someone(kAlice), tier);
  ReloadShims(Fronts::kEach, {.rules = Rule("allow", "40001",
                                            "annotations = { \"example.org/tier\" = \"g*\" }\n")});
  RawPeer peer = FrontPeer(tier, Someone(kAlice));
  uint32_t stream_id = 1;
  EXPECT_TRUE(Eventually([&] {
    const auto answer = peer.Exchange(Request(stream_id, TaskCall("State", "tier")));
    stream_id += 2;
    return !answer || answer == Response(stream_id - 2, "k8s.io/tier");
  }));
  ExpectMay(Someone(kAlice), tier);
  ExpectMayNot(Someone(kAlice), team);
  ReloadShims(Fronts::kEach, {.rules = Rule("allow", "40001", "ids = [\"other\"]\n")});
  ExpectMay(Someone(kAlice), other);
  EXPECT_THAT(peer.Exchange(Request(stream_id, TaskCall("State", "tier"))), IsDenied(stream_id));
}

TEST_F(WorkloadPolicyTest, OneListenersWorkloadRulesAreNotAnothers) {
  const Bundle web = {.id = "web"};
  StartWorkload(web);
  StartShims(Fronts::kBoth,
             {.rules = Rule("allow", "40001", "listeners = [\"shims\"]\nids = [\"web\"]\n") +
                       Rule("allow", "40001", "listeners = [\"all\"]\nids = [\"other\"]\n")});
  AwaitFront(web);
  ExpectMay(Someone(kAlice), web);
  RawPeer all = AllPeer(Someone(kAlice));
  EXPECT_THAT(all.Exchange(Request(1, RoutedCall("State", "web"))), IsDenied(1));
}

TEST_F(WorkloadPolicyTest, TheSecondVerdictOnAConnectionIsNotTheFirst) {
  const Bundle pod = {.id = "pod"};
  StartWorkload(pod);
  for (const char* id : {"a-web", "b-web"})
    bundles().Make({.id = id, .bootstrap = Bootstrap(SocketOf(pod)), .sandbox = "pod"});
  StartShims(Fronts::kEach, {.rules = Rule("allow", "40001", "ids = [\"a-*\"]\n")});
  for (const char* id : {"pod", "a-web", "b-web"}) AwaitFront({.id = id});
  RawPeer peer = FrontPeer(pod, Someone(kAlice));
  for (uint32_t id = 1; id < 20; id += 6) {
    ExpectServed(peer, id, TaskCall("State", "a-web"), pod);
    EXPECT_THAT(peer.Exchange(Request(id + 2, TaskCall("State", "b-web"))), IsDenied(id + 2));
    EXPECT_THAT(peer.Exchange(Request(id + 4, TaskCall("State", "pod"))), IsDenied(id + 4));
  }
}

}  // namespace
}  // namespace integration
