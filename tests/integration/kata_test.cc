// SPDX-License-Identifier: Apache-2.0
//
// Kata's agents: the daemon asks each sandbox's shim-monitor.sock for the agent's address. Answers
// come in pieces, late, wrong or never, and no sandbox waits for another one.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "harness/kata_shim.h"
#include "harness/shims_test.h"

namespace integration {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kRules[] = R"(
[[rule]]
name = "agents"
users = ["root"]
methods = ["/grpc.*/*"]
action = "allow"
backend = "agent"
)";

class KataTest : public ProxyTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "rs");
    std::filesystem::create_directories(folder_ / "go");
  }
  void StartAgents() {
    WriteFile(
        config_path(),
        "[admin]\naddress = \"unix://" + admin_path() +
            "\"\n[[listener]]\nname = \"agents\"\ndiscover = \"kata\"\ndirectories = [\"" +
            folder_ / "rs" + "\", \"" + folder_ / "go" + "\"]\naddress = \"unix://" + base_path() +
            "/{id}.sock\"\n[[backend]]\nname = \"agent\"\naddress = \"discovered\"\n" + kRules);
    StartDaemon();
  }
  void TearDown() override {
    ProxyTest::TearDown();
    monitors_.clear();
  }

  std::string DirectoryOf(const std::string& id) const { return folder_ / "rs" + "/" + id; }
  std::string FrontOf(const std::string& id) const { return base_path() + "/" + id + ".sock"; }
  std::string AgentOf(const std::string& id) const { return folder_ / id + ".hvsock"; }
  std::string UrlOf(const std::string& id) const { return "hvsock://" + AgentOf(id) + ":1024"; }

  void StartAgent(const std::string& id) {
    agents_.erase(id);  // it would remove the new one's socket
    agents_[id] = std::make_unique<RecordingBackend>(AgentOf(id), AgentAnswersAs(id));
  }
  template <typename Answer>
  KataMonitor& StartMonitor(const std::string& id, Answer answer) {
    monitors_[id] = std::make_unique<KataMonitor>(DirectoryOf(id), std::move(answer));
    return *monitors_[id];
  }
  void StartSandbox(const std::string& id) {
    StartAgent(id);
    StartMonitor(id, HttpAnswer(UrlOf(id)));
  }

  void ExpectServes(const std::string& id) {
    ASSERT_TRUE(Eventually([&] { return std::filesystem::is_socket(FrontOf(id)); })) << id;
    RawPeer peer(FrontOf(id));
    EXPECT_EQ(peer.Exchange(Request(1, {.service = "grpc.AgentService", .method = "GetMetrics"})),
              Response(1, id));
  }
  void ExpectFaulty(const std::string& id) {
    AwaitListedAt(admin_path(), id, Not(IsEmpty()));
    EXPECT_FALSE(std::filesystem::exists(FrontOf(id))) << id;
  }
  // Expects these answers, each of its own sandbox, to give no front, beside one that works.
  void ExpectAllFaulty(const std::map<std::string, std::string>& answers) {
    for (const auto& [id, answer] : answers) StartMonitor(id, answer);
    StartAgents();
    StartSandbox("good");
    ExpectServes("good");
    for (const auto& [id, answer] : answers) ExpectFaulty(id);
  }

  std::string base_path() const { return folder_ / "run"; }
  std::string admin_path() const { return folder_ / "admin.sock"; }

  std::map<std::string, std::unique_ptr<RecordingBackend>> agents_;
  std::map<std::string, std::unique_ptr<KataMonitor>> monitors_;
};

TEST_F(KataTest, EachSandboxHasAFrontThatLeadsToItsAgent) {
  StartSandbox("one");
  StartSandbox("two");
  // Kata's runtime in Go has a directory of its own.
  StartAgent("three");
  monitors_["three"] =
      std::make_unique<KataMonitor>(folder_ / "go" + "/three", HttpAnswer(UrlOf("three")));
  StartAgents();
  for (const char* id : {"one", "two", "three"}) ExpectServes(id);
  const auto requests = monitors_["one"]->WaitForRequests(1);
  EXPECT_THAT(requests, ElementsAre(StartsWith("GET /agent-url HTTP/1.1\r\n")));
  EXPECT_THAT(requests[0], HasSubstr("\r\nHost: "));
}

TEST_F(KataTest, SandboxesComeAndGo) {
  StartAgents();
  StartSandbox("one");
  ExpectServes("one");
  monitors_.erase("one");
  std::filesystem::remove_all(DirectoryOf("one"));
  EXPECT_TRUE(Eventually([this] { return !std::filesystem::exists(FrontOf("one")); }));
  StartSandbox("one");
  ExpectServes("one");
}

TEST_F(KataTest, BothDirectoriesMayComeLater) {
  std::filesystem::remove(folder_ / "rs");
  std::filesystem::remove(folder_ / "go");
  StartAgents();
  StartSandbox("one");
  ExpectServes("one");
}

TEST_F(KataTest, AMonitorThatIsMissingIsAskedWhenItAppears) {
  std::filesystem::create_directories(DirectoryOf("late"));
  StartAgents();
  StartSandbox("good");
  ExpectServes("good");
  EXPECT_FALSE(std::filesystem::exists(FrontOf("late")));
  StartSandbox("late");
  ExpectServes("late");
}

