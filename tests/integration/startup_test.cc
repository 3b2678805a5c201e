// SPDX-License-Identifier: Apache-2.0
//
// The start of the daemon: signals that arrive before it is ready, names that do not resolve yet,
// paths that cannot be written, and what a failed start leaves behind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "harness/preload.h"
#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kTryAgain = 75;
constexpr int kBadConfiguration = 78;
const char kGatedUser[] = "owner = \"gated\"\n";
const char kUnknownUser[] = "owner = \"nobody-of-that-name\"\n";

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class StartTest : public ProxyTest {
 protected:
  void StartIn(const std::vector<std::string>& environment) {
    daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                              DaemonSurroundings{.environment = environment});
  }

  // Starts a daemon and returns when it is held in `call`.
  void StartGated(const std::string& call) {
    const std::string path = folder_ / "gate";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::vector<std::string> environment = PreloadEnvironment("libgate.so");
    environment.push_back("TEST_GATE=" + path);
    environment.push_back("TEST_GATE_CALL=" + call);
    StartIn(environment);
    // open(2) waits until the daemon reads.
    gate_.reset(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(gate_.valid());
  }
  // Opens the gate for this call and for several that follow.
  void OpenGate() const { EXPECT_EQ(::write(gate_.get(), "yyyyyyyy", 8), 8); }

  // Returns the names of sockets and of the lock files beside them.
  std::vector<std::string> Left() const {
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename();
      if (entry.is_socket() || name.starts_with(".")) left.push_back(name);
    }
    return left;
  }

  ttrpc::UniqueFd gate_;
};

TEST_F(StartTest, RequestsWaitUntilItIsReady) {
  WriteConfig({.listener = kGatedUser});
  StartGated("getpwnam_r");
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGHUP}) daemon_->Signal(number);
  OpenGate();
  ASSERT_TRUE(daemon_->WaitUntilReady());
  const auto reloaded = [](const std::string& line) {
    return line.find("reloaded: ") != line.npos;
  };
  daemon_->WaitForLines(1, reloaded);
  Reload("reloaded: ");  // any other pending request is done before this one
  const std::string log = daemon_->log();
  EXPECT_EQ(Count(log, "reloaded: "), 2U)
      << "there is one reload for all requests before it was ready";
  EXPECT_EQ(Count(log, "upgrade in place is not supported yet"), 1U);
  EXPECT_LT(log.find(" ready: "), log.find("reloaded: "));
}

// Resolving a name may take minutes.
TEST_F(StartTest, AStopWhileNamesAreResolvedEndsItAtOnce) {
  for (const int number : {SIGTERM, SIGINT}) {
    WriteConfig({.listener = kGatedUser});
    StartGated("getpwnam_r");
    daemon_->Signal(SIGHUP);
    daemon_->Signal(number);
    EXPECT_EQ(daemon_->WaitForExit(), 0);
    EXPECT_EQ(daemon_->log(), "");
    std::filesystem::remove(folder_ / "gate");
  }
  EXPECT_THAT(Left(), ::testing::IsEmpty());
}

TEST_F(StartTest, AStopWhileSocketsAreMadeLeavesNone) {
  WriteConfig({});
  StartGated("listen");
  EXPECT_THAT(Left(), Not(::testing::IsEmpty()));
  daemon_->Signal(SIGTERM);
  OpenGate();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(Left(), ::testing::IsEmpty());
}

// A caller must not take an interrupted --check for one that found nothing.
TEST_F(StartTest, ACheckIsEndedByEachSignal) {
  WriteConfig({.listener = kGatedUser});
  const std::string path = folder_ / "gate";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::vector<std::string> environment = PreloadEnvironment("libgate.so");
  environment.push_back("TEST_GATE=" + path);
  environment.push_back("TEST_GATE_CALL=getpwnam_r");
  for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) {
    DaemonProcess check({"--config", config_path(), "--check"}, {.environment = environment});
    const ttrpc::UniqueFd gate(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    check.Signal(number);
    EXPECT_EQ(check.WaitForExit(), 128 + number);
  }
}

class UnresolvedNamesTest : public StartTest {
 protected:
  CommandResult Run(const std::vector<std::string>& environment = {},
                    const std::string& option = "--log-level=info") const {
    return RunCommand({.args = {"sh", "-c", "exec \"$TTRPC_PROXYD\" --config \"$0\" \"$1\"",
                                config_path(), option},
                       .environment = environment});
  }
  std::string counter() const { return folder_ / "failed-starts"; }
  std::vector<std::string> runtime() const { return {"RUNTIME_DIRECTORY=" + folder_.path()}; }
};

