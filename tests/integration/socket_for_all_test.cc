// SPDX-License-Identifier: Apache-2.0
//
// One socket for all workloads: how a call finds its workload, what a user without rights learns of
// the others, and how many shims one peer may be connected to.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>

#include "harness/shims_test.h"

namespace integration {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

const Bundle kWeb = {.id = "web"};
const Bundle kDb = {.id = "db"};
const Bundle kCache = {.id = "cache", .name_space = "default"};

// Alice may read the state of workloads that are named for her uid.
constexpr char kOwnRules[] = R"(
[[rule]]
name = "own"
users = [40001]
methods = ["/containerd.task.v3.Task/State"]
namespaces = ["k8s.io"]
ids = ["{uid}-*"]
action = "allow"
backend = "shim"
)";

class SocketForAllTest : public ShimsTest {
 protected:
  // Starts the workloads, and the daemon, which knows them all then.
  void StartAll(const std::vector<Bundle>& workloads, const ShimScene& scene = {}) {
    for (const Bundle& bundle : workloads) StartWorkload(bundle);
    ShimScene with_root = scene;
    if (scene.rules != kRootMayAll) with_root.rules += kRootMayAll;
    StartShims(Fronts::kOne, with_root);
    RawPeer peer = AllPeer();
    for (const Bundle& bundle : workloads) AwaitRouted(peer, bundle, 1);
    peer.Close();
    for (const Bundle& bundle : workloads) ShimOf(bundle).WaitForEnd(0);
  }
  static Call Route(const std::string& method, const Bundle& bundle) {
    return RoutedCall(method, bundle.id, bundle.name_space);
  }
  // Sends a call that its shim holds, and waits until it is there.
  void Hold(RawPeer& peer, uint32_t stream_id, const Bundle& bundle, size_t connection) {
    EXPECT_TRUE(peer.Send(Request(stream_id, Route("Hold", bundle))));
    ShimOf(bundle).WaitForMessages(connection, 1);
  }
  // Answers the first call on a connection of a shim. The id there is the daemon's choice.
  void Finish(const Bundle& bundle, size_t connection) {
    const auto messages = ShimOf(bundle).WaitForMessages(connection, 1);
    ASSERT_FALSE(messages.empty());
    EXPECT_TRUE(ShimOf(bundle).Send(connection, Response(messages[0].stream_id, "finished")));
  }
};

// ---- The way of a call

TEST_F(SocketForAllTest, EachCallGoesToTheWorkloadThatItNames) {
  StartAll({kWeb, kDb, kCache});
  RawPeer peer = AllPeer();
  uint32_t stream_id = 1;
  for (const char* service : {kTaskV2, kTaskV3, kSandboxService}) {
    for (const Bundle& bundle : {kWeb, kCache, kDb, kWeb}) {
      Call call = Route("State", bundle);
      call.service = service;
      ExpectServed(peer, stream_id, call, bundle);
      stream_id += 2;
    }
  }
  // One connection to each shim, made at the first call.
  for (const Bundle& bundle : {kWeb, kDb, kCache}) EXPECT_EQ(ShimOf(bundle).connections(), 2U);
}

TEST_F(SocketForAllTest, RequestsPassUnchanged) {
  StartAll({kWeb});
  RawPeer peer = AllPeer();
  Call call = Route("Exec", kWeb);
  call.payload += BytesField(2, "exec") + BytesField(77, "\xff");
  call.metadata.insert(call.metadata.begin(), {"a", "b"});
  ExpectServed(peer, 5, call, kWeb);
  const auto messages = ShimOf(kWeb).WaitForMessages(1, 1);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].data, EncodeCall(call));
}

TEST_F(SocketForAllTest, TheNamespaceMustBeSentOnceAndInLowerCase) {
  StartAll({kWeb});
  const std::string key = "containerd-namespace-ttrpc";
  const std::vector<Metadata> bad = {{},
                                     {{key, "k8s.io"}, {key, "k8s.io"}},
                                     {{key, "k8s.io"}, {key, "default"}},
                                     {{"Containerd-Namespace-Ttrpc", "k8s.io"}},
                                     {{key, "k8s.io"}, {"CONTAINERD-NAMESPACE-TTRPC", "default"}}};
  RawPeer peer = AllPeer();
  uint32_t stream_id = 1;
  for (const Metadata& metadata : bad) {
    Call call = Route("State", kWeb);
    call.metadata = metadata;
    EXPECT_THAT(peer.Exchange(Request(stream_id, call)),
                IsStatus(stream_id, StatusCode::kInvalidArgument, ::testing::_));
    stream_id += 2;
  }
  ExpectServed(peer, stream_id, Route("State", kWeb), kWeb);
}

TEST_F(SocketForAllTest, ARequestThatNamesTwoIsRefused) {
  StartAll({kWeb, kDb});
  RawPeer peer = AllPeer();
  Call call = Route("Kill", kWeb);
  call.payload += BytesField(1, "db");
  EXPECT_THAT(peer.Exchange(Request(1, call)),
              IsStatus(1, StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("payload cannot be checked: "), Not(HasSubstr("db")))));
  ExpectServed(peer, 3, Route("State", kWeb), kWeb);
  EXPECT_EQ(ShimOf(kDb).connections(), 1U);
}

