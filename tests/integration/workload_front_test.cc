// SPDX-License-Identifier: Apache-2.0
//
// The socket of one workload: which workloads a request may name there, and what becomes of peers
// when the shim or the workload goes.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>

#include "harness/shims_test.h"

namespace integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const Bundle kWeb = {.id = "web"};
const Bundle kDb = {.id = "db"};

class WorkloadFrontTest : public ShimsTest {
 protected:
  // Starts "web" and "db", and the daemon with a front for each.
  void StartTwo(const ShimScene& scene = {}) {
    StartWorkload(kWeb);
    StartWorkload(kDb);
    StartShims(Fronts::kEach, scene);
    AwaitFront(kWeb);
    AwaitFront(kDb);
  }
  static void ExpectDeniedFor(RawPeer& peer, uint32_t stream_id, const std::string& id) {
    EXPECT_THAT(peer.Exchange(Request(stream_id, TaskCall("State", id))), IsDenied(stream_id))
        << id;
  }
};

// ---- The workload that a request names

TEST_F(WorkloadFrontTest, OnlyItsOwnWorkloadMayBeNamed) {
  StartTwo();
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  ExpectServed(peer, 3, TaskCall("State", "web", kTaskV2), kWeb);
  ExpectServed(peer, 5, TaskCall("SandboxStatus", "web", kSandboxService), kWeb);
  uint32_t stream_id = 7;
  for (const char* service : {kTaskV2, kTaskV3, kSandboxService}) {
    for (const char* id : {"db", "nobody", "web ", "we", "WEB", "../k8s.io/web", "k8s.io/web"}) {
      EXPECT_THAT(peer.Exchange(Request(stream_id, TaskCall("State", id, service))),
                  IsDenied(stream_id))
          << service << " " << id;
      stream_id += 2;
    }
  }
  // A request without an id names the empty one.
  EXPECT_THAT(peer.Exchange(Request(stream_id, {.service = kTaskV3, .method = "State"})),
              IsDenied(stream_id));
  ExpectServed(peer, stream_id + 2, TaskCall("State", "web"), kWeb);
  EXPECT_EQ(ShimOf(kWeb).WaitForMessages(0, 4).size(), 4U);
}

TEST_F(WorkloadFrontTest, TheAnswerIsTheSameWhetherAnotherWorkloadExists) {
  StartTwo();
  RawPeer peer = FrontPeer(kWeb);
  EXPECT_EQ(peer.Exchange(Request(1, TaskCall("Kill", "db")))->data,
            peer.Exchange(Request(3, TaskCall("Kill", "nobody")))->data);
}

// A shim takes the last of several ids, and other readers the first.
TEST_F(WorkloadFrontTest, ARequestThatCannotBeReadForSureIsRefused) {
  StartTwo();
  const std::string own = BytesField(1, "web");
  const std::string other = BytesField(1, "db");
  const std::vector<std::string> payloads = {own + other,
                                             other + own,
                                             own + own,
                                             own + VarintField(2, 7) + other,
                                             VarintField(1, 7),
                                             own + VarintField(1, 7),
                                             own + Fixed64Field(1, 7),
                                             BytesField(1, "web\xff"),
                                             own + GroupField(1, ""),
                                             own.substr(0, own.size() - 1),
                                             own + Tag(2, 2),
                                             own + "\xff",
                                             own + Tag(2, 7),
                                             own + Varint(2)};  // field number 0
  RawPeer peer = FrontPeer(kWeb);
  uint32_t stream_id = 1;
  for (const std::string& payload : payloads) {
    EXPECT_THAT(peer.Exchange(Request(stream_id,
                                      {.service = kTaskV3, .method = "State", .payload = payload})),
                IsStatus(stream_id, StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("payload cannot be checked: "), Not(HasSubstr("web")))))
        << testing::PrintToString(payload);
    stream_id += 2;
  }
  // Fields after the id, and unknown ones, are the shim's affair.
  const Call more = {.service = kTaskV3,
                     .method = "Exec",
                     .payload = VarintField(9, 1) + own + BytesField(77, "\xff\x01")};
  ExpectServed(peer, stream_id, more, kWeb);
  // Nothing of the refused requests has reached the shim.
  EXPECT_EQ(ShimOf(kWeb).WaitForMessages(0, 1), std::vector<WireMessage>{Request(1, more)});
}