TEST_F(UnresolvedNamesTest, ExitWith75WhereNothingElseIsWrong) {
  WriteConfig({.listener = kUnknownUser});
  for (const char* option : {"--log-level=info", "--check", "--print-config"}) {
    const CommandResult result = Run({}, option);
    EXPECT_EQ(result.status, kTryAgain) << option;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("user \"nobody-of-that-name\" does not exist"));
  }
  WriteConfig({.head = "[log]\nlevel = 5\n", .listener = kUnknownUser});
  for (const char* option : {"--log-level=info", "--check", "--print-config"})
    EXPECT_EQ(Run({}, option).status, kBadConfiguration) << option;
}

TEST_F(UnresolvedNamesTest, FailedStartsAreCountedAndAStartEndsThat) {
  WriteConfig({.listener = kUnknownUser});
  EXPECT_EQ(Run(runtime()).status, kTryAgain);
  EXPECT_EQ(ReadFile(counter()), "1\n");
  const CommandResult second = Run(runtime());
  EXPECT_EQ(second.status, kTryAgain);
  EXPECT_THAT(second.err, HasSubstr("exiting in 100 ms, to be started again\n"));
  EXPECT_EQ(ReadFile(counter()), "2\n");
  // No service manager tries these again.
  EXPECT_EQ(Run(runtime(), "--check").status, kTryAgain);
  WriteFile(config_path(), "nonsense = 1\n");
  EXPECT_EQ(Run(runtime()).status, kBadConfiguration);
  EXPECT_EQ(ReadFile(counter()), "2\n");

  WriteConfig({});
  StartIn(runtime());
  EXPECT_TRUE(Eventually([this] { return !std::filesystem::exists(counter()); }));
}

TEST_F(UnresolvedNamesTest, AStopEndsThePause) {
  WriteConfig({.listener = kUnknownUser});
  WriteFile(counter(), "5\n");
  StartIn(runtime());
  daemon_->WaitForLines(
      1, [](const std::string& line) { return line == "exiting in 5000 ms, to be started again"; });
  daemon_->Signal(SIGHUP);
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

// A socket unit starts the daemon again at once for a client that waits.
TEST_F(UnresolvedNamesTest, AStartThatFailsAtRunTimeIsCountedToo) {
  WriteConfig({});
  WriteFile(front_path(), "precious");
  EXPECT_EQ(Run(runtime()).status, 1);
  EXPECT_EQ(ReadFile(counter()), "1\n");
}

class PlacesTest : public StartTest {
 protected:
  // Runs the daemon with `other_` mounted read-only.
  CommandResult RunReadOnly(const std::string& option) const {
    return RunCommand({.args = {"unshare", "--mount", "sh", "-c",
                                "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && "
                                "exec \"$TTRPC_PROXYD\" --config \"$1\" \"$2\"",
                                other_.path(), config_path(), option}});
  }
  CommandResult Run(const std::string& option) const {
    return RunDaemon({"--config", config_path(), option});
  }
  void ExpectBad(const CommandResult& result, const std::string& end) const {
    EXPECT_EQ(result.status, kBadConfiguration);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, EndsWith(end + "\n"));
    EXPECT_FALSE(std::filesystem::exists(front_path())) << "the other listener's socket is left";
  }

  const TempDir other_;
};

TEST_F(PlacesTest, AReadOnlyDirectoryNamesTheDropIn) {
  const std::string path = other_.path();
  const std::string drop_in = "the service needs ReadWritePaths=" + path +
                              " in a drop-in (systemctl edit ttrpc-proxy.service)";
  for (const std::string section : {"log", "audit"}) {
    WriteConfig({.head = "[" + section + "]\ntarget = \"file:" + path + "/file\"\n"});
    for (const char* option : {"--log-level=info", "--check"}) {
      ExpectBad(RunReadOnly(option),
                config_path() + ": error: [" + section + "] target file:" + path +
                    "/file: directory " + path +
                    " cannot be written: Read-only file system; make it writable\n" + drop_in);
    }
    EXPECT_EQ(Run("--check").status, 0) << "it is not read-only here";
  }
  // Every read-only directory is named, but none that does not exist.
  for (const std::string section : {"admin", "metrics"}) {
    WriteConfig({.head = "[" + section + "]\naddress = \"unix://" + path + "/no/s\"\n",
                 .rules = std::string(kDefaultRules) +
                          "[[listener]]\nname = \"more\"\naddress = \"unix://" + path + "/m\"\n"});
    const CommandResult result = RunReadOnly("--check");
    EXPECT_THAT(result.err,
                HasSubstr("listener \"more\" unix://" + path + "/m: directory " + path +
                          " cannot be written: Read-only file system; make it writable\n"));
    EXPECT_THAT(result.err,
                HasSubstr("[" + section + "] unix://" + path + "/no/s: directory " + path +
                          "/no cannot be written: No such file or directory; create it\n"));
    ExpectBad(result, "in a drop-in (systemctl edit ttrpc-proxy.service)");
    EXPECT_THAT(result.err, HasSubstr("ReadWritePaths=" + path));
    EXPECT_THAT(result.err, Not(HasSubstr("ReadWritePaths=" + path + "/no")));
  }
}

