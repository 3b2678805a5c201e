// SPDX-License-Identifier: Apache-2.0
//
// Attacks on the sandbox from within: code in the daemon tries what the daemon does not need. All
// that the daemon needs works, also across a reload. A reload that needs more is refused.
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "harness/attacker.h"
#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The part of the sandbox that refuses an attack.
enum class By { kLandlock, kFilter, kSeveral };

enum class Open {
  kAlways,   // succeeds without the sandbox
  kSomehow,  // fails for another reason, or depends on the machine
};

struct Row {
  Attack attack;
  const char* name;
  By by;
  int error;  // the errno of the refusal
  Open without_sandbox = Open::kAlways;
};

const std::vector<Row> kAttacks = {
    {Attack::kReadFile, "read a file", By::kLandlock, EACCES},
    {Attack::kListFolder, "list a directory", By::kLandlock, EACCES},
    {Attack::kWriteFile, "write a file", By::kLandlock, EACCES},
    {Attack::kWriteUserDatabase, "write to the user database", By::kLandlock, EACCES},
    {Attack::kMakeFile, "make a file", By::kLandlock, EACCES},
    {Attack::kTruncateFile, "truncate a file", By::kLandlock, EACCES},
    {Attack::kRemoveFile, "remove a file", By::kLandlock, EACCES},
    {Attack::kMakeFolder, "make a directory", By::kFilter, EPERM},
    {Attack::kMakeLink, "make a link", By::kLandlock, EACCES},
    {Attack::kMakeFifo, "make a fifo", By::kLandlock, EACCES},
    {Attack::kMakeDevice, "make a device", By::kSeveral, EACCES},
    {Attack::kBindSocket, "bind a socket", By::kLandlock, EACCES},
    {Attack::kSetIdMode, "make a file set-user-ID", By::kFilter, EPERM},
    {Attack::kSetIdFile, "make a set-user-ID file", By::kFilter, EPERM},
    {Attack::kSetIdUnnamedFile, "make an unnamed set-user-ID file", By::kFilter, EPERM},
    {Attack::kOpenByHandle, "open by handle", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kExecute, "execute a program", By::kLandlock, EACCES},
    {Attack::kExecuteMemory, "execute what is in memory", By::kFilter, EPERM},
    {Attack::kTrace, "trace a process", By::kSeveral, EPERM},
    {Attack::kReadMemory, "read a process's memory", By::kFilter, EPERM},
    {Attack::kReadEnvironment, "read a process's environment", By::kSeveral, EACCES},
    {Attack::kSignal, "signal a process", By::kLandlock, EPERM},
    {Attack::kMount, "mount", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kNewMount, "prepare a mount", By::kFilter, EPERM},
    {Attack::kUnshare, "leave a namespace", By::kFilter, EPERM},
    {Attack::kCloneNamespace, "make a namespace", By::kFilter, EPERM},
    {Attack::kClone3Namespace, "make a namespace otherwise", By::kFilter, ENOSYS},
    {Attack::kJoinNamespace, "join a namespace", By::kFilter, EPERM},
    {Attack::kBpf, "load bpf", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kModule, "remove a module", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kKeyring, "add a key", By::kFilter, EPERM},
    {Attack::kIoUring, "set io_uring up", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kPerformanceEvents, "open performance events", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kUserFaults, "handle page faults", By::kFilter, EPERM},
    {Attack::kPersonality, "ask for the personality", By::kFilter, EPERM},
    {Attack::kAnotherUser, "become another user", By::kFilter, EPERM},
    {Attack::kHostName, "set the host name", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kClock, "set the clock", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kTerminal, "type into the terminal", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kOtherArchitecture, "call as i386", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kX32, "call as x32", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kInet, "open an IPv4 socket", By::kFilter, EPERM},
    {Attack::kInet6, "open an IPv6 socket", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kInetHighBits, "open an IPv4 socket by odd bits", By::kFilter, EPERM},
    {Attack::kConnectTcp, "connect over TCP", By::kFilter, EPERM},
    {Attack::kNetlink, "open a netlink socket", By::kFilter, EPERM},
    {Attack::kPacket, "open a packet socket", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kVsock, "open a vsock socket", By::kFilter, EPERM, Open::kSomehow},
    {Attack::kAlgorithms, "open a socket of the crypto API", By::kFilter, EPERM, Open::kSomehow},
};

