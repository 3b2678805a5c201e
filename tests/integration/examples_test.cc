// SPDX-License-Identifier: Apache-2.0
//
// Each sample in config/examples as it is, but for its directories and its users and groups, which
// are replaced by temporary directories and by ids without an account: a daemon with the sample
// serves fake shims, agents and services. SAMPLES_FOLDER is the directory of the samples.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr gid_t kTeam = 40100;  // the group that a sample names
constexpr char kTaskV2[] = "containerd.task.v2.Task";
constexpr char kTaskV3[] = "containerd.task.v3.Task";

const Identity kMember = {.uid = kAlice, .gid = kAlice, .groups = {kTeam}};

void ReplaceAll(std::string* text, const std::string& from, const std::string& to) {
  for (size_t at = text->find(from); at != text->npos; at = text->find(from, at + to.size()))
    text->replace(at, from.size(), to);
}

// Returns a script that answers every request with this payload.
BackendScript AnswerWith(const std::string& payload) {
  return [payload](const WireMessage& message) -> BackendReply {
    if (message.type != kRequest) return {};
    return {.bytes = Encode(Response(message.stream_id, payload))};
  };
}

// Reads through the end of a line, or of the head of an HTTP request.
bool ReadThrough(int fd, const std::string& end) {
  std::string read;
  bool timed_out = false;
  while (!read.ends_with(end)) {
    const std::string byte = ReadUpTo(fd, 1, &timed_out);
    if (byte.empty()) return false;
    read += byte;
  }
  return true;
}

// Greets as a virtual machine monitor does that has any port.
bool GreetAsMonitor(int fd) { return ReadThrough(fd, "\n") && SendAll(fd, "OK 1073741824\n"); }

Call TaskCall(const std::string& method, const std::string& id, const std::string& name_space = "",
              const std::string& service = kTaskV3) {
  Call call = {.service = service, .method = method, .payload = BytesField(1, id)};
  if (!name_space.empty()) call.metadata = {{"containerd-namespace-ttrpc", name_space}};
  return call;
}

// A peer that numbers its calls.
class Client {
 public:
  Client(const std::string& path, const Identity& identity)
      : peer_(path, identity), uid_(identity.uid) {}

  void ExpectAnswer(const Call& call, const std::string& answer) {
    const std::optional<WireMessage> got = Ask(call);
    EXPECT_EQ(got, Response(id_, answer)) << call.method;
  }

  // Does the same, but the daemon may not have found the workload yet.
  void ExpectAnswerSoon(const Call& call, const std::string& answer) {
    EXPECT_TRUE(Eventually([this, &call, &answer] {
      const std::optional<WireMessage> got = Ask(call);
      if (!got) ADD_FAILURE() << "the connection ended";
      return !got || got == Response(id_, answer);
    })) << call.method;
  }

  void ExpectDenied(const Call& call) {
    const std::optional<WireMessage> got = Ask(call);
    EXPECT_THAT(got, IsStatus(id_, StatusCode::kPermissionDenied,
                              "uid " + std::to_string(uid_) + " may not call /" + call.service +
                                  "/" + call.method));
  }

  void ExpectStatus(const Call& call, StatusCode code, const std::string& text) {
    const std::optional<WireMessage> got = Ask(call);
    EXPECT_THAT(got, IsStatus(id_, code, text));
  }

 private:
  std::optional<WireMessage> Ask(const Call& call) {
    id_ += 2;
    return peer_.Exchange(Request(id_, call));
  }

  RawPeer peer_;
  uid_t uid_;
  uint32_t id_ = static_cast<uint32_t>(-1);  // the latest call's; the first one is 1
};

class ExamplesTest : public ProxyTest {
 protected:
  void SetUp() override {
    for (const char* name : {"fronts", "containerd", "kata", "vm", "service", "log", "shims"})
      std::filesystem::create_directory(folder_ / name);
  }

  // Starts a daemon with the sample. Its users and groups become `id`.
  void StartSample(const std::string& name, uint32_t id = kTeam) {
    std::string text = ReadFile(std::string(SAMPLES_FOLDER) + "/" + name);
    ASSERT_NE(text, "") << name;
    const std::vector<std::pair<std::string, std::string>> directories = {
        {"/run/ttrpc-proxy", "fronts"},
        {"/run/containerd", "containerd"},
        {"/run/vm", "vm"},
        {"/run/service", "service"},
        {"/var/log/ttrpc-proxy", "log"}};
    for (const auto& [from, to] : directories) ReplaceAll(&text, from, folder_ / to);
    ReplaceAll(&text, "discover = \"containerd\"",
               "discover = \"containerd\"\nstate = \"" + folder_ / "containerd" + "\"");
    ReplaceAll(&text, "discover = \"kata\"",
               "discover = \"kata\"\ndirectories = [\"" + folder_ / "kata" + "\"]");
    const std::string number = "\"" + std::to_string(id) + "\"";
    for (const std::string account :
         {"prometheus", "containerd-debug", "team-a", "monitoring", "ttrpc-proxy"}) {
      ReplaceAll(&text, "\ngroup = \"" + account + "\"", "\ngroup = " + number);
      ReplaceAll(&text, "\ngroups = [\"" + account + "\"]", "\ngroups = [" + number + "]");
      ReplaceAll(&text, "\nusers = [\"" + account + "\"]", "\nusers = [" + number + "]");
    }
    WriteFile(config_path(), text);
    StartDaemon();
  }