TEST_F(WorkloadFrontTest, ASandboxsFrontAcceptsItsMembersAndAMembersOnlyItself) {
  const Bundle pod = {.id = "pod"};
  StartWorkload(pod);
  StartShim(kDb);
  for (const char* id : {"one", "two"})
    bundles().Make({.id = id, .bootstrap = Bootstrap(SocketOf(pod)), .sandbox = "pod"});
  // This one says that it is a member, but it has another shim.
  bundles().Make({.id = "db", .bootstrap = Bootstrap(SocketOf(kDb)), .sandbox = "pod"});
  bundles().Make({.id = "far",
                  .name_space = "default",
                  .bootstrap = Bootstrap(SocketOf(pod)),
                  .sandbox = "pod"});
  StartShims(Fronts::kEach);
  for (const char* id : {"pod", "one", "two", "db"}) AwaitFront({.id = id});
  AwaitFront({.id = "far", .name_space = "default"});

  RawPeer sandbox = FrontPeer(pod);
  ExpectServed(sandbox, 1, TaskCall("State", "pod"), pod);
  ExpectServed(sandbox, 3, TaskCall("State", "one"), pod);
  ExpectServed(sandbox, 5, TaskCall("State", "two"), pod);
  ExpectDeniedFor(sandbox, 7, "db");
  ExpectDeniedFor(sandbox, 9, "far");

  RawPeer member = FrontPeer({.id = "one"});
  ExpectServed(member, 1, TaskCall("State", "one"), pod);
  ExpectDeniedFor(member, 3, "two");
  ExpectDeniedFor(member, 5, "pod");
  EXPECT_THAT(member.Exchange(Request(7, {.service = kTaskV3,
                                          .method = "Kill",
                                          .payload = BytesField(1, "one") + BytesField(1, "two")})),
              IsStatus(7, StatusCode::kInvalidArgument, HasSubstr("payload cannot be checked")));
  ExpectServed(member, 9, TaskCall("State", "one"), pod);
}

// containerd 1.6 has no file `sandbox`; its client marks members by an annotation.
TEST_F(WorkloadFrontTest, AnAnnotationMakesAMemberOnOldContainerd) {
  Bundle pod = {.id = "pod"};
  pod.address = "unix://" + SocketOf(pod);
  pod.config = ConfigWith(R"("io.containerd.runc.v2.group":"pod")");
  StartWorkload(pod);
  for (const auto& [id, key] : {std::pair("one", "io.containerd.runc.v2.group"),
                                std::pair("two", "io.kubernetes.cri.sandbox-id")}) {
    bundles().Make({.id = id,
                    .address = "unix://" + SocketOf(pod),
                    .config = ConfigWith("\"" + std::string(key) + "\":\"pod\"")});
  }
  StartShims(Fronts::kEach);
  for (const char* id : {"pod", "one", "two"}) AwaitFront({.id = id});
  RawPeer sandbox = FrontPeer(pod);
  ExpectServed(sandbox, 1, TaskCall("State", "one"), pod);
  ExpectServed(sandbox, 3, TaskCall("State", "two"), pod);
  RawPeer member = FrontPeer({.id = "one"});
  ExpectDeniedFor(member, 1, "two");
}

TEST_F(WorkloadFrontTest, RequestsOfOtherServicesAreNotReadAndGoToTheFrontsShim) {
  StartTwo();
  RawPeer peer = FrontPeer(kWeb);
  const Call odd = {.payload = "\xff" + BytesField(1, "db")};
  ExpectServed(peer, 1, odd, kWeb);
  EXPECT_EQ(ShimOf(kWeb).WaitForMessages(0, 1), std::vector<WireMessage>{Request(1, odd)});
}