// A daemon does these, now or in a later version.
const std::vector<std::pair<Attack, const char*>> kLeft = {
    {Attack::kExecuteItself, "execute itself"}, {Attack::kLookUpNames, "look names up"},
    {Attack::kLoadLibrary, "load a library"},   {Attack::kUnixSocket, "open a Unix socket"},
    {Attack::kStartThread, "start a thread"},
};

constexpr char kNoCapabilities[] = "0000000000000000";

long LandlockVersion() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

// Returns the attacks that this kernel's Landlock, or a build with sanitizers, cannot refuse.
std::set<Attack> NotRefused() {
  std::set<Attack> attacks;
  if (LandlockVersion() < 6) attacks.insert(Attack::kSignal);
  if (LandlockVersion() < 3) attacks.insert(Attack::kTruncateFile);
  if (DaemonIsSanitized()) attacks.insert(Attack::kPersonality);
  return attacks;
}

// Returns the values of a field of /proc/PID/task/TID/status, for all threads.
std::set<std::string> StatusOfThreads(pid_t pid, const std::string& field) {
  std::set<std::string> values;
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator(folder)) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(field + ":\t")) values.insert(line.substr(field.size() + 2));
    }
  }
  return values;
}

// Returns a port where nobody listens.
std::string FreePort() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  const ttrpc::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(socket.get(), raw, length), 0);
  EXPECT_EQ(::getsockname(socket.get(), raw, &length), 0);
  return std::to_string(ntohs(address.sin_port));
}

class SandboxTest : public ProxyTest {
 protected:
  void StartAttacked(const Scene& scene, const std::vector<std::string>& environment = {}) {
    WriteConfig(scene);
    StartBackend();
    std::vector<std::string> all = attacker_.environment();
    all.insert(all.end(), environment.begin(), environment.end());
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--config", config_path(), "--log-level", "debug"},
        DaemonSurroundings{.environment = all});
  }
  void Attack(AttackThread thread) {
    attacker_.Run(thread, [this, thread] {
      // A peer wakes the loop, and a line wakes the log.
      if (thread == AttackThread::kMain) Peer().Close();
      if (thread == AttackThread::kLog) daemon_->Signal(SIGHUP);
    });
    if (thread == AttackThread::kLog) {
      EXPECT_NE(attacker_.thread(), daemon_->pid()) << "it was not another thread";
    }
  }
  void ExpectRefused() {
    for (const Row& row : kAttacks) {
      if (NotRefused().contains(row.attack)) continue;
      EXPECT_EQ(attacker_.ErrorOf(row.attack), row.error) << row.name;
    }
    ExpectLeft();
  }
  void ExpectLeft() {
    for (const auto& [attack, name] : kLeft) EXPECT_EQ(attacker_.ErrorOf(attack), 0) << name;
    // The attack starts another daemon, which confines itself again and finds its address in use.
    EXPECT_EQ(attacker_.ErrorOf(Attack::kStartAgain), EXIT_FAILURE);
    daemon_->WaitForLines(++started_again_, [](const std::string& line) {
      return line.ends_with("front.sock is in use");
    });
  }
  void ExpectOpen(const Row& row) const {
    const int error = attacker_.ErrorOf(row.attack);
    if (row.without_sandbox == Open::kAlways) {
      EXPECT_EQ(error, 0) << row.name;
    } else {
      EXPECT_NE(error, row.error) << row.name;
    }
  }
  void ExpectReloads(const Scene& scene) {
    const size_t before = daemon_->log().size();
    WriteConfig(scene);
    Reload("reloaded: ");
    EXPECT_THAT(daemon_->log().substr(before), Not(HasSubstr("outside the sandbox")));
  }
  void ExpectRefused(const Scene& scene, const std::string& outside) {
    WriteConfig(scene);
    Reload("reload refused: the configuration is unchanged");
    EXPECT_THAT(daemon_->log(),
                HasSubstr("error needs a restart: " + outside + " outside the sandbox\n"));
  }
  void Restart(Scene scene) {
    daemon_.reset();
    Start(std::move(scene));
  }
  void ExpectCapabilities(const std::string& expected) const {
    for (const char* field : {"CapEff", "CapPrm", "CapBnd"}) {
      EXPECT_EQ(StatusOfThreads(daemon_->pid(), field), std::set<std::string>{expected}) << field;
    }
  }
  static std::string Listener(const std::string& path) {
    return std::string(kDefaultRules) + "[[listener]]\nname = \"more\"\naddress = \"unix://" +
           path + "\"\n";
  }

  size_t started_again_ = 0;
  const TempDir other_;
  Attacker attacker_{folder_ / "attacks", config_path()};
};