  void AddServer(const std::string& path, const std::string& answer,
                 std::function<bool(int fd)> greet = nullptr) {
    servers_.push_back(std::make_unique<RecordingBackend>(
        folder_ / path,
        RecordingBackend::Options{.script = AnswerWith(answer), .greet = std::move(greet)}));
  }

  // Makes a bundle as containerd does, and a shim that answers with `NAMESPACE/ID`.
  void AddContainer(const std::string& name_space, const std::string& id,
                    const std::string& annotations = "{}") {
    const std::string shim = "shims/" + std::to_string(servers_.size());
    AddServer(shim, name_space + "/" + id);
    std::filesystem::create_directories(Bundle(name_space, id));
    WriteFile(Bundle(name_space, id) + "/config.json",
              R"({"ociVersion": "1.0.2", "annotations": )" + annotations + "}");
    WriteFile(Bundle(name_space, id) + "/bootstrap.json",
              R"({"version":3,"address":"unix://)" + folder_ / shim + R"(","protocol":"ttrpc"})");
  }

  std::string Bundle(const std::string& name_space, const std::string& id) const {
    return folder_ / ("containerd/io.containerd.runtime.v2.task/" + name_space + "/" + id);
  }

  std::string Front(const std::string& name) const { return folder_ / ("fronts/" + name); }

  // Returns the path of a socket that appears with its workload.
  std::string FrontSoon(const std::string& name) const {
    const std::string front = Front(name);
    EXPECT_TRUE(Eventually([&front] { return ::access(front.c_str(), F_OK) == 0; })) << front;
    return front;
  }

  std::vector<std::unique_ptr<RecordingBackend>> servers_;
};

TEST_F(ExamplesTest, MonitoringReadsEveryContainerThroughOneSocket) {
  AddContainer("default", "web");
  AddContainer("k8s.io", "db");
  StartSample("monitoring.toml", kAlice);
  Client agent(Front("shims.sock"), Someone(kAlice));
  agent.ExpectAnswerSoon(TaskCall("State", "web", "default"), "default/web");
  agent.ExpectAnswerSoon(TaskCall("Stats", "db", "k8s.io"), "k8s.io/db");
  agent.ExpectAnswer(TaskCall("Pids", "web", "default", kTaskV2), "default/web");
  for (const char* method : {"Kill", "Exec", "Wait", "Shutdown"})
    agent.ExpectDenied(TaskCall(method, "web", "default"));
  RawPeer(Front("shims.sock")).ExpectEnd();  // root is in no rule
}

TEST_F(ExamplesTest, DebugGroupLooksEverywhereAndSignalsInOneNamespace) {
  AddContainer("default", "web");
  AddContainer("k8s.io", "db");
  StartSample("debug-group.toml");
  Client web(FrontSoon("debug/default/web.sock"), kMember);
  web.ExpectAnswer(TaskCall("State", "web"), "default/web");
  web.ExpectAnswer(TaskCall("Kill", "web"), "default/web");
  web.ExpectDenied(TaskCall("Exec", "web"));
  web.ExpectDenied(TaskCall("State", "db"));
  Client db(FrontSoon("debug/k8s.io/db.sock"), kMember);
  db.ExpectAnswer(TaskCall("Wait", "db", "", kTaskV2), "k8s.io/db");
  db.ExpectDenied(TaskCall("Kill", "db"));
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"event\":\"call\"") != line.npos &&
           line.find("\"method\":\"Kill\"") != line.npos;
  });
  std::filesystem::remove_all(Bundle("default", "web"));
  EXPECT_TRUE(
      Eventually([this] { return ::access(Front("debug/default/web.sock").c_str(), F_OK) != 0; }));
}

TEST_F(ExamplesTest, UsersCallTheirOwnContainersOnly) {
  AddContainer("default", "40001-web");
  AddContainer("default", "40002-web");
  AddContainer("other", "40001-web");
  StartSample("own-containers.toml");
  Client alice(Front("own.sock"), Someone(kAlice));
  Client bob(Front("own.sock"), Someone(kBob));
  alice.ExpectAnswerSoon(TaskCall("Kill", "40001-web", "default"), "default/40001-web");
  bob.ExpectAnswerSoon(TaskCall("State", "40002-web", "default"), "default/40002-web");
  alice.ExpectDenied(TaskCall("State", "40002-web", "default"));
  alice.ExpectDenied(TaskCall("State", "40002-none", "default"));
  alice.ExpectDenied(TaskCall("State", "40001-web", "other"));
  alice.ExpectDenied(TaskCall("Exec", "40001-web", "default"));
  alice.ExpectStatus(TaskCall("State", "40001-none", "default"), StatusCode::kNotFound,
                     "no workload default/40001-none");
  RawPeer(Front("own.sock")).ExpectEnd();  // root is not in the range
}