// containerd tries service v2 after this status of v3, and after no other.
TEST_F(WorkloadFrontTest, UnimplementedStaysUnimplemented) {
  StartTwo();
  RawPeer peer = FrontPeer(kWeb);
  EXPECT_EQ(peer.Exchange(Request(1, TaskCall("Missing", "web"))),
            StatusResponse(1, 12, "method Missing"));
}

// ---- The connection to the shim

TEST_F(WorkloadFrontTest, TheShimIsConnectedWhenAPeerIsAccepted) {
  StartTwo();
  const RawPeer peer = FrontPeer(kWeb);
  ShimOf(kWeb).WaitForConnections(1);
  EXPECT_EQ(ShimOf(kDb).connections(), 0U);
}

TEST_F(WorkloadFrontTest, APeerWhoseShimCannotBeReachedIsClosed) {
  StartTwo();
  StopShim(kWeb);
  FrontPeer(kWeb).ExpectEnd();
  const ttrpc::UniqueFd refuses = Bind(SocketOf(kWeb));
  FrontPeer(kWeb).ExpectEnd();
  std::filesystem::remove(SocketOf(kWeb));
  StartShim(kWeb);
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
}

// The shim of another user receives nothing.
TEST_F(WorkloadFrontTest, AShimOfAnotherUserIsNotReached) {
  StartTwo({.head = AdminTable()});
  RecordingBackend& shim = StartShim(kWeb, {.uid = 1234, .gid = 0});
  RawPeer peer = FrontPeer(kWeb);
  peer.Send(Request(1, TaskCall("State", "web")));
  peer.ExpectEnd();
  EXPECT_EQ(shim.WaitForEnd(0), std::vector<WireMessage>());
  AwaitListed("k8s.io/web", HasSubstr("uid 1234 listens there"));
  AwaitListed("k8s.io/db", "");
}

TEST_F(WorkloadFrontTest, APeerIsClosedWithItsShim) {
  StartTwo();
  RawPeer peer = FrontPeer(kWeb);
  RawPeer idle = FrontPeer(kWeb);
  RawPeer other = FrontPeer(kDb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  ShimOf(kWeb).WaitForConnections(2);
  StopShim(kWeb);
  peer.ExpectEnd();
  idle.ExpectEnd();
  ExpectServed(other, 1, TaskCall("State", "db"), kDb);
}

TEST_F(WorkloadFrontTest, AUserWithoutARuleIsClosedAndTheShimIsNotDialled) {
  StartTwo();
  FrontPeer(kWeb, Someone(kAlice)).ExpectEnd();
  RawPeer root = FrontPeer(kWeb);
  ExpectServed(root, 1, TaskCall("State", "web"), kWeb);
  EXPECT_EQ(ShimOf(kWeb).connections(), 1U);
}

// ---- The workload goes

TEST_F(WorkloadFrontTest, AWorkloadThatGoesClosesIdlePeersAndLetsCallsFinish) {
  StartTwo();
  RawPeer idle = FrontPeer(kWeb);
  ExpectServed(idle, 1, TaskCall("State", "web"), kWeb);
  RawPeer busy = FrontPeer(kWeb);
  EXPECT_TRUE(busy.Send(Request(1, TaskCall("Hold", "web"))));
  ShimOf(kWeb).WaitForMessages(1, 1);
  bundles().Remove(kWeb);
  AwaitNoFront(kWeb);
  idle.ExpectEnd();
  EXPECT_THAT(busy.Exchange(Request(3, TaskCall("State", "web"))),
              IsStatus(3, StatusCode::kNotFound, "no workload k8s.io/web"));
  EXPECT_TRUE(ShimOf(kWeb).Send(1, Response(1, "finished")));
  EXPECT_EQ(busy.Receive(), Response(1, "finished"));
  busy.ExpectEnd();
  ShimOf(kWeb).WaitForEnd(1);
}

TEST_F(WorkloadFrontTest, ACallThatDoesNotEndIsGivenUpAfterItsWorkloadWentAway) {
  StartTwo();
  RawPeer busy = FrontPeer(kWeb);
  EXPECT_TRUE(busy.Send(Request(1, TaskCall("Wait", "web"))));
  EXPECT_EQ(busy.Receive(), Response(1, "k8s.io/web"));
  EXPECT_TRUE(busy.Send(Request(3, TaskCall("Hold", "web"))));
  ShimOf(kWeb).WaitForMessages(0, 2);
  bundles().Remove(kWeb);
  // Whether a status comes first does not matter here, but the connection must end.
  while (busy.Receive().has_value()) continue;
  ShimOf(kWeb).WaitForLoss(0);
}

TEST_F(WorkloadFrontTest, AWorkloadOfTheSameNameHasNothingOfTheFormerOne) {
  StartTwo();
  RawPeer former = FrontPeer(kWeb);
  EXPECT_TRUE(former.Send(Request(1, TaskCall("Hold", "web"))));
  ShimOf(kWeb).WaitForMessages(0, 1);
  bundles().Remove(kWeb);
  AwaitNoFront(kWeb);
  const Bundle successor = {.id = "successor"};
  StartShim(successor);
  bundles().Make({.id = "web", .bootstrap = Bootstrap(SocketOf(successor))});
  AwaitFront(kWeb);
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), successor);
  EXPECT_THAT(former.Exchange(Request(3, TaskCall("State", "web"))),
              IsStatus(3, StatusCode::kNotFound, "no workload k8s.io/web"));
  EXPECT_TRUE(ShimOf(kWeb).Send(0, Response(1, "finished")));
  EXPECT_EQ(former.Receive(), Response(1, "finished"));
  former.ExpectEnd();
  ExpectServed(peer, 3, TaskCall("State", "web"), successor);
}

