// SPDX-License-Identifier: Apache-2.0
//
// Outputs that hang or do not exist: a pipe that nobody reads, and a journald that hangs or is
// missing. Calls, reloads and the end of the daemon do not wait for them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kAll[] = "[audit]\ncalls = \"all\"\n";
constexpr uint32_t kManyCalls = 1500;  // their lines exceed what a pipe or a queue holds

// While this object exists, its thread and the daemons that it starts see `folder` as
// /run/systemd/journal.
class JournalFolder {
 public:
  explicit JournalFolder(const std::string& folder)
      : before_(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)),
        directory_(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    std::filesystem::create_directory(folder);
    EXPECT_EQ(::unshare(CLONE_NEWNS), 0);
    EXPECT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_EQ(::mount("none", "/run", "tmpfs", 0, "size=64k"), 0);
    std::filesystem::create_directories("/run/systemd/journal");
    EXPECT_EQ(::mount(folder.c_str(), "/run/systemd/journal", nullptr, MS_BIND, nullptr), 0);
  }
  ~JournalFolder() {
    EXPECT_EQ(::unshare(CLONE_FS), 0);  // other threads share the file system context
    EXPECT_EQ(::setns(before_.get(), CLONE_NEWNS), 0);
    EXPECT_EQ(::fchdir(directory_.get()), 0);
  }
  JournalFolder(const JournalFolder&) = delete;
  JournalFolder& operator=(const JournalFolder&) = delete;

 private:
  const ttrpc::UniqueFd before_;
  const ttrpc::UniqueFd directory_;
};

class OutputsTest : public ProxyTest {
 protected:
  void StartWith(const Scene& scene, int standard_error = -1) {
    WriteConfig(scene);
    StartBackend();
    daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                              DaemonSurroundings{.standard_error = standard_error});
  }
  void StartWithJournal(const Scene& scene) {
    const JournalFolder here(journal_folder());
    StartWith(scene);
  }
  CommandResult RunWithJournal(const Scene& scene) {
    WriteConfig(scene);
    const JournalFolder here(journal_folder());
    return RunDaemon({"--config", config_path()});
  }
  // Reads entries until one contains `text`.
  static void AwaitEntry(int journal, std::string_view text) {
    std::string entry(65536, '\0');
    while (WaitUntilReadable(journal)) {
      const ssize_t size = ::recv(journal, entry.data(), entry.size(), MSG_DONTWAIT);
      if (size < 0) break;
      if (entry.substr(0, static_cast<size_t>(size)).find(text) != std::string::npos) return;
    }
    ADD_FAILURE() << "no such entry in the journal: " << text;
  }
  void CallManyTimes(RawPeer& peer) {
    for (uint32_t i = 0; i < kManyCalls && !HasFailure(); ++i) ExpectEcho(peer, next_id_ += 2);
  }
  void ExpectEnd(int status) {
    daemon_->Signal(SIGTERM);
    EXPECT_EQ(daemon_->WaitForExit(), status);
  }
  // Reloads, and waits until the listener that the new configuration adds exists.
  void ReloadWithOther(Scene scene) {
    scene.rules += "[[listener]]\nname = \"other\"\naddress = \"unix://" + other_path() + "\"\n";
    WriteConfig(scene);
    daemon_->Signal(SIGHUP);
    EXPECT_TRUE(Eventually([this] { return std::filesystem::exists(other_path()); }));
  }

  std::string journal_folder() const { return folder_ / "journal"; }
  std::string journal_path() const { return folder_ / "journal/socket"; }
  std::string other_path() const { return folder_ / "other.sock"; }

  uint32_t next_id_ = static_cast<uint32_t>(-1);
};

constexpr char kJournal[] = "[log]\ntarget = \"journal\"\n";

// The standard error of a service is often a pipe, here one that nobody reads. The audit goes
// there, too.
class UnreadPipeTest : public OutputsTest {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader_.reset(ends[0]);
    const ttrpc::UniqueFd writer(ends[1]);
    StartWith({.head = kAll}, writer.get());
    std::string text;
    char bytes[4096];
    while (text.find("ready: ") == std::string::npos && WaitUntilReadable(reader_.get())) {
      const ssize_t size = ::read(reader_.get(), bytes, sizeof bytes);
      ASSERT_GT(size, 0);
      text.append(bytes, static_cast<size_t>(size));
    }
  }

  ttrpc::UniqueFd reader_;
};