// A writable file may be bind-mounted into a directory that is read-only.
TEST_F(PlacesTest, AFileThatCanBeWrittenNeedsNoDirectory) {
  ASSERT_EQ(::mkfifo((other_ / "pipe").c_str(), 0600), 0);
  WriteConfig({.head = "[audit]\ntarget = \"file:" + (other_ / "pipe") + "\"\n"});
  EXPECT_EQ(RunReadOnly("--check").status, 0);
}

TEST_F(PlacesTest, WhatNoStartCanWriteIsABadConfiguration) {
  WriteFile(other_ / "file", "");
  std::filesystem::create_symlink("file", other_ / "link");
  std::filesystem::create_directory(other_ / "folder");
  const ttrpc::UniqueFd socket = Bind(other_ / "socket");
  const auto log = [this](const std::string& name) {
    return "[log]\ntarget = \"file:" + (other_ / name) + "\"\n";
  };
  const std::string path = other_.path();
  for (const auto& [name, end] : std::vector<std::pair<std::string, std::string>>{
           {"no/file",
            "directory " + path + "/no cannot be written: No such file or directory; create it"},
           {"file/file",
            "directory " + path + "/file cannot be written: Not a directory; use another path"},
           {"folder", "the file cannot be written: Is a directory; use another path"},
           {"link",
            "the file cannot be written: Too many levels of symbolic links; use another path"},
           {"socket", "the file cannot be written: No such device or address; use another path"}}) {
    WriteConfig({.head = log(name)});
    for (const char* option : {"--log-level=info", "--check"})
      ExpectBad(Run(option), "[log] target file:" + (other_ / name) + ": " + end);
  }
}

// A reload meets the same read-only mounts of the service manager as a start.
TEST_F(PlacesTest, AReloadThatNeedsADropInNamesIt) {
  // A daemon gets the mounts of the thread that starts it, and ends with that thread.
  std::thread([this] {
    const std::string path = other_.path();
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
              0);
    Start();
    const auto reload = [this](const std::string& file) {
      WriteConfig({.head = "[audit]\ntarget = \"file:" + file + "\"\n"});
      Reload("reload refused: the configuration is unchanged");
    };
    const std::string drop_in = " in a drop-in (systemctl edit ttrpc-proxy.service)\n";
    const TempDir writable;
    reload(path + "/audit");
    reload(path + "/audit/file");
    reload(writable / "audit");
    EXPECT_THAT(daemon_->log(), HasSubstr("error needs a restart: " + path +
                                          " is outside the sandbox; the service needs "
                                          "ReadWritePaths=" +
                                          path + drop_in));
    EXPECT_THAT(daemon_->log(),
                HasSubstr("error directory " + path + "/audit does not exist; create it\n"));
    EXPECT_THAT(daemon_->log(), HasSubstr("error needs a restart: " + writable.path() +
                                          " is outside the sandbox\n"));
    daemon_->Signal(SIGTERM);
    EXPECT_EQ(daemon_->WaitForExit(), 0);
  }).join();
}

// --check run by a user cannot know what the daemon, which is usually root, may write.
TEST_F(PlacesTest, AUsersCheckDoesNotJudgeByItsOwnRights) {
  WriteConfig({.head = "[audit]\ntarget = \"file:" + (other_ / "audit") + "\"\n"});
  ASSERT_EQ(::chmod(other_.path().c_str(), 0700), 0);
  ASSERT_EQ(::chown(folder_.path().c_str(), 40001, 40001), 0);
  RunAs({.uid = 40001, .gid = 40001}, [this] {
    EXPECT_EQ(Run("--check").status, 0);
    // A start by that user does judge by them.
    ExpectBad(Run("--log-level=info"), "[audit] target file:" + (other_ / "audit") +
                                           ": directory " + other_.path() +
                                           " cannot be written: Permission denied; change its "
                                           "owner or its mode");
  });
}

TEST_F(PlacesTest, AnOwnerThatItMayNotSetIsABadConfiguration) {
  ASSERT_EQ(::chown(folder_.path().c_str(), 40001, 40001), 0);
  WriteConfig({.listener = "owner = \"40002\"\n"});
  RunAs({.uid = 40001, .gid = 40001}, [this] {
    const CommandResult result = Run("--log-level=info");
    EXPECT_EQ(result.status, kBadConfiguration);
    EXPECT_THAT(result.err, EndsWith("owner and group: Operation not permitted\n"));
  });
  EXPECT_THAT(Left(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace integration
