// SPDX-License-Identifier: Apache-2.0
//
// Peers of a listener that discovers: at a workload's own socket, and at one socket for all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "peer_harness.h"
#include "workload_harness.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PeerWorkloadTest : public test::PeerFixture {
 protected:
  PeerWorkloadTest() {
    RuleConfig task = test::Allow({"/containerd.task.v3.Task/*"});
    task.name = "task";
    config_.rules.push_back(task);
    config_.backends[0].discovered = true;
    config_.backends[0].addresses.clear();
    config_.listeners[0].address = SocketTemplate{.path = "/fronts/{namespace}/{id}.sock"};
    config_.listeners[0].discovery = DiscoveryConfig{.directories = {"/state"}};
    Load();
  }

  WorkloadTable& table() { return generation_->listener(0)->workloads; }
  Ref<WorkloadState> Add(const std::string& id) {
    return test::AddWorkload(&table(), test::WorkloadAt(id, folder_ / "s"), at_shared_socket_);
  }
  // Makes the first listener one socket for all.
  void ShareSocket() {
    config_.listeners[0].address = *ttrpc::Address::Parse("unix:///all");
    Load();
    at_shared_socket_ = true;
  }
  static void CallTask(test::OtherEnd& client, uint32_t id, const std::string& workload) {
    client.Send({.stream_id = id, .type = ttrpc::MessageType::kRequest},
                test::TaskRequest("State", test::IdPayload(workload)));
  }

  bool at_shared_socket_ = false;
};

TEST_F(PeerWorkloadTest, AFrontConnectsAtOnce) {
  Listen();
  const Ref<WorkloadState> workload = Add("web");
  auto [peer, client] = NewPeer(kUser, workload);
  EXPECT_EQ(workload->peers, 1U);
  const auto server = Accept();
  ASSERT_NE(server, nullptr) << "before there is a call";
  CallTask(*client, 1, "web");
  RunUntil([&server] { return !server->messages().empty(); });
  EXPECT_EQ(peer.calls().size(), 1U);
  EXPECT_EQ(Accept(), nullptr) << "the call uses the connection that is there";
  server->Respond(1);
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(), ElementsAre("1: OK"));
  peer.Close();
  EXPECT_EQ(workload->peers, 0U);
}

TEST_F(PeerWorkloadTest, APeerWhoseWorkloadCannotBeReachedIsClosed) {
  const Ref<WorkloadState> workload = Add("web");
  auto [peer, client] = NewPeer(kUser, workload);
  EXPECT_THAT(closed_, ElementsAre(1U));
  EXPECT_EQ(workload->peers, 0U);
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->messages(), IsEmpty());
}

// A dead shim looks to its clients as it would without the proxy.
TEST_F(PeerWorkloadTest, TheEndOfTheWorkloadClosesItsPeers) {
  Listen();
  auto [peer, client] = NewPeer(kUser, Add("web"));
  const auto server = Accept();
  CallTask(*client, 1, "web");
  RunUntil([&server] { return !server->messages().empty(); });
  server->Close();
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->messages(), IsEmpty()) << "no status of ours";
}

TEST_F(PeerWorkloadTest, WithoutCallsPeersOfAWorkloadThatIsGoneAreClosed) {
  Listen();
  const Ref<WorkloadState> workload = Add("web");
  auto [peer, client] = NewPeer(kUser, workload);
  const auto server = Accept();
  workload->gone = true;
  workload->RetireBackends();
  peer.OnWorkloadsChanged();
  RunUntil([&client = client] { return client->closed(); });
  RunUntil([&server] { return server->closed(); });
}

TEST_F(PeerWorkloadTest, WithCallsTheyAreClosedAfterTheLast) {
  Listen();
  const Ref<WorkloadState> workload = Add("web");
  auto [peer, client] = NewPeer(kUser, workload);
  const auto server = Accept();
  CallTask(*client, 1, "web");
  RunUntil([&server] { return !server->messages().empty(); });
  workload->gone = true;
  workload->RetireBackends();
  peer.OnWorkloadsChanged();
  CallTask(*client, 3, "web");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(), ElementsAre("3: NOT_FOUND no workload k8s.io/web"));
  server->Respond(1);
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->responses(), ElementsAre("3: NOT_FOUND no workload k8s.io/web", "1: OK"));
}

TEST_F(PeerWorkloadTest, TheLastCallsMayBeEnded) {
  Listen();
  const Ref<WorkloadState> workload = Add("web");
  auto [peer, client] = NewPeer(kUser, workload);
  const auto server = Accept();
  CallTask(*client, 1, "web");
  RunUntil([&server] { return !server->messages().empty(); });
  workload->gone = true;
  peer.EndGone();
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->responses(), ElementsAre("1: UNAVAILABLE workload k8s.io/web is gone"));
  EXPECT_EQ(calls_of_user(), 0U);
}

