// SPDX-License-Identifier: Apache-2.0
//
// The loop's side of the follower's reports. The tests report themselves; the follower's own
// directory stays empty.
#include "proxy/workloads.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "workload_harness.h"

namespace proxyd {
namespace {

class WorkloadsTest : public testing::Test {
 protected:
  WorkloadsTest() : config_(test::ConfigOf({test::Allow({"/s/M"})})) {
    EXPECT_EQ(::mkdir((folder_ / "fronts").c_str(), 0711), 0);
    config_.listeners[0].address =
        SocketTemplate{.path = folder_ / "fronts" + "/{namespace}/{id}.sock"};
    config_.listeners[0].discovery = DiscoveryConfig{.directories = {folder_ / "state"}};
    config_.listeners[1].address = ttrpc::Address::Parse("unix:///y").value();
    config_.backends.push_back({.name = "back",
                                .discovered = true,
                                .addresses = {},
                                .users = {::geteuid()},
                                .position = {}});
    worker_ = std::make_unique<Worker>(
        loop_.base(), Snapshot(), WorkerContext{.reports = reports_, .accounting = accounting_});
    workloads_ = std::make_unique<Workloads>(loop_.base(), *worker_);
    EXPECT_TRUE(workloads_->Follow().ok());
    // The follower looks for the fronts of an earlier daemon first.
    ::test::RunUntil(loop_, [this] { return workloads_->settled(); });
  }

  SnapshotPtr Snapshot() const {
    return std::make_shared<const proxyd::Snapshot>(config_, test::kOverflow);
  }
  std::string key() const { return ToString(config_.listeners[0].address); }
  std::string PathOf(const std::string& id) const {
    return folder_ / "fronts" + "/k8s.io/" + id + ".sock";
  }
  static bool Exists(const std::string& path) {
    struct stat found;
    return ::lstat(path.c_str(), &found) == 0;
  }

  void Come(const std::string& id, std::string why = {}) {
    WorkloadChange change = {.listener = key(),
                             .workload = test::WorkloadAt(id, folder_ / "shim"),
                             .front = std::nullopt};
    change.workload.why = std::move(why);
    if (change.workload.why.empty()) {
      ::mkdir((folder_ / "fronts" + "/k8s.io").c_str(), 0711);
      auto socket = ttrpc::ListeningSocket::Create(
          ttrpc::ListeningSocketOptions(*ttrpc::Address::Parse("unix://" + PathOf(id))));
      ASSERT_TRUE(socket) << socket.error();
      change.front.emplace(*std::move(socket));
    }
    Report(std::move(change));
  }
  void Go(const std::string& id) {
    Report({.listener = key(),
            .kind = WorkloadChange::Kind::kGone,
            .workload = test::WorkloadAt(id, folder_ / "shim"),
            .front = std::nullopt});
  }
  void Report(WorkloadChange change) {
    std::vector<WorkloadChange> changes;
    changes.push_back(std::move(change));
    workloads_->OnWorkloads(std::move(changes));
  }
  // Lets the workloads' address take connections.
  void Listen() { shim_ = test::ListenInAnotherProcess(folder_ / "shim"); }
  // Returns `LISTENER ID FRONT`, and what is wrong, of each workload.
  std::vector<std::string> List() const {
    std::vector<std::string> list;
    workloads_->ForEach([&list](const std::string& listener, const WorkloadState& state) {
      std::string line = listener + " " + state.name + " " + state.front();
      if (!state.workload.why.empty()) line.append(": ").append(state.workload.why);
      list.push_back(std::move(line));
    });
    return list;
  }
  ttrpc::UniqueFd ConnectTo(const std::string& id) {
    const auto where = ttrpc::Address::Parse("unix://" + PathOf(id))->ToSocketAddress();
    ttrpc::UniqueFd client = test::NewSocket();
    test::InAnotherProcess([&] { return ::connect(client.get(), where.get(), where.length) == 0; });
    return client;
  }