TEST_F(SandboxTest, AttacksFromEachThreadAreRefused) {
  if (LandlockVersion() < 0) GTEST_SKIP() << "this kernel has no Landlock";
  StartAttacked({});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  for (const AttackThread thread : {AttackThread::kMain, AttackThread::kLog}) {
    Attack(thread);
    ExpectRefused();
  }
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

// Without the sandbox the attacks succeed, which shows that they are attacks.
TEST_F(SandboxTest, WithoutItTheySucceed) {
  StartAttacked({.head = "[daemon]\nsandbox = false\n"});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  Attack(AttackThread::kMain);
  for (const Row& row : kAttacks) ExpectOpen(row);
  ExpectLeft();
}

TEST_F(SandboxTest, AKernelWithoutLandlockIsSaidAndTheRestHolds) {
  StartAttacked({},
                {test::kMissingCallVariable + ("=" + std::to_string(SYS_landlock_create_ruleset))});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_THAT(daemon_->log(),
              HasSubstr("warn sandbox: the kernel has no Landlock: files are not confined"));
  Attack(AttackThread::kMain);
  for (const Row& row : kAttacks) {
    if (row.by == By::kLandlock) {
      ExpectOpen(row);
    } else if (row.by == By::kFilter && !NotRefused().contains(row.attack)) {
      EXPECT_EQ(attacker_.ErrorOf(row.attack), row.error) << row.name;
    }
  }
  ExpectLeft();
  // Without Landlock no directory is outside the sandbox.
  ExpectReloads({.rules = Listener(other_ / "more.sock")});
}

TEST_F(SandboxTest, AKernelWithoutFiltersIsSaidAndTheRestHolds) {
  StartAttacked({}, {test::kMissingCallVariable + ("=" + std::to_string(SYS_seccomp))});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_THAT(
      daemon_->log(),
      HasSubstr("warn sandbox: the kernel has no seccomp filters: system calls are not confined"));
  EXPECT_EQ(StatusOfThreads(daemon_->pid(), "CapEff"), std::set<std::string>{kNoCapabilities});
  ExpectReloads({.backend = "address = \"vsock:3:1024\"\n"});
}

TEST_F(SandboxTest, WhatFailsOtherwiseEndsTheStart) {
  StartAttacked({},
                {test::kMissingCallVariable + ("=" + std::to_string(SYS_landlock_restrict_self))});
  EXPECT_EQ(daemon_->WaitForExit(), 1);
  EXPECT_THAT(daemon_->log(),
              HasSubstr("error sandbox: landlock_restrict_self: Function not implemented"));
  EXPECT_FALSE(std::filesystem::exists(front_path()));
}

TEST_F(SandboxTest, NoThreadKeepsMoreThanItNeeds) {
  Start();
  ExpectCapabilities(kNoCapabilities);
  const pid_t pid = daemon_->pid();
  EXPECT_EQ(StatusOfThreads(pid, "CapInh"), std::set<std::string>{kNoCapabilities});
  EXPECT_EQ(StatusOfThreads(pid, "NoNewPrivs"), std::set<std::string>{"1"});
  EXPECT_EQ(StatusOfThreads(pid, "Seccomp"), std::set<std::string>{"2"});
}

// CAP_CHOWN is 0x1, CAP_DAC_OVERRIDE 0x2, CAP_FOWNER 0x8.
TEST_F(SandboxTest, CapabilitiesThatTheConfigurationNeedsAreKept) {
  Restart({.listener = "group = \"daemon\"\n"});
  ExpectCapabilities("0000000000000001");
  Restart({.listener = "owner = \"daemon\"\n"});
  ExpectCapabilities("000000000000000b");
  Restart({.backend = "users = [\"root\", 1234]\n"});
  ExpectCapabilities("0000000000000002");
  // The socket does not exist yet, so its permissions are unknown.
  Restart({.backend = "address = \"unix://" + (other_ / "later.sock") + "\"\n"});
  ExpectCapabilities("0000000000000002");
  ASSERT_TRUE(std::filesystem::create_directory(other_ / "shut"));
  RecordingBackend behind(other_ / "shut/back.sock");
  Restart({.backend = "address = \"unix://" + (other_ / "shut/back.sock") + "\"\n"});
  ExpectCapabilities(kNoCapabilities);
  // A shim makes its directory with this mode, which even root cannot enter without a capability.
  ASSERT_EQ(::chmod((other_ / "shut").c_str(), 0600), 0);
  Restart({.backend = "address = \"unix://" + (other_ / "shut/back.sock") + "\"\n"});
  ExpectCapabilities("0000000000000002");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

// A new installation starts the daemon without listeners, and adds rules later.
TEST_F(SandboxTest, AConfigurationWithoutListenersMayBecomeAny) {
  WriteFile(config_path(), "");
  StartDaemon();
  ExpectCapabilities("000000000000000b");
  EXPECT_THAT(daemon_->log(), Not(HasSubstr("warn sandbox")));
}

TEST_F(SandboxTest, AReloadThatNeedsMoreCapabilitiesIsRefused) {
  Start();
  ExpectRefused({.listener = "group = \"daemon\"\n"}, "owners of sockets are");
  ExpectRefused({.listener = "owner = \"daemon\"\n"}, "owners of sockets are");
  ExpectRefused({.backend = "users = [\"root\", 1234]\n"}, "files of other users are");
  ExpectReloads({.listener = "mode = \"0600\"\n"});
  ExpectReloads({.backend = "address = \"unix://" + (other_ / "later.sock") + "\"\n"});
  ASSERT_EQ(::chmod(other_.path().c_str(), 0600), 0);
  ExpectRefused({.backend = "address = \"unix://" + (other_ / "later.sock") + "\"\n"},
                "files of other users are");
}

TEST_F(SandboxTest, FoldersThatSystemdMadeAreLeft) {
  const TempDir logs;
  StartAttacked({}, {"RUNTIME_DIRECTORY=" + (other_ / "."), "LOGS_DIRECTORY=" + (logs / ".")});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  ExpectReloads({.head = "[audit]\ntarget = \"file:" + (logs / "./audit.json") + "\"\n",
                 .rules = Listener(other_ / "./more.sock")});
  EXPECT_TRUE(std::filesystem::exists(other_ / "more.sock"));
  EXPECT_TRUE(std::filesystem::exists(logs / "audit.json"));
}

TEST_F(SandboxTest, AFamilyThatABackendUsesIsLeft) {
  StartAttacked({.backend = "address = \"vsock:3:1024\"\n"});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  Attack(AttackThread::kMain);
  EXPECT_NE(attacker_.ErrorOf(test::Attack::kVsock), EPERM);
  EXPECT_EQ(attacker_.ErrorOf(test::Attack::kInet), EPERM);
}

// Metrics over TCP need a listening socket, but no connections to others.
TEST_F(SandboxTest, WithMetricsOverTcpNobodyIsConnectedTo) {
  if (LandlockVersion() < 4) GTEST_SKIP() << "this kernel's Landlock cannot restrict TCP";
  StartAttacked({.head = "[metrics]\naddress = \"tcp:127.0.0.1:" + FreePort() + "\"\n"});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  Attack(AttackThread::kMain);
  EXPECT_EQ(attacker_.ErrorOf(test::Attack::kInet), 0);
  EXPECT_EQ(attacker_.ErrorOf(test::Attack::kConnectTcp), EACCES);
  EXPECT_EQ(attacker_.ErrorOf(test::Attack::kNetlink), EPERM);
  EXPECT_EQ(StatusOfThreads(daemon_->pid(), "CapPrm"), std::set<std::string>{"0000000000000400"});
}

TEST_F(SandboxTest, AReloadWithinItWorks) {
  const std::string audit = other_ / "audit";
  const auto head = [](const std::string& path) {
    return "[audit]\ncalls = \"all\"\ntarget = \"file:" + path + "\"\n";
  };
  // An owner in the configuration keeps the rights to give sockets other owners.
  Start({.head = head(audit), .listener = "owner = \"daemon\"\n"});
  // The reload needs a name that was not resolved before, a new directory, an owner, and then a
  // mode for a socket that another user owns.
  const std::string below = folder_ / "below";
  ASSERT_TRUE(std::filesystem::create_directory(below));
  const std::string rules = Listener(below + "/more.sock") + "owner = \"daemon\"\n";
  ExpectReloads({.head = head(audit), .rules = rules});
  ExpectReloads({.head = head(audit), .rules = rules + "mode = \"0660\"\n"});
  struct stat made {};
  ASSERT_EQ(::lstat((below + "/more.sock").c_str(), &made), 0);
  EXPECT_NE(made.st_uid, 0U);
  EXPECT_EQ(made.st_mode & 07777U, 0660U);
  RawPeer peer(below + "/more.sock");
  ExpectEcho(peer, 1);

  // The log and the audit make new files, here and below.
  std::filesystem::rename(audit, audit + ".1");
  daemon_->Signal(SIGUSR1);
  EXPECT_TRUE(Eventually([&audit] { return std::filesystem::exists(audit); }));
  ASSERT_TRUE(std::filesystem::create_directory(other_ / "below"));
  ExpectReloads({.head = head(other_ / "below/audit")});
  EXPECT_FALSE(std::filesystem::exists(below + "/more.sock"));
}

TEST_F(SandboxTest, AReloadBeyondItIsRefused) {
  Start();
  const std::string log = "target = \"file:" + (other_ / "log") + "\"\n";
  const std::string other = other_.path() + " is";
  ExpectRefused({.head = "[log]\n" + log}, other);
  ExpectRefused({.head = "[audit]\n" + log}, other);
  ExpectRefused({.rules = Listener(other_ / "more.sock")}, other);
  ExpectRefused({.backend = "address = \"vsock:3:1024\"\n"}, "vsock sockets are");
  ExpectRefused({.head = "[metrics]\naddress = \"tcp:127.0.0.1:" + FreePort() + "\"\n"},
                "tcp sockets are");
  EXPECT_TRUE(std::filesystem::is_empty(other_.path()));
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(SandboxTest, WithoutItAReloadGoesAnywhere) {
  const std::string head = "[daemon]\nsandbox = false\n";
  Start({.head = head});
  EXPECT_EQ(StatusOfThreads(daemon_->pid(), "NoNewPrivs"), std::set<std::string>{"0"});
  ExpectReloads({.head = head, .rules = Listener(other_ / "more.sock")});
  RawPeer peer(other_ / "more.sock");
  ExpectEcho(peer, 1);
}

// The configuration is a link, and so are files beside it.
TEST_F(SandboxTest, TheConfigurationIsReadWhereItsLinksLead) {
  const TempDir linked;
  WriteConfig({});
  std::filesystem::rename(config_path(), linked / "real.toml");
  std::filesystem::create_symlink(linked / "real.toml", config_path());
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(other_ / "more.toml", "[timeouts]\nidle = \"1h\"\n");
  std::filesystem::create_symlink(other_ / "more.toml", folder_ / "conf.d/more.toml");
  StartBackend();
  StartDaemon();
  Reload("reloaded: ");
  EXPECT_THAT(daemon_->log(), Not(HasSubstr("cannot be opened")));
}

// `current` is switched from one release to the next, but the sandbox is that of the start.
TEST_F(SandboxTest, TheConfigurationMayBeBehindALinkThatIsSwitched) {
  const TempDir elsewhere;
  const std::string link = other_ / "current";
  const auto write = [this](const std::string& folder, const std::string& head) {
    std::filesystem::create_directories(folder);
    WriteConfig({.head = head});
    std::filesystem::rename(config_path(), folder + "/config.toml");
  };
  const auto lead = [&link](const std::string& target) {
    std::filesystem::remove(link);
    std::filesystem::create_symlink(target, link);
  };
  write(other_ / "release/42", "");
  lead("release/42");
  StartBackend();
  daemon_ =
      std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", link + "/config.toml"});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  write(other_ / "release/43", "[timeouts]\nidle = \"1h\"\n");
  lead("release/43");
  Reload("reloaded: 1 listeners, 2 rules, 1 backends; ");
  write(elsewhere.path(), "");
  lead(elsewhere.path());
  Reload("reload refused: the configuration is unchanged");
  EXPECT_THAT(daemon_->log(),
              HasSubstr("needs a restart: " + elsewhere.path() + " is outside the sandbox\n"));
  EXPECT_THAT(daemon_->log(), Not(HasSubstr("Permission denied")));
}

TEST_F(SandboxTest, AFileOfTheConfigurationThatIsALinkIsSaidToNeedARestart) {
  Start();
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(other_ / "more.toml", "[timeouts]\nidle = \"1h\"\n");
  std::filesystem::create_symlink(other_ / "more.toml", folder_ / "conf.d/more.toml");
  Reload("reload refused: the configuration is unchanged");
  EXPECT_THAT(daemon_->log(),
              HasSubstr("needs a restart: " + other_.path() + " is outside the sandbox\n"));
  std::filesystem::remove(folder_ / "conf.d/more.toml");
  Reload("reloaded: ");
}

// A rule of Landlock is for the directory that existed, not for its name.
TEST_F(SandboxTest, AFolderThatWasMadeAgainIsOutside) {
  const std::string below = other_ / "below";
  ASSERT_TRUE(std::filesystem::create_directory(below));
  const std::string rules = Listener(below + "/more.sock");
  Start({.rules = rules});
  std::filesystem::rename(below, other_ / "before");
  ASSERT_TRUE(std::filesystem::create_directory(below));
  ExpectRefused({.rules = rules}, below + " is");
  std::filesystem::remove(below);
  std::filesystem::rename(other_ / "before", below);
  ExpectReloads({.rules = rules});
}

TEST(SandboxOfAUserTest, HoldsWithoutCapabilities) {
  RunAs({.uid = 40001, .gid = 40001}, [] {
    const TempDir folder;
    WriteFile(folder / "config.toml",
              "[[listener]]\nname = \"l\"\naddress = \"unix://" + (folder / "l.sock") + "\"\n");
    DaemonProcess daemon({"--config", folder / "config.toml"});
    ASSERT_TRUE(daemon.WaitUntilReady());
    EXPECT_EQ(StatusOfThreads(daemon.pid(), "CapPrm"), std::set<std::string>{kNoCapabilities});
    EXPECT_EQ(StatusOfThreads(daemon.pid(), "Seccomp"), std::set<std::string>{"2"});
    daemon.Signal(SIGTERM);
    EXPECT_EQ(daemon.WaitForExit(), 0);
  });
}

}  // namespace
}  // namespace integration