TEST_F(PeerWorkloadTest, AnAddressThatChangesLeadsNewCallsElsewhere) {
  Listen();
  const Ref<WorkloadState> workload = Add("web");
  auto [peer, client] = NewPeer(kUser, workload);
  const auto before = Accept();
  EXPECT_TRUE(workload->Set(test::WorkloadAt("web", folder_ / "t")));
  peer.OnWorkloadsChanged();
  RunUntil([&before] { return before->closed(); });
  CallTask(*client, 1, "web");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(),
              ElementsAre("1: UNAVAILABLE backend \"back\" cannot be reached"));
  EXPECT_FALSE(workload->Set(test::WorkloadAt("web", folder_ / "t"))) << "it is the same";
}

TEST_F(PeerWorkloadTest, ASharedSocketConnectsAtTheFirstCallOfAWorkload) {
  ShareSocket();
  Listen();
  Add("one");
  Add("two");
  auto [peer, client] = NewPeer();
  EXPECT_EQ(Accept(), nullptr);
  CallTask(*client, 1, "one");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto one = Accept();
  ASSERT_NE(one, nullptr);
  CallTask(*client, 3, "two");
  RunUntil([&peer = peer] { return peer.calls().size() == 2; });
  const auto two = Accept();
  ASSERT_NE(two, nullptr);
  // The loss of one fails only the calls on it.
  one->Close();
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(), ElementsAre("1: UNAVAILABLE backend \"back\" disconnected"));
  RunUntil([&two] { return !two->messages().empty(); });
  two->Respond(1);
  RunUntilResponses(*client, 2);
  EXPECT_THAT(closed_, IsEmpty());
}

// A reload can take `discover` from a listener before the connections to its workloads are retired.
TEST_F(PeerWorkloadTest, ConnectionsEndAlsoAtAListenerThatDiscoversNoMore) {
  ShareSocket();
  Listen();
  const Ref<WorkloadState> workload = Add("one");
  auto [peer, client] = NewPeer();
  CallTask(*client, 1, "one");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto one = Accept();
  ASSERT_NE(one, nullptr);
  RunUntil([&one] { return !one->messages().empty(); });
  one->Respond(1);
  RunUntilResponses(*client, 1);
  generation_->listener(0)->config.discovery.reset();
  workload->gone = true;
  workload->RetireBackends();
  peer.OnWorkloadsChanged();
  RunUntil([&one] { return one->closed(); });
  EXPECT_THAT(closed_, IsEmpty());
}

TEST_F(PeerWorkloadTest, APeerHasALimitedNumberOfWorkloads) {
  config_.limits.backends_per_peer = 1;
  ShareSocket();
  Listen();
  Add("one");
  Add("two");
  auto [peer, client] = NewPeer();
  CallTask(*client, 1, "one");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto one = Accept();
  CallTask(*client, 3, "two");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(),
              ElementsAre("3: RESOURCE_EXHAUSTED limit backends_per_peer = 1 reached"));
  RunUntil([&one] { return !one->messages().empty(); });
  one->Respond(1);
  RunUntilResponses(*client, 2);
  CallTask(*client, 5, "two");
  RunUntil([&one] { return one->closed(); });
  EXPECT_NE(Accept(), nullptr) << "the one without a call made room";
  EXPECT_EQ(peer.calls().size(), 1U);
}

TEST_F(PeerWorkloadTest, TheOneLongestWithoutACallMakesRoom) {
  config_.limits.backends_per_peer = 2;
  ShareSocket();
  Listen();
  for (const char* id : {"one", "two", "three"}) Add(id);
  auto [peer, client] = NewPeer();
  CallTask(*client, 1, "one");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto one = Accept();
  CallTask(*client, 3, "two");
  RunUntil([&peer = peer] { return peer.calls().size() == 2; });
  const auto two = Accept();
  RunUntil([&] { return !one->messages().empty() && !two->messages().empty(); });
  two->Respond(1);
  RunUntilResponses(*client, 1);
  one->Respond(1);
  RunUntilResponses(*client, 2);
  CallTask(*client, 5, "three");
  RunUntil([&two] { return two->closed(); });
  EXPECT_FALSE(one->closed());
}

// A rule with {user} needs the name, which arrives from another thread.
TEST_F(PeerWorkloadTest, TheFirstCallWaitsForTheNameOfTheUser) {
  config_.rules.back().ids.push_back(*NamePattern::Parse("{user}-*"));
  Load();
  Listen();
  const Ref<WorkloadState> workload = Add("user1000-web");
  auto [peer, client] = NewPeer(kUser, workload);
  const auto server = Accept();
  CallTask(*client, 1, "user1000-web");
  RunUntil([&server] { return !server->messages().empty(); });
  EXPECT_EQ(peer.calls().size(), 1U);
}

}  // namespace
}  // namespace proxyd