TEST_F(UnreadPipeTest, ReloadOfTheLevelHoldsUpNoCall) {
  RawPeer peer = Peer();
  CallManyTimes(peer);
  ReloadWithOther({.head = std::string("[log]\nlevel = \"warn\"\n") + kAll});
  ExpectEcho(peer, next_id_ += 2);
  peer.Close();
  ExpectEnd(0);
}

TEST_F(UnreadPipeTest, AnotherTargetHasTheLines) {
  RawPeer peer = Peer();
  CallManyTimes(peer);
  const std::string file = folder_ / "log";
  ReloadWithOther({.head = "[log]\ntarget = \"file:" + file + "\"\n" + kAll});
  ExpectEcho(peer, next_id_ += 2);
  EXPECT_TRUE(Eventually([&file] {
    const std::string text = ReadFile(file);
    return text.find("reloaded: ") != std::string::npos &&
           text.find("\"event\":\"call\"") != std::string::npos;
  }));
  peer.Close();
  ExpectEnd(0);
}

TEST_F(UnreadPipeTest, SecondSignalEndsItAtOnce) {
  RawPeer peer = Peer();
  CallManyTimes(peer);
  EXPECT_TRUE(peer.Send(Request(next_id_ += 2, {.method = "Hold"})));
  backend_->WaitForMessages(0, kManyCalls + 1);
  daemon_->Signal(SIGTERM);
  EXPECT_TRUE(Eventually([this] { return !std::filesystem::exists(front_path()); }));
  ExpectEnd(1);
}

TEST_F(OutputsTest, AuditPipeThatIsNotReadIsReplacedByAFile) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const ttrpc::UniqueFd reader(::open(pipe.c_str(), O_RDWR | O_CLOEXEC));
  Start({.head = std::string(kAll) + "target = \"file:" + pipe + "\"\n"});
  RawPeer peer = Peer();
  CallManyTimes(peer);
  const std::string file = folder_ / "audit";
  ReloadWithOther({.head = std::string(kAll) + "target = \"file:" + file + "\"\n"});
  EXPECT_TRUE(Eventually(
      [&file] { return ReadFile(file).find("\"event\":\"call\"") != std::string::npos; }));
  EXPECT_EQ(daemon_->log().find("lines are being lost"), std::string::npos);
}

TEST_F(OutputsTest, JournalThatHangsHoldsUpNeitherCallsNorAReloadNorTheEnd) {
  std::filesystem::create_directory(journal_folder());
  const ttrpc::UniqueFd journal = Bind(journal_path(), SOCK_DGRAM);
  StartWithJournal({.head = std::string(kJournal) + kAll});
  AwaitEntry(journal.get(), "MESSAGE=ready: ");
  RawPeer peer = Peer();
  CallManyTimes(peer);
  ReloadWithOther({.head = std::string(kJournal) + "level = \"warn\"\n" + kAll});
  ExpectEcho(peer, next_id_ += 2);
  peer.Close();
  ExpectEnd(0);
}

TEST_F(OutputsTest, JournalThatHangsAndASecondSignal) {
  std::filesystem::create_directory(journal_folder());
  const ttrpc::UniqueFd journal = Bind(journal_path(), SOCK_DGRAM);
  StartWithJournal({.head = std::string(kJournal) + kAll});
  AwaitEntry(journal.get(), "MESSAGE=ready: ");
  RawPeer peer = Peer();
  CallManyTimes(peer);
  EXPECT_TRUE(peer.Send(Request(next_id_ += 2, {.method = "Hold"})));
  backend_->WaitForMessages(0, kManyCalls + 1);
  daemon_->Signal(SIGTERM);
  EXPECT_TRUE(Eventually([this] { return !std::filesystem::exists(front_path()); }));
  ExpectEnd(1);
}

constexpr char kNoJournal[] =
    "cannot connect to the journal: /run/systemd/journal/socket: No such file or directory; start "
    "systemd-journald, or set [log] target to \"stderr\" or \"file:/abs/path\"";