TEST_F(SocketForAllTest, OtherServicesAreUnimplemented) {
  StartAll({kWeb});
  RawPeer peer = AllPeer();
  Call call = Route("Do", kWeb);
  call.service = "test.Unary";
  EXPECT_THAT(peer.Exchange(Request(1, call)),
              IsStatus(1, StatusCode::kUnimplemented, "service test.Unary"));
  EXPECT_EQ(peer.Exchange(Request(3, Route("Missing", kWeb))),
            StatusResponse(3, 12, "method Missing"));
}

TEST_F(SocketForAllTest, AWorkloadThatIsUnknownIsNotFoundByWhoMayCallIt) {
  StartAll({kWeb});
  RawPeer peer = AllPeer();
  EXPECT_THAT(peer.Exchange(Request(1, Route("State", kDb))),
              IsStatus(1, StatusCode::kNotFound, "no workload k8s.io/db"));
  EXPECT_THAT(peer.Exchange(Request(3, Route("State", {.id = "web", .name_space = "default"}))),
              IsStatus(3, StatusCode::kNotFound, "no workload default/web"));
  ExpectServed(peer, 5, Route("State", kWeb), kWeb);
}

// ---- Users and their own workloads

class OwnWorkloadsTest : public SocketForAllTest {
 protected:
  const Bundle alices_ = {.id = "40001-web"};
  const Bundle bobs_ = {.id = "40002-web"};
};

TEST_F(OwnWorkloadsTest, AUserReadsItsOwnAndLearnsNothingOfOthers) {
  StartAll({alices_, bobs_}, {.rules = kOwnRules});
  RawPeer alice = AllPeer(Someone(kAlice));
  ExpectServed(alice, 1, Route("State", alices_), alices_);
  EXPECT_THAT(alice.Exchange(Request(3, Route("Kill", alices_))), IsDenied(3));
  // The answers are the same whether the workload of another user exists.
  const auto bobs = alice.Exchange(Request(5, Route("State", bobs_)));
  EXPECT_THAT(bobs, IsDenied(5));
  const auto nobodys = alice.Exchange(Request(7, Route("State", {.id = "40003-web"})));
  ASSERT_TRUE(bobs && nobodys);
  EXPECT_EQ(bobs->data, nobodys->data);
  const auto kill_bobs = alice.Exchange(Request(9, Route("Kill", bobs_)));
  const auto kill_nobodys = alice.Exchange(Request(11, Route("Kill", {.id = "40003-web"})));
  ASSERT_TRUE(kill_bobs && kill_nobodys);
  EXPECT_EQ(kill_bobs->data, kill_nobodys->data);
  // Only its own names are not found.
  EXPECT_THAT(alice.Exchange(Request(13, Route("State", {.id = "40001-none"}))),
              IsStatus(13, StatusCode::kNotFound, "no workload k8s.io/40001-none"));
  EXPECT_THAT(
      alice.Exchange(Request(15, Route("State", {.id = "40001-web", .name_space = "default"}))),
      IsDenied(15));
  EXPECT_EQ(ShimOf(bobs_).connections(), 1U);
}

TEST_F(OwnWorkloadsTest, AUserWithoutARuleIsClosed) {
  StartAll({alices_}, {.rules = kOwnRules});
  AllPeer(Someone(kBob)).ExpectEnd();
}

// ---- Connections to shims

TEST_F(SocketForAllTest, AShimThatCannotBeReachedFailsOnlyItsCalls) {
  StartAll({kWeb, kDb});
  RawPeer peer = AllPeer();
  StopShim(kWeb);
  EXPECT_THAT(peer.Exchange(Request(1, Route("State", kWeb))),
              IsStatus(1, StatusCode::kUnavailable, HasSubstr("cannot be reached")));
  ExpectServed(peer, 3, Route("State", kDb), kDb);
  StartShim(kWeb);
  ExpectServed(peer, 5, Route("State", kWeb), kWeb);
}

TEST_F(SocketForAllTest, AShimThatIsLostFailsOnlyItsCalls) {
  StartAll({kWeb, kDb});
  RawPeer peer = AllPeer();
  Hold(peer, 1, kWeb, 1);
  Hold(peer, 3, kDb, 1);
  StopShim(kWeb);
  EXPECT_THAT(peer.Receive(), IsStatus(1, StatusCode::kUnavailable, ::testing::_));
  Finish(kDb, 1);
  EXPECT_EQ(peer.Receive(), Response(3, "finished"));
  StartShim(kWeb);
  ExpectServed(peer, 5, Route("State", kWeb), kWeb);
}