TEST_F(ExamplesTest, KubernetesTeamLooksAtItsPodsOnly) {
  AddContainer("k8s.io", "0b", R"({"io.kubernetes.cri.sandbox-namespace": "team-b"})");
  AddContainer("k8s.io", "0c");
  AddContainer("default", "0a", R"({"io.kubernetes.cri.sandbox-namespace": "team-a"})");
  AddContainer("k8s.io", "0a", R"({"io.kubernetes.cri.sandbox-namespace": "team-a",
                                   "io.kubernetes.cri.sandbox-name": "web-0"})");
  StartSample("kubernetes-team.toml");
  Client team(Front("pods.sock"), kMember);
  team.ExpectAnswerSoon(TaskCall("State", "0a", "k8s.io"), "k8s.io/0a");
  team.ExpectDenied(TaskCall("Kill", "0a", "k8s.io"));
  team.ExpectDenied(TaskCall("State", "0a", "default"));
  for (const char* id : {"0b", "0c", "none"}) team.ExpectDenied(TaskCall("State", id, "k8s.io"));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(servers_[i]->connections(), 0U) << i;
}

TEST_F(ExamplesTest, MonitoringAsksKataAgents) {
  AddServer("agent.hvsock", "agent", GreetAsMonitor);
  std::filesystem::create_directory(folder_ / "kata/5a");
  const std::string url = "hvsock://" + folder_ / "agent.hvsock" + ":1024";
  AddServer("kata/5a/shim-monitor.sock", "", [url](int fd) {
    // The connection ends after the answer.
    return ReadThrough(fd, "\r\n\r\n") &&
           SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(url.size()) +
                           "\r\n\r\n" + url) &&
           false;
  });
  StartSample("kata-agents.toml");
  Client agent(FrontSoon("agents/5a.sock"), kMember);
  agent.ExpectAnswer({.service = "grpc.AgentService", .method = "GetMetrics"}, "agent");
  agent.ExpectAnswer({.service = "grpc.Health", .method = "Check"}, "agent");
  agent.ExpectDenied({.service = "grpc.AgentService", .method = "ExecProcess"});
}

TEST_F(ExamplesTest, ShimsReportEventsOfOneNamespace) {
  AddServer("containerd/containerd.sock.ttrpc", "taken");
  StartSample("containerd-events.toml");
  const auto forward = [](const std::string& name_space) {
    return Call{.service = "containerd.services.events.ttrpc.v1.Events",
                .method = "Forward",
                .payload = "event",
                .metadata = {{"containerd-namespace-ttrpc", name_space}}};
  };
  Client root(Front("events.sock"), {});
  root.ExpectAnswer(forward("k8s.io"), "taken");
  Client shim(Front("events.sock"), kMember);
  shim.ExpectAnswer(forward("default"), "taken");
  shim.ExpectDenied(forward("k8s.io"));
  Call call = forward("default");
  call.metadata.clear();
  shim.ExpectDenied(call);
  call.method = "Backward";
  root.ExpectDenied(call);
}

TEST_F(ExamplesTest, TeamsCallContainersOfTheirNamespace) {
  AddContainer("team-a", "web");
  AddContainer("team-b", "db");
  StartSample("namespaces.toml");
  Client team(FrontSoon("teams/team-a/web.sock"), Someone(2000));
  team.ExpectAnswer(TaskCall("State", "web"), "team-a/web");
  team.ExpectAnswer(TaskCall("Kill", "web"), "team-a/web");
  Client elsewhere(FrontSoon("teams/team-b/db.sock"), Someone(2000));
  elsewhere.ExpectDenied(TaskCall("State", "db"));
  const std::string audit = folder_ / "log/audit.log";
  EXPECT_TRUE(Eventually([&audit] {
    const std::string lines = ReadFile(audit);
    return lines.find("signals would be denied") != lines.npos &&
           lines.find("\"event\":\"deny\"") != lines.npos;
  }));
}

TEST_F(ExamplesTest, RootReachesAnAgentAndAServiceAtFixedAddresses) {
  AddServer("vm/vsock.sock", "agent", GreetAsMonitor);
  AddServer("service/1.sock", "service");
  AddServer("service/2.sock", "service");
  StartSample("virtual-machine.toml");
  Client root(Front("machine.sock"), {});
  root.ExpectAnswer({.service = "grpc.AgentService", .method = "CreateSandbox"}, "agent");
  root.ExpectAnswer({.service = "example.Service", .method = "Do"}, "service");
  root.ExpectDenied({.service = "grpc.Health", .method = "Check"});
}

TEST(ExampleFilesTest, EachSampleHasATestHere) {
  std::set<std::string> samples;
  for (const auto& entry : std::filesystem::directory_iterator(SAMPLES_FOLDER))
    samples.insert(entry.path().filename());
  EXPECT_EQ(samples,
            (std::set<std::string>{"containerd-events.toml", "debug-group.toml", "kata-agents.toml",
                                   "kubernetes-team.toml", "monitoring.toml", "namespaces.toml",
                                   "own-containers.toml", "virtual-machine.toml"}));
}

}  // namespace
}  // namespace integration