// systemd.exec(5): the journal reads standard error, takes the priority off each line, and adds the
// time itself.
TEST_F(OutputsTest, LinesOnTheStreamOfTheJournalHaveAPriorityAndNoTime) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const ttrpc::UniqueFd reader(ends[0]);
  ttrpc::UniqueFd writer(ends[1]);
  struct stat info {};
  ASSERT_EQ(::fstat(writer.get(), &info), 0);
  WriteConfig({.head = kAll});
  StartBackend();
  daemon_ = std::make_unique<DaemonProcess>(
      std::vector<std::string>{"--config", config_path()},
      DaemonSurroundings{.environment = {"JOURNAL_STREAM=" + std::to_string(info.st_dev) + ":" +
                                         std::to_string(info.st_ino)},
                         .standard_error = writer.get()});
  writer.reset();
  std::string text;
  const auto await = [&](const std::string& what) {
    char bytes[4096];
    while (text.find(what) == std::string::npos && WaitUntilReadable(reader.get())) {
      const ssize_t size = ::read(reader.get(), bytes, sizeof bytes);
      if (size <= 0) break;
      text.append(bytes, static_cast<size_t>(size));
    }
    EXPECT_THAT(text, HasSubstr(what));
  };
  await("\n<6>ready: 1 listeners");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  await("\n<6>{\"time\":");
  peer.Exchange(Request(3, {.service = "test.Denied"}));
  await("\n<5>{\"time\":");
  WriteFile(config_path(), "nonsense");
  daemon_->Signal(SIGHUP);
  await("\n<3>reload refused: ");
  EXPECT_EQ(text.find("\n20"), std::string::npos) << "a line begins with a time: " << text;
  ExpectEnd(0);
}

TEST_F(OutputsTest, NoJournalEndsTheStart) {
  const CommandResult result = RunWithJournal({.head = kJournal});
  EXPECT_EQ(result.status, 1);
  // The error has the form of a line of the log.
  EXPECT_THAT(result.err,
              ContainsRegex("^[0-9]{4}-[0-9-]+T[0-9:.]+Z error cannot connect to the journal"));
  EXPECT_THAT(result.err, EndsWith(std::string(" error ") + kNoJournal + "\n"));
  EXPECT_EQ(result.out, "");
  const CommandResult json =
      RunWithJournal({.head = std::string(kJournal) + "format = \"json\"\n"});
  EXPECT_THAT(json.err, ContainsRegex("^.\"time\":\"[^\"]+Z\",\"level\":\"error\",\"message\":\""
                                      "cannot connect to the journal"));
}

TEST_F(OutputsTest, NoJournalRefusesAReload) {
  {
    const JournalFolder here(journal_folder());
    Start();
  }
  WriteConfig({.head = kJournal});
  Reload("reload refused: the configuration is unchanged");
  EXPECT_THAT(daemon_->log(), HasSubstr(kNoJournal));
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(OutputsTest, JournalThatGoesAwayRefusesCallsIfAskedTo) {
  std::filesystem::create_directory(journal_folder());
  ttrpc::UniqueFd journal = Bind(journal_path(), SOCK_DGRAM);
  StartWithJournal({.head = std::string(kJournal) + kAll + "on_error = \"refuse-calls\"\n"});
  AwaitEntry(journal.get(), "MESSAGE=ready: ");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  AwaitEntry(journal.get(), "TTRPC_PROXY_EVENT=call");
  journal.reset();
  uint32_t id = 1;
  std::optional<WireMessage> answer;
  EXPECT_TRUE(Eventually([&] {
    answer = peer.Exchange(Echo(id += 2));
    return answer != Response(id, "echo");
  }));
  EXPECT_THAT(answer, IsStatus(id, StatusCode::kUnavailable, "the audit cannot record this call"));
  // The daemon finds the journal again without a restart.
  std::filesystem::remove(journal_path());
  journal = Bind(journal_path(), SOCK_DGRAM);
  AwaitEntry(journal.get(), "TTRPC_PROXY_EVENT=call");
}

// The service manager may hang like any output. It gets the latest state once it reads again.
TEST_F(OutputsTest, ServiceManagerThatHangsHoldsUpNoReload) {
  const std::string path = folder_ / "notify";
  const ttrpc::UniqueFd manager = Bind(path, SOCK_DGRAM);
  WriteConfig({});
  StartBackend();
  daemon_ =
      std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                      DaemonSurroundings{.environment = {"NOTIFY_SOCKET=" + path}});
  AwaitEntry(manager.get(), "READY=1");
  const ttrpc::UniqueFd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  while (::send(other.get(), "x", 1, 0) == 1) continue;
  Reload("reloaded: ");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  AwaitEntry(manager.get(), "READY=1");
}

}  // namespace
}  // namespace integration
