// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"

namespace proxyd {
namespace {

using testing::ElementsAre;

class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() : config_(test::ConfigOf({test::Allow({"/s/M"})})) {
    config_.listeners[1].address = ttrpc::Address::Parse("unix:///y").value();
    config_.rules[0].listeners = {0, 1};
    config_.backends.push_back({.name = "back",
                                .addresses = {*ttrpc::Address::Parse("unix:///nowhere")},
                                .users = {::geteuid()},
                                .position = {}});
  }
  Worker& Start() {
    return *(worker_ = std::make_unique<Worker>(
                 loop_.base(), Snapshot(),
                 WorkerContext{.reports = reports_, .accounting = accounting_}));
  }
  SnapshotPtr Snapshot() const {
    return std::make_shared<const proxyd::Snapshot>(config_, test::kOverflow);
  }
  // Returns the client's end of a new connection at this listener.
  test::OtherEnd& Connect(size_t listener = 0) {
    auto [client, socket] = test::ConnectInAnotherProcess(folder_);
    clients_.push_back(std::make_unique<test::OtherEnd>(worker_->loop(), std::move(client)));
    worker_->Accept(listener, std::move(socket));
    return *clients_.back();
  }
  const ListenerCounters& counters(const std::string& listener) const {
    return worker_->labeled_counters().listeners().at(listener);
  }
  std::vector<uint64_t> peers() const {
    std::vector<uint64_t> ids;
    for (const Peer& peer : worker_->peers()) ids.push_back(peer.identity().id);
    return ids;
  }
  void RunUntilClosed(const test::OtherEnd& client) {
    ::test::RunUntil(loop_, [&client] { return client.closed(); });
  }

  const ::test::TempFolder folder_;
  ttrpc::EventLoop loop_;
  Config config_;
  Audit audit_{config_.audit, std::make_unique<test::NowhereTarget>()};
  Reports reports_{audit_};
  Accounting accounting_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::unique_ptr<test::OtherEnd>> clients_;
};

TEST_F(WorkerTest, APeerThatARuleAllowsIsServed) {
  Start();
  test::OtherEnd& client = Connect();
  EXPECT_THAT(peers(), ElementsAre(1U));
  EXPECT_EQ(worker_->FindPeer(1)->identity().uid, ::geteuid());
  EXPECT_EQ(worker_->FindPeer(2), nullptr);
  EXPECT_EQ(counters("first").admitted, 1U);
  EXPECT_EQ(counters("first").peers, 1U);
  client.Request(1, "/s/M");
  ::test::RunUntil(loop_, [&client] { return !client.messages().empty(); });
  EXPECT_THAT(client.responses(), ElementsAre("1: UNAVAILABLE backend \"back\" cannot be reached"));
}

TEST_F(WorkerTest, APeerThatNoRuleCanAllowIsClosedUnread) {
  config_.rules[0].users = test::Ids({::geteuid() + 1});
  Start();
  test::OtherEnd& client = Connect();
  client.Request(1, "/s/M");
  RunUntilClosed(client);
  EXPECT_TRUE(client.messages().empty());
  EXPECT_TRUE(peers().empty());
  EXPECT_EQ(counters("first").not_admitted, 1U);
  EXPECT_EQ(worker_->counters().peers_refused, 1U);
  EXPECT_EQ(accounting_.connections(), 0U);
}

// Otherwise each call of the daemon would call itself.
TEST_F(WorkerTest, ItIsNoPeerOfItsOwn) {
  Start();
  worker_->Accept(0, std::move(test::Socketpair()[0]));
  EXPECT_TRUE(peers().empty());
  EXPECT_EQ(counters("first").not_admitted, 1U);
}

TEST_F(WorkerTest, ASocketWithoutCredentialsIsClosed) {
  Start();
  worker_->Accept(1, ttrpc::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  EXPECT_TRUE(peers().empty());
  EXPECT_EQ(counters("second").no_credentials, 1U);
}

TEST_F(WorkerTest, NoMoreConnectionsThanAUserMayHave) {
  config_.limits.connections_per_user = 1;
  Start();
  Connect();
  RunUntilClosed(Connect());
  EXPECT_THAT(peers(), ElementsAre(1U));
  EXPECT_EQ(counters("first").over_limit, 1U);
  worker_->FindPeer(1)->Close();
  ::test::RunUntil(loop_, [this] { return accounting_.connections() == 0; });
  Connect();
  EXPECT_THAT(peers(), ElementsAre(2U));
}

TEST_F(WorkerTest, ClosesPeersOfOneListenerUpToOne) {
  Start();
  for (const size_t listener : {0U, 1U, 0U, 0U}) Connect(listener);
  size_t closed = 0;
  while (const size_t some = worker_->CloseSome("first", 3)) closed += some;
  EXPECT_EQ(closed, 2U);
  EXPECT_THAT(peers(), ElementsAre(2U, 4U));
}

TEST_F(WorkerTest, AReloadClosesThoseThatNoRuleAdmitsAnyMore) {
  Start();
  Connect(0);
  Connect(1);
  config_.rules[0].listeners = {1};
  worker_->Reload(Snapshot());
  EXPECT_THAT(peers(), ElementsAre(2U));
  RunUntilClosed(*clients_[0]);
}

TEST_F(WorkerTest, AListenerIsKnownForAsLongAsItHasPeers) {
  Start();
  config_.rules[0].every_listener = true;
  config_.rules[0].listeners.clear();
  worker_->Reload(Snapshot());
  Connect(1);
  config_.listeners.pop_back();
  worker_->Reload(Snapshot());
  EXPECT_TRUE(worker_->KnowsListener("first"));
  EXPECT_TRUE(worker_->KnowsListener("second"));
  worker_->FindPeer(1)->Close();
  EXPECT_FALSE(worker_->KnowsListener("second"));
}

TEST_F(WorkerTest, ItIsDrainedWhenTheLastPeerIsGone) {
  Start();
  Connect();
  bool drained = false;
  worker_->Drain([this, &drained] {
    EXPECT_TRUE(peers().empty());
    drained = true;
  });
  EXPECT_FALSE(drained) << "not from within the call";
  ::test::RunUntil(loop_, [&drained] { return drained; });
  RunUntilClosed(*clients_[0]);
}

TEST_F(WorkerTest, WithoutPeersItIsDrainedInTheNextWakeUp) {
  Start();
  bool drained = false;
  worker_->Drain([&drained] { drained = true; });
  EXPECT_FALSE(drained);
  ::test::RunUntil(loop_, [&drained] { return drained; });
}

TEST_F(WorkerTest, CloseLeavesNobody) {
  Start();
  Connect(0);
  Connect(1);
  worker_->Close();
  EXPECT_TRUE(peers().empty());
  EXPECT_EQ(accounting_.connections(), 2U) << "they are destroyed after this wake-up's callbacks";
  for (const auto& client : clients_) RunUntilClosed(*client);
  ::test::RunUntil(loop_, [this] { return accounting_.connections() == 0; });
}

}  // namespace
}  // namespace proxyd
