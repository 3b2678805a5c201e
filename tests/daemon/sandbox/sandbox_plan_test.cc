// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "daemon/config/testing.h"

namespace proxyd {
namespace {

constexpr char kNone[] = "";

SandboxPlan PlanOf(const std::string& text) {
  const LoadedConfig loaded = ParseText(text);
  EXPECT_THAT(Strings(loaded.errors), ::testing::IsEmpty()) << text;
  return loaded.config ? PlanSandbox(*loaded.config) : SandboxPlan();
}

std::string Listener(const std::string& name, const std::string& address) {
  return "[[listener]]\nname = \"" + name + "\"\naddress = \"" + address + "\"\n";
}

std::string Backend(const std::string& keys) { return "[[backend]]\nname = \"b\"\n" + keys + "\n"; }

struct PlanRow {
  std::string config;
  SandboxPlan plan;
};

TEST(SandboxPlanTest, HasWhatTheConfigurationNames) {
  const std::vector<PlanRow> rows = {
      {"", {}},
      {"[log]\ntarget = \"file:/var/log/proxy/log\"\n", {.log_folders = {"/var/log/proxy"}}},
      {"[log]\ntarget = \"journal\"\n", {}},
      {"[log]\ntarget = \"file:/log\"\n[audit]\ntarget = \"file:/var//audit\"\n",
       {.log_folders = {"/", "/var"}}},
      {"[log]\ntarget = \"file:/l/log\"\n[audit]\ntarget = \"file:/l/audit\"\n",
       {.log_folders = {"/l"}}},
      {Listener("a", "unix:///run/p/a.sock") + Listener("b", "unix:///run/p/b.sock") +
           Listener("c", "unix:///run/p/q/c.sock"),
       {.socket_folders = {"/run/p", "/run/p/q"}}},
      {Listener("a", "unix-abstract:/run/a") + Listener("b", "systemd:b"), {}},
      {"[admin]\naddress = \"unix:///run/p/admin.sock\"\nusers = [\"root\"]\n",
       {.socket_folders = {"/run/p"}}},
      {"[metrics]\naddress = \"unix:///run/m/metrics.sock\"\n", {.socket_folders = {"/run/m"}}},
      {"[metrics]\naddress = \"tcp:127.0.0.1:9464\"\n", {.tcp = true}},
      {Backend("address = \"unix:///run/b\""), {}},
      {Backend("address = \"hvsock:///run/b:1\""), {}},
      {Backend("addresses = [\"unix:///run/b\", \"vsock:3:1\"]"), {.vsock = true}},
  };
  for (const PlanRow& row : rows) {
    const SandboxPlan plan = PlanOf(row.config);
    EXPECT_EQ(plan.log_folders, row.plan.log_folders) << row.config;
    EXPECT_EQ(plan.socket_folders, row.plan.socket_folders) << row.config;
    EXPECT_EQ(plan.vsock, row.plan.vsock) << row.config;
    EXPECT_EQ(plan.tcp, row.plan.tcp) << row.config;
    EXPECT_EQ(plan.owners, row.plan.owners) << row.config;
    EXPECT_EQ(plan.foreign_sockets, row.plan.foreign_sockets) << row.config;
    EXPECT_EQ(plan.foreign_files, row.plan.foreign_files) << row.config;
  }
}

// The expectations are those for a daemon that runs as root.
TEST(SandboxPlanTest, HasTheRightsThatOwnersAndUsersNeed) {
  if (::geteuid() != 0 || ::getegid() != 0) GTEST_SKIP() << "root's own sockets need none";
  const auto plan = [](const std::string& keys) {
    return PlanOf(Listener("a", "unix:///a") + keys);
  };
  for (const char* none : {"", "owner = \"root\"\ngroup = \"root\"\nmode = \"0666\"\n"}) {
    EXPECT_FALSE(plan(none).owners);
    EXPECT_FALSE(plan(none).foreign_sockets);
    EXPECT_FALSE(plan(none).foreign_files);
  }
  EXPECT_TRUE(plan("group = \"monitoring\"\n").owners);
  EXPECT_FALSE(plan("group = \"monitoring\"\n").foreign_sockets);
  EXPECT_TRUE(plan("owner = \"prometheus\"\n").owners);
  EXPECT_TRUE(plan("owner = \"prometheus\"\n").foreign_sockets);
  EXPECT_TRUE(plan("owner = \"prometheus\"\n").foreign_files);
  EXPECT_FALSE(plan("group = \"monitoring\"\n").foreign_files);
  EXPECT_TRUE(plan("mode = \"0060\"\n").foreign_files);
  EXPECT_TRUE(PlanOf("[admin]\ngroup = \"monitoring\"\n").owners);
  EXPECT_TRUE(PlanOf("[metrics]\nowner = \"prometheus\"\n").foreign_sockets);
  EXPECT_FALSE(PlanOf(Backend("address = \"unix:///run/b\"\nusers = [\"root\"]")).foreign_files);
  EXPECT_TRUE(PlanOf(Backend("address = \"unix:///run/b\"\nusers = [0, 989]")).foreign_files);
}

std::string Discovering(const std::string& source, const std::string& address) {
  return Listener("found", address) + "discover = \"" + source + "\"\n";
}

TEST(SandboxPlanTest, HasTheDirectoriesOfWorkloadsAndOfTheirSockets) {
  const SandboxPlan none = PlanOf(Listener("a", "unix:///run/p/a.sock"));
  EXPECT_FALSE(none.discovery);
  EXPECT_THAT(none.front_folders, ::testing::IsEmpty());

  const SandboxPlan shims =
      PlanOf(Discovering("containerd", "unix:///run/p/shims/{namespace}/{id}.sock"));
  EXPECT_TRUE(shims.discovery);
  EXPECT_TRUE(shims.vsock);
  EXPECT_THAT(shims.front_folders, ::testing::ElementsAre("/run/p/shims"));
  EXPECT_THAT(shims.socket_folders, ::testing::IsEmpty());
  EXPECT_THAT(shims.read_folders, ::testing::ElementsAre("/run/containerd"));
  EXPECT_THAT(shims.list_folders, ::testing::IsEmpty());

  const SandboxPlan all = PlanOf(Discovering("containerd", "unix:///run/p/all.sock") +
                                 "state = \"/run/k3s/containerd\"\n");
  EXPECT_TRUE(all.discovery);
  EXPECT_THAT(all.front_folders, ::testing::IsEmpty());
  EXPECT_THAT(all.socket_folders, ::testing::ElementsAre("/run/p"));
  EXPECT_THAT(all.read_folders, ::testing::ElementsAre("/run/k3s/containerd"));

  const SandboxPlan agents = PlanOf(Discovering("kata", "unix:///run/p/agents/{id}.sock"));
  EXPECT_TRUE(agents.vsock);
  EXPECT_THAT(agents.list_folders, ::testing::ElementsAre("/run/kata", "/run/vc/sbs"));
  EXPECT_THAT(agents.read_folders, ::testing::IsEmpty());

  const SandboxPlan others =
      PlanOf(Discovering("directory", "unix:///run/p/{name}") + "directory = \"/run/agents\"\n");
  EXPECT_FALSE(others.vsock);
  EXPECT_THAT(others.list_folders, ::testing::ElementsAre("/run/agents"));
}

// The sockets of workloads are not known when the daemon confines itself.
TEST(SandboxPlanTest, ABackendThatIsDiscoveredMayBelongToOthers) {
  EXPECT_TRUE(PlanOf(Backend("address = \"discovered\"")).foreign_files);
}

TEST(SandboxPlanTest, HasTheRightsThatOwnersOfTheSocketsOfWorkloadsNeed) {
  if (::geteuid() != 0 || ::getegid() != 0) GTEST_SKIP() << "root's own sockets need none";
  const auto plan = [](const std::string& keys) {
    return PlanOf(Discovering("kata", "unix:///run/p/{id}.sock") + keys);
  };
  EXPECT_FALSE(plan("").owners);
  EXPECT_FALSE(plan("").foreign_files);
  EXPECT_TRUE(plan("group = \"monitoring\"\n").owners);
  EXPECT_TRUE(plan("owner = \"prometheus\"\n").foreign_sockets);
}

struct CoverRow {
  SandboxPlan left;
  SandboxPlan needed;
  std::string outside;  // `WHAT is`
};

TEST(SandboxPlanTest, CoversWhatIsLeftAndBelow) {
  const std::vector<CoverRow> rows = {
      {{}, {}, kNone},
      {{.log_folders = {"/a"}}, {}, kNone},
      {{.log_folders = {"/a"}}, {.log_folders = {"/a", "/a/b/c"}}, kNone},
      {{.log_folders = {"/a"}}, {.log_folders = {"/a", "/ab", "/c"}}, "/ab is"},
      {{.log_folders = {"/a/b"}}, {.log_folders = {"/a"}}, "/a is"},
      {{.log_folders = {"/a"}}, {.log_folders = {"/"}}, "/ is"},
      {{.log_folders = {"/"}}, {.log_folders = {"/", "/a"}}, kNone},
      // The right to make sockets includes that to make files, but not the other way round.
      {{.socket_folders = {"/a"}}, {.log_folders = {"/a/b"}}, kNone},
      {{.log_folders = {"/a"}}, {.socket_folders = {"/a"}}, "/a is"},
      {{.socket_folders = {"/b", "/a"}}, {.socket_folders = {"/a/x", "/b/y"}}, kNone},
      {{.socket_folders = {"/a"}}, {.socket_folders = {"/b"}, .vsock = true}, "/b is"},
      // The right to make directories includes that to make sockets.
      {{.front_folders = {"/a"}},
       {.log_folders = {"/a"}, .socket_folders = {"/a/x"}, .front_folders = {"/a/y"}},
       kNone},
      {{.socket_folders = {"/a"}}, {.front_folders = {"/a/b"}}, "/a/b is"},
      {{.read_folders = {"/a"}}, {.read_folders = {"/a/b"}, .list_folders = {"/a/c"}}, kNone},
      {{.list_folders = {"/a"}}, {.list_folders = {"/a/b"}}, kNone},
      {{.list_folders = {"/a"}}, {.read_folders = {"/a/b"}}, "/a/b is"},
      {{.read_folders = {"/a"}}, {.list_folders = {"/b"}}, "/b is"},
      {{.read_folders = {"/"}}, {.read_folders = {"/b"}, .discovery = true}, "discovery is"},
      {{.discovery = true}, {.discovery = true}, kNone},
      {{.vsock = true, .tcp = true}, {}, kNone},
      {{.vsock = true, .tcp = true}, {.vsock = true, .tcp = true}, kNone},
      {{.tcp = true}, {.vsock = true}, "vsock sockets are"},
      {{.vsock = true}, {.tcp = true}, "tcp sockets are"},
      {{}, {.owners = true}, "owners of sockets are"},
      {{.owners = true}, {.owners = true}, kNone},
      {{.owners = true}, {.owners = true, .foreign_sockets = true}, "owners of sockets are"},
      {{.owners = true, .foreign_sockets = true}, {.owners = true}, kNone},
      {{.owners = true}, {.foreign_files = true}, "files of other users are"},
      {{.foreign_files = true}, {.foreign_files = true}, kNone},
  };
  for (const CoverRow& row : rows) {
    const ttrpc::Status status = CheckCovers(row.left, row.needed);
    const std::string message =
        row.outside.empty() ? "" : "needs a restart: " + row.outside + " outside the sandbox";
    EXPECT_EQ(status.message(), message);
    EXPECT_EQ(status.ok(), row.outside.empty());
  }
}

}  // namespace
}  // namespace proxyd