  const ::test::TempFolder folder_;
  ttrpc::UniqueFd shim_;
  ttrpc::EventLoop loop_;
  Config config_;
  Audit audit_{config_.audit, std::make_unique<test::NowhereTarget>()};
  Reports reports_{audit_};
  Accounting accounting_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Workloads> workloads_;
};

TEST_F(WorkloadsTest, ListsWhatWasReported) {
  Come("b");
  Come("a");
  Come("c", "the name is too long");
  EXPECT_EQ(List(), (std::vector<std::string>{"first k8s.io/a " + PathOf("a"),
                                              "first k8s.io/b " + PathOf("b"),
                                              "first k8s.io/c : the name is too long"}));
  EXPECT_EQ(workloads_->served("first"), 2U);
  EXPECT_EQ(workloads_->faulty("first"), 1U);
  EXPECT_EQ(workloads_->served("second"), 0U);
  EXPECT_EQ(workloads_->served("none"), 0U);
  Come("c");
  EXPECT_EQ(workloads_->served("first"), 3U) << "it was repaired";
  EXPECT_EQ(workloads_->faulty("first"), 0U);
  Go("c");
  Go("unknown");
  EXPECT_EQ(workloads_->served("first"), 2U);
}

TEST_F(WorkloadsTest, AFrontTakesPeersOfItsWorkload) {
  Listen();
  Come("a");
  const ttrpc::UniqueFd client = ConnectTo("a");
  ::test::RunUntil(loop_, [this] { return !worker_->peers().empty(); });
  const Peer& peer = worker_->peers().front();
  EXPECT_EQ(peer.listener_name(), "first");
  ASSERT_NE(peer.front(), nullptr);
  EXPECT_EQ(peer.front()->name, "k8s.io/a");
  EXPECT_EQ(peer.front()->peers, 1U);
}

TEST_F(WorkloadsTest, AWorkloadThatGoesTakesItsFrontAndItsPeers) {
  Listen();
  Come("a");
  test::OtherEnd client(worker_->loop(), ConnectTo("a"));
  ::test::RunUntil(loop_, [this] { return !worker_->peers().empty(); });
  Go("a");
  EXPECT_TRUE(List().empty());
  ::test::RunUntil(loop_, [&client] { return client.closed(); });
  ::test::RunUntil(loop_, [this] { return !Exists(PathOf("a")); });
}

TEST_F(WorkloadsTest, OnlyPeersOfWorkloadsWhoseCallsAreOverAreEnded) {
  Listen();
  Come("a");
  Come("b");
  test::OtherEnd over(worker_->loop(), ConnectTo("a"));
  ::test::RunUntil(loop_, [this] { return worker_->peers().size() == 1; });
  const ttrpc::UniqueFd stays = ConnectTo("b");
  ::test::RunUntil(loop_, [this] { return worker_->peers().size() == 2; });
  worker_->generation()->listener(0)->workloads.Find("k8s.io", "a")->calls_over = true;
  worker_->EndGone();
  ::test::RunUntil(loop_, [&over] { return over.closed(); });
  ::test::RunUntil(loop_, [this] { return worker_->peers().size() == 1; });
  EXPECT_EQ(worker_->peers().front().front()->name, "k8s.io/b");
}

TEST_F(WorkloadsTest, ClearLeavesNothingBehind) {
  Come("a");
  Come("b");
  workloads_->Clear();
  EXPECT_FALSE(Exists(PathOf("a")));
  EXPECT_FALSE(Exists(PathOf("b")));
  EXPECT_FALSE(Exists(folder_ / "fronts" + "/k8s.io"));
  EXPECT_TRUE(Exists(folder_ / "fronts"));
}

TEST_F(WorkloadsTest, ALateReportOfAListenerThatIsGoneIsDropped) {
  const std::string before = key();
  config_.listeners[0].discovery.reset();
  config_.listeners[0].address = ttrpc::Address::Parse("unix:///x").value();
  worker_->Reload(Snapshot());
  EXPECT_TRUE(workloads_->Follow().ok());
  WorkloadChange change = {.listener = before,
                           .workload = test::WorkloadAt("a", folder_ / "shim"),
                           .front = std::nullopt};
  Report(std::move(change));
  EXPECT_TRUE(List().empty());
}

TEST_F(WorkloadsTest, AReloadKeepsWhatStaysTheSame) {
  Come("a");
  config_.listeners[0].name = "renamed";
  worker_->Reload(Snapshot());
  EXPECT_TRUE(workloads_->Follow().ok());
  EXPECT_EQ(List(), std::vector<std::string>{"renamed k8s.io/a " + PathOf("a")});
  EXPECT_TRUE(Exists(PathOf("a")));
}

TEST_F(WorkloadsTest, AReloadChangesWhoMayConnect) {
  Come("a");
  config_.listeners[0].access.mode = 0622;
  worker_->Reload(Snapshot());
  EXPECT_TRUE(workloads_->Follow().ok());
  struct stat found;
  ASSERT_EQ(::lstat(PathOf("a").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0622U);
}

TEST_F(WorkloadsTest, AListenerThatIsRemovedTakesItsFrontsAndKeepsItsPeers) {
  Listen();
  config_.rules[0].listeners.clear();
  config_.rules[0].every_listener = true;
  worker_->Reload(Snapshot());
  Come("a");
  const ttrpc::UniqueFd client = ConnectTo("a");
  ::test::RunUntil(loop_, [this] { return !worker_->peers().empty(); });
  config_.listeners.erase(config_.listeners.begin());
  worker_->Reload(Snapshot());
  EXPECT_TRUE(workloads_->Follow().ok());
  EXPECT_TRUE(List().empty());
  EXPECT_EQ(worker_->peers().size(), 1U);
  ::test::RunUntil(loop_, [this] { return !Exists(PathOf("a")); });
}

TEST_F(WorkloadsTest, AnotherSourceAtTheSameAddressIsAnotherListener) {
  Come("a");
  config_.listeners[0].discovery->directories = {folder_ / "elsewhere"};
  worker_->Reload(Snapshot());
  EXPECT_TRUE(workloads_->Follow().ok());
  EXPECT_TRUE(List().empty());
  ::test::RunUntil(loop_, [this] { return !Exists(PathOf("a")); });
}

}  // namespace
}  // namespace proxyd