TEST_F(KataTest, AVsockAddressIsListed) {
  StartMonitor("vm", HttpAnswer("vsock://4242:1024"));
  StartAgents();
  AwaitListedAt(admin_path(), "vm", "");
  const auto listed = ListWorkloadsAt(admin_path());
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].address, "vsock:4242:1024");
  EXPECT_EQ(listed[0].front, FrontOf("vm"));
}

// ---- Answers

TEST_F(KataTest, AnAnswerThatComesByteByByte) {
  StartAgent("slow");
  const std::string answer = HttpAnswer(UrlOf("slow"));
  StartMonitor("slow", [answer](int fd) {
    for (const char c : answer) {
      if (!SendAll(fd, {&c, 1})) return;
      WaitUntilTaken(fd);
    }
  });
  StartAgents();
  ExpectServes("slow");
}

TEST_F(KataTest, AnswersOfServersThatWriteDifferently) {
  const auto url = [this](const std::string& id) { return UrlOf(id); };
  const std::map<std::string, std::string> answers = {
      {"no-length", "HTTP/1.1 200 OK\r\n\r\n" + url("no-length")},
      {"close", "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + url("close")},
      {"line-feed", HttpAnswer(url("line-feed") + "\n")},
      {"case", "HTTP/1.1 200 OK\r\ncontent-LENGTH:  " + std::to_string(url("case").size()) +
                   "\r\n\r\n" + url("case")}};
  for (const auto& [id, answer] : answers) {
    StartAgent(id);
    StartMonitor(id, answer);
  }
  StartAgents();
  for (const auto& [id, answer] : answers) ExpectServes(id);
}

TEST_F(KataTest, HostileAnswersGiveNoFront) {
  const std::string url = UrlOf("good");
  ExpectAllFaulty({
      {"empty", ""},
      {"no-http", "hello\r\n\r\n" + url},
      {"status", HttpAnswer(url, "404 Not Found")},
      {"cut-head", "HTTP/1.1 200 OK\r\nContent-Le"},
      {"cut-body", "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + url},
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + url},
      {"negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + url},
      {"lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 400\r\n\r\n" + url},
      {"long-head", "HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n" + url},
      {"long-body", HttpAnswer(url + std::string(1 << 20, 'x'))},
      {"nothing", HttpAnswer("")},
      {"no-url", HttpAnswer("ask later")},
      {"two", HttpAnswer(url + "\n" + url)},
      {"nul", HttpAnswer(url + std::string(1, '\0'))},
      {"file", HttpAnswer("file:///etc/passwd")},
      {"tcp", HttpAnswer("tcp://127.0.0.1:1024")},
      {"relative", HttpAnswer("hvsock://agent.sock:1024")},
      {"no-port", HttpAnswer("hvsock://" + AgentOf("good"))},
  });
  EXPECT_EQ(agents_["good"]->connections(), 1U);
}

TEST_F(KataTest, AnAnswerWithoutEndIsCutOff) {
  StartMonitor("endless", [](int fd) {
    SendAll(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (SendAll(fd, std::string(4096, 'x'))) continue;
  });
  StartAgents();
  StartSandbox("good");
  ExpectServes("good");
  ExpectFaulty("endless");
}

TEST_F(KataTest, ASilentMonitorKeepsNoOtherSandboxWaiting) {
  StartMonitor("silent", [](int fd) {
    bool timed_out = false;
    ReadUpTo(fd, 1, &timed_out);  // until the daemon gives up
    EXPECT_FALSE(timed_out);
  });
  StartAgents();
  monitors_["silent"]->WaitForRequests(1);
  StartSandbox("good");
  ExpectServes("good");
  ExpectFaulty("silent");
}

TEST_F(KataTest, ManySilentMonitorsAreGivenUpTogether) {
  const auto silent = [](int fd) {
    bool timed_out = false;
    ReadUpTo(fd, 1, &timed_out);
  };
  constexpr int kMonitors = 50;
  for (int i = 0; i < kMonitors; ++i) StartMonitor("silent-" + std::to_string(i), silent);
  StartAgents();
  StartSandbox("good");
  ExpectServes("good");
  // One after the other they would take longer than the test waits.
  for (int i = 0; i < kMonitors; ++i) ExpectFaulty("silent-" + std::to_string(i));
}

TEST_F(KataTest, WhatIsNoSocketIsNotOpened) {
  std::filesystem::create_directories(DirectoryOf("file"));
  WriteFile(DirectoryOf("file") + "/shim-monitor.sock", HttpAnswer(UrlOf("good")));
  std::filesystem::create_directories(DirectoryOf("fifo"));
  ASSERT_EQ(::mkfifo((DirectoryOf("fifo") + "/shim-monitor.sock").c_str(), 0666), 0);
  WriteFile(folder_ / "rs" + "/plain", "not a directory");
  StartAgents();
  StartSandbox("good");
  ExpectServes("good");
  for (const char* id : {"file", "fifo", "plain"})
    EXPECT_FALSE(std::filesystem::exists(FrontOf(id))) << id;
}

TEST_F(KataTest, AnAgentThatCannotBeReachedClosesThePeer) {
  StartMonitor("gone", HttpAnswer(UrlOf("gone")));
  StartAgents();
  ASSERT_TRUE(Eventually([this] { return std::filesystem::is_socket(FrontOf("gone")); }));
  RawPeer(FrontOf("gone")).ExpectEnd();
  StartAgent("gone");
  ExpectServes("gone");
}

}  // namespace
}  // namespace integration