TEST_F(SocketForAllTest, AShimOfAnotherUserIsNotReached) {
  StartAll({kWeb}, {.head = AdminTable()});
  RecordingBackend& shim = StartShim(kWeb, {.uid = 1234, .gid = 0});
  RawPeer peer = AllPeer();
  EXPECT_THAT(peer.Exchange(Request(1, Route("State", kWeb))),
              IsStatus(1, StatusCode::kUnavailable, ::testing::_));
  EXPECT_EQ(shim.WaitForEnd(0), std::vector<WireMessage>());
  AwaitListed("k8s.io/web", ::testing::HasSubstr("uid 1234 listens there"));
}

TEST_F(SocketForAllTest, TheConnectionLongestWithoutACallMakesRoom) {
  StartAll({kWeb, kDb, kCache}, {.head = "[limits]\nbackends_per_peer = 2\n"});
  RawPeer peer = AllPeer();
  ExpectServed(peer, 1, Route("State", kWeb), kWeb);
  ExpectServed(peer, 3, Route("State", kDb), kDb);
  ExpectServed(peer, 5, Route("State", kWeb), kWeb);
  ExpectServed(peer, 7, Route("State", kCache), kCache);
  ShimOf(kDb).WaitForEnd(1);
  ExpectServed(peer, 9, Route("State", kWeb), kWeb);
  EXPECT_EQ(ShimOf(kWeb).WaitForMessages(1, 3).size(), 3U);
  // The one that was closed is dialled again.
  ExpectServed(peer, 11, Route("State", kDb), kDb);
  EXPECT_EQ(ShimOf(kDb).connections(), 3U);
}

TEST_F(SocketForAllTest, WithoutAConnectionToCloseTheLimitRefuses) {
  StartAll({kWeb, kDb, kCache}, {.head = "[limits]\nbackends_per_peer = 2\n"});
  RawPeer peer = AllPeer();
  Hold(peer, 1, kWeb, 1);
  Hold(peer, 3, kDb, 1);
  EXPECT_THAT(peer.Exchange(Request(5, Route("State", kCache))),
              IsStatus(5, StatusCode::kResourceExhausted, HasSubstr("limit backends_per_peer")));
  ExpectServed(peer, 7, Route("State", kDb), kDb);  // it has a connection
  RawPeer other = AllPeer();
  ExpectServed(other, 1, Route("State", kCache), kCache);
  Finish(kWeb, 1);
  EXPECT_EQ(peer.Receive(), Response(1, "finished"));
  ExpectServed(peer, 9, Route("State", kCache), kCache);
  ShimOf(kWeb).WaitForEnd(1);
}

// ---- Workloads that go

TEST_F(SocketForAllTest, AWorkloadThatGoesLeavesThePeerAndItsOtherCalls) {
  StartAll({kWeb, kDb});
  RawPeer peer = AllPeer();
  Hold(peer, 1, kWeb, 1);
  Hold(peer, 3, kDb, 1);
  bundles().Remove(kWeb);
  // The daemon has noticed once a call is not found.
  uint32_t stream_id = 5;
  EXPECT_TRUE(Eventually([&] {
    const auto answer = peer.Exchange(Request(stream_id, Route("State", kWeb)));
    stream_id += 2;
    return !answer || answer != Response(stream_id - 2, "k8s.io/web");
  }));
  EXPECT_THAT(peer.Exchange(Request(stream_id, Route("State", kWeb))),
              IsStatus(stream_id, StatusCode::kNotFound, "no workload k8s.io/web"));
  Finish(kWeb, 1);
  EXPECT_EQ(peer.Receive(), Response(1, "finished"));
  Finish(kDb, 1);
  EXPECT_EQ(peer.Receive(), Response(3, "finished"));
  ExpectServed(peer, stream_id + 2, Route("State", kDb), kDb);
}

TEST_F(SocketForAllTest, AWorkloadWithAProblemGetsNoCalls) {
  StartAll({kWeb}, {.head = AdminTable()});
  bundles().Make({.id = "bad", .bootstrap = "{"});
  AwaitFaulty("k8s.io/bad");
  RawPeer peer = AllPeer();
  const auto answer = peer.Exchange(Request(1, RoutedCall("State", "bad")));
  ASSERT_TRUE(answer);
  ttrpc::ResponseView response;
  ASSERT_TRUE(ttrpc::ParseResponse(answer->data, &response).ok());
  EXPECT_THAT(response.code, AnyOf(StatusCode::kUnavailable, StatusCode::kNotFound));
  ExpectServed(peer, 3, Route("State", kWeb), kWeb);
}

TEST_F(SocketForAllTest, DrainLetsCallsFinish) {
  StartAll({kWeb, kDb});
  RawPeer idle = AllPeer();
  ExpectServed(idle, 1, Route("State", kDb), kDb);
  RawPeer busy = AllPeer();
  Hold(busy, 1, kWeb, 1);
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  EXPECT_THAT(busy.Exchange(Request(3, Route("State", kDb))),
              IsStatus(3, StatusCode::kUnavailable, "draining"));
  Finish(kWeb, 1);
  EXPECT_EQ(busy.Receive(), Response(1, "finished"));
  busy.ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_FALSE(std::filesystem::exists(all_path()));
}

}  // namespace
}  // namespace integration