// ---- Reports

TEST_F(WorkloadFrontTest, AuditLinesNameTheWorkloadThatTheCallNames) {
  StartTwo({.head = "[audit]\ncalls = \"all\"\n"});
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  ExpectDeniedFor(peer, 3, "db");
  const auto has = [](const std::string& event, const std::string& workload) {
    return [event, workload](const std::string& line) {
      return line.find("\"event\":\"" + event + "\"") != line.npos &&
             line.find("\"workload\":\"" + workload + "\"") != line.npos;
    };
  };
  daemon_->WaitForLines(1, has("call", "k8s.io/web"));
  const auto denied = daemon_->WaitForLines(1, has("deny", "k8s.io/db"));
  ASSERT_EQ(denied.size(), 1U);
  EXPECT_THAT(denied[0], HasSubstr("\"reason\":\"payload\""));
}

const char kPodAnnotations[] =
    R"("io.kubernetes.cri.sandbox-name":"shop-1","io.kubernetes.cri.sandbox-namespace":"team-a")";

TEST_F(WorkloadFrontTest, AuditLinesNameThePod) {
  Bundle web = kWeb;
  web.config = ConfigWith(kPodAnnotations);
  StartWorkload(web);
  StartShims(Fronts::kEach, {.head = "[audit]\ncalls = \"all\"\n"});
  AwaitFront(kWeb);
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"event\":\"call\"") != line.npos &&
           line.find("\"pod\":\"team-a/shop-1\"") != line.npos;
  });
}

TEST_F(WorkloadFrontTest, TheListShowsFrontsPeersAndPods) {
  Bundle web = kWeb;
  web.config = ConfigWith(kPodAnnotations);
  StartWorkload(web);
  StartShims(Fronts::kBoth, {.head = AdminTable()});
  AwaitFront(kWeb);
  AwaitListed("k8s.io/web", "");
  size_t seen = 0;
  for (const ListedWorkload& listed : ListWorkloads()) {
    EXPECT_EQ(listed.name, "k8s.io/web");
    EXPECT_EQ(listed.address, "unix://" + SocketOf(kWeb));
    EXPECT_EQ(listed.pod, "team-a/shop-1");
    EXPECT_EQ(listed.front, listed.listener == "shims" ? FrontOf(kWeb) : "");
    ++seen;
  }
  EXPECT_GE(seen, 1U);
}

}  // namespace
}  // namespace integration
